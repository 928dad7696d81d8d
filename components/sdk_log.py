"""The SDK's debug messages: one blocking call to the engine for each step of each registration.

They are only ever seen with ``pulumi --debug``, which the program is not told of, and cost a fifth of an unchanged
preview. So they are off, unless the variable below asks for them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pulumi import log

if TYPE_CHECKING:
    from pulumi import Resource

VARIABLE: Final = "CRYPTO_SDK_DEBUG"
_SEND: Final = log.debug


def quieten() -> None:
    """Drop the debug messages of this process, unless ``CRYPTO_SDK_DEBUG`` is set; all others are sent as before."""
    log.debug = _SEND if os.environ.get(VARIABLE) else _drop


def _drop(
    msg: str, resource: Resource | None = None, stream_id: int | None = None, ephemeral: bool | None = None
) -> None:
    pass
