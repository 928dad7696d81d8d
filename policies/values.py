"""Reading a plain value as a number."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from policies.plain import Plain
from runbook import units

_LONGEST_NUMBER: Final = 60


class UnreadableValueError(ValueError):
    """A value is not of the form that a rule compares."""


def whole(value: Plain) -> int:
    """A whole number.

    Raises:
        UnreadableValueError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableValueError(value)
    return value


def counted(value: Plain) -> int:
    """A whole number that may stand as text, as in environment variables and quotas.

    Raises:
        UnreadableValueError: it is something else.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _LONGEST_NUMBER:
        return int(value)
    return whole(value)


def number_of_bytes(value: Plain) -> int:
    """A quantity of memory in bytes.

    Raises:
        ValueError: it is no quantity.
    """
    return _to_bytes(_quantity(value))


def millicores(value: Plain) -> int:
    """A quantity of CPU in thousandths of a core.

    Raises:
        ValueError: it is no quantity.
    """
    return _to_millicores(_quantity(value))


def positive(value: Plain) -> bool:
    """A quantity is above zero.

    Raises:
        ValueError: it is no quantity.
    """
    return _is_positive(_quantity(value))


def seconds(value: Plain) -> float:
    """A duration in seconds, as Prometheus (``5m``, ``1h30m``) and Go (``720h0m0s``) write it.

    Raises:
        UnreadableValueError: it is none.
    """
    if isinstance(value, str) and len(value) < _LONGEST_NUMBER:
        try:
            return units.seconds(value)
        except ValueError:
            raise UnreadableValueError(value) from None
    raise UnreadableValueError(value)


def gibibytes(number: int) -> str:
    """A number of bytes as people write it."""
    whole_gibibytes, rest = divmod(number, 2**30)
    return f"{number} bytes" if rest else f"{whole_gibibytes}Gi"


def _quantity(value: Plain) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UnreadableValueError(value)
    return str(value)


# The same few quantities stand in every workload of a stack.
_to_bytes = lru_cache(maxsize=4096)(units.to_bytes)
_to_millicores = lru_cache(maxsize=4096)(units.to_millicores)


@lru_cache(maxsize=4096)
def _is_positive(text: str) -> bool:
    return units.quantity(text) > 0
