"""Kubernetes quantities as numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]))?")


class QuantityError(ValueError):
    """A text is no Kubernetes quantity."""


def parse(text: str | float) -> Decimal:
    """The quantity in its base unit (bytes, cores).

    Accepts what the Kubernetes API accepts: ``512Mi``, ``1.5Gi``, ``250m``, ``1e3``, ``2``.

    Raises:
        QuantityError: the text is none of these.
    """
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None:
        raise QuantityError(f"{text!r} is no quantity; write it like 512Mi, 4Gi, 250m or 2")
    number, exponent, suffix = match.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]


def to_bytes(text: str | float) -> int:
    """A memory or storage quantity in whole bytes, rounded up as Kubernetes rounds."""
    return int(parse(text).to_integral_value(rounding="ROUND_CEILING"))


def to_millicores(text: str | float) -> int:
    """A CPU quantity in thousandths of a core, rounded up as Kubernetes rounds."""
    return int((parse(text) * 1000).to_integral_value(rounding="ROUND_CEILING"))


def human_bytes(number: int) -> str:
    """Bytes as people write them: in binary units where they divide evenly (4 GiB), else in decimal ones (1 GB)."""
    binary, decimal = ("B", "KiB", "MiB", "GiB", "TiB"), ("B", "kB", "MB", "GB", "TB")
    for base, units in ((1024, binary), (1000, decimal)):
        power = 0
        while power < len(units) - 1 and number >= base ** (power + 1) and number % base ** (power + 1) == 0:
            power += 1
        if power or base == 1000:
            return f"{number // base**power} {units[power]}"
    raise AssertionError("the decimal units end the loop")
