"""What of the program's inputs the SDK converts: what is not yet what it sends.

The SDK asks of every value, at each level of each object, whether it is one of a dozen kinds that need converting, and
takes apart the type that the value is declared with. Most values are plain, and most types come again.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable
from typing import Any, Final

from pulumi import _types  # pyright: ignore[reportPrivateUsage] (the SDK has no setting for it)
from pulumi.runtime import rpc

_SERIALIZE: Final = rpc.serialize_property
_UNWRAP: Final = _types.unwrap_type
# The types themselves: what is derived from one, such as an enum of strings, is for the SDK to judge.
_PLAIN: Final = frozenset((str, int, float, bool, type(None)))


def pass_plain() -> None:
    """Send plain values as they are, and take each type apart once."""
    rpc.serialize_property = _serialize  # pyright: ignore[reportAttributeAccessIssue] (who calls it awaits it)
    _types.unwrap_type = functools.cache(_UNWRAP)


def _serialize(value: Any, *rest: Any, **named: Any) -> Awaitable[Any]:
    # The SDK's last argument, the eighth after the value, asks for another form of it.
    if type(value) in _PLAIN and len(rest) < 8 and "return_protobuf_value" not in named:
        return _plain(value)
    return _SERIALIZE(value, *rest, **named)


async def _plain(value: Any) -> Any:
    return value
