"""Libraries that are heavy to load, each loaded when it is first used: a command loads what it needs and no more.

``lazy.redis.Redis`` is used like ``redis.Redis``, in annotations, too.
"""

# pyright: reportUnusedImport=false
# (the submodules are used by their full names)

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import botocore.config
    import botocore.exceptions
    import botocore.session
    import confluent_kafka.admin
    import cryptography.exceptions
    import cryptography.hazmat.primitives.asymmetric.ed25519
    import cryptography.hazmat.primitives.serialization
    import httpx
    import prometheus_client
    import psycopg
    import redis.backoff
    import redis.exceptions
    import redis.retry
    import rich.console
    import rich.table
    import rich.text
    from psycopg import sql

    # It has no types.
    pyrage: Any
else:
    # The module that each name stands for, and what is imported of it besides.
    _MODULES: Final = {
        "botocore": ("botocore", "botocore.config", "botocore.exceptions", "botocore.session"),
        "confluent_kafka": ("confluent_kafka", "confluent_kafka.admin"),
        "cryptography": (
            "cryptography",
            "cryptography.exceptions",
            "cryptography.hazmat.primitives.asymmetric.ed25519",
            "cryptography.hazmat.primitives.serialization",
        ),
        "httpx": ("httpx",),
        "prometheus_client": ("prometheus_client",),
        "psycopg": ("psycopg",),
        "pyrage": ("pyrage",),
        "redis": ("redis",),
        "rich": ("rich", "rich.console", "rich.table", "rich.text"),
        "sql": ("psycopg.sql",),
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(name)
        globals()[name], *_ = [importlib.import_module(module) for module in _MODULES[name]]
        return globals()[name]


__all__ = [
    "botocore",
    "confluent_kafka",
    "cryptography",
    "httpx",
    "prometheus_client",
    "psycopg",
    "pyrage",
    "redis",
    "rich",
    "sql",
]
