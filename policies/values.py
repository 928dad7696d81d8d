"""Reading a plain value as a number."""

from __future__ import annotations

from policies.plain import Plain
from runbook import quantity


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


def number_of_bytes(value: Plain) -> int:
    """A quantity of memory in bytes.

    Raises:
        ValueError: it is no quantity.
    """
    return quantity.to_bytes(_quantity(value))


def positive(value: Plain) -> bool:
    """A quantity is above zero.

    Raises:
        ValueError: it is no quantity.
    """
    return quantity.parse(_quantity(value)) > 0


def gibibytes(number: int) -> str:
    """A number of bytes as people write it."""
    whole_gibibytes, rest = divmod(number, 2**30)
    return f"{number} bytes" if rest else f"{whole_gibibytes}Gi"


def _quantity(value: Plain) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UnreadableValueError(value)
    return value
