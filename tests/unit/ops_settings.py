"""Settings of the operations program for tests that ask nobody."""

from __future__ import annotations

from typing import Any

from runbook import database_roles
from runbook.ops_settings import OpsSettings


def settings(**changes: Any) -> OpsSettings:
    """Complete settings; addresses are nobody's."""
    login = {"user": "nobody", "passwordFile": "/nowhere"}
    logins = dict.fromkeys(("superuser", *(role.key for role in database_roles.ALL)), login)
    base: dict[str, Any] = {
        "namespace": "crypto",
        "timeZone": "UTC",
        "postgres": {"host": "127.0.0.1", "port": 1, "database": "crypto_db", **logins},
        "redis": {"host": "127.0.0.1", "port": 1},
        "kafka": {"bootstrap": "127.0.0.1:1", "brokers": 1, "topic": "t", "group": "g"},
        "services": [],
        "backup": {"bucket": "backups", "prefix": "x/", "region": "eu-central-1", "retentionDays": 30},
    }
    return OpsSettings.model_validate({**base, **changes})
