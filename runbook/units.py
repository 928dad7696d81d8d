"""Sizes and durations: read, and written for Kubernetes, Prometheus and people."""

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
_QUANTITY: Final = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]))?", re.ASCII
)

_MILLISECONDS: Final = {
    "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000,
}  # fmt: skip
_DURATION: Final = re.compile(r"([0-9]{1,19})(ms|[smhdwy])")
_NANOSECONDS: Final = {
    "ns": 1,
    "us": 10**3,
    "\xb5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_GO: Final = re.compile(rf"([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:{'|'.join(_NANOSECONDS)}))+|0)")
_GO_PART: Final = re.compile(r"([0-9]*)\.?([0-9]*)([^0-9.]+)")
_GO_MOST: Final = 2**63 - 1


class QuantityError(ValueError):
    """A text is no Kubernetes quantity."""


class TooLongError(ValueError):
    """A duration is longer than what reads it can hold."""


def quantity(text: str | float) -> Decimal:
    """The quantity in its base unit (bytes, cores).

    Accepts what the Kubernetes API accepts: ``512Mi``, ``1.5Gi``, ``250m``, ``1e3``, ``2``.

    Raises:
        QuantityError: the text is none of these.
    """
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise QuantityError(f"{text!r} is no quantity; write it like 512Mi, 4Gi, 250m or 2")
    number, exponent, suffix = match.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]


def to_bytes(text: str | float) -> int:
    """A memory or storage quantity in whole bytes, rounded up as Kubernetes rounds."""
    return int(quantity(text).to_integral_value(rounding="ROUND_CEILING"))


def to_millicores(text: str | float) -> int:
    """A CPU quantity in thousandths of a core, rounded up as Kubernetes rounds."""
    return int((quantity(text) * 1000).to_integral_value(rounding="ROUND_CEILING"))


def binary_quantity(number: int) -> str:
    """Whole MiB as Kubernetes writes them: ``4Gi``, ``1536Mi``."""
    return f"{number // 2**20}Mi" if number % 2**30 else f"{number // 2**30}Gi"


def exact_size(number: int) -> str:
    """Bytes as people write them: in binary units where they divide evenly (4 GiB), else in decimal ones (1 GB)."""
    binary, decimal = ("B", "KiB", "MiB", "GiB", "TiB"), ("B", "kB", "MB", "GB", "TB")
    for base, units in ((1024, binary), (1000, decimal)):
        power = 0
        while power < len(units) - 1 and number >= base ** (power + 1) and number % base ** (power + 1) == 0:
            power += 1
        if power or base == 1000:
            return f"{number // base**power} {units[power]}"
    raise AssertionError("the decimal units end the loop")


def size(number: float) -> str:
    """Bytes in the unit that keeps the number short, e.g. ``12.3 MB``; units are powers of ten."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        # As it is written: 999.96 kB would be 1000.0 kB.
        if abs(round(number, 0 if unit == "B" else 1)) < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} PB"


def seconds(text: str) -> float:
    """The seconds of a duration of Prometheus, or of one of Go without a fraction: ``90s``, ``1h30m``, ``720h0m0s``.

    Raises:
        ValueError: it is none.
        TooLongError: it is longer than the 292 years that both can hold.
    """
    parts = _DURATION.findall(text)
    total = sum(int(number) * _MILLISECONDS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration: write it like 90s, 15m, 1h30m or 2d")
    if total > _GO_MOST // 10**6:
        raise TooLongError(f"{text!r} is longer than the 292 years that Prometheus knows")
    return total / 1000


def nanoseconds(text: str) -> int:
    """The nanoseconds of a duration, as Go's time.ParseDuration reads it: ``1h30m``, ``-1.5h``, ``0``.

    Raises:
        ValueError: Go refuses it.
    """
    match = _GO.fullmatch(text)
    total = 0
    for whole, fraction, unit in _GO_PART.findall(match[2]) if match else ():
        # Go leaves away what does not fit into 63 bits.
        kept = next(n for n in range(len(fraction), -1, -1) if int(fraction[:n] or 0) <= _GO_MOST + 1)
        part = int(fraction[:kept] or 0) * (_NANOSECONDS[unit] / 10**kept)
        total += int(whole or 0) * _NANOSECONDS[unit] + int(part)
    if match is None or total > _GO_MOST + (match[1] == "-"):
        raise ValueError(f"{text!r} is no duration: write it like 90s or 1h30m")
    return -total if match[1] == "-" else total


def prometheus_duration(seconds: int) -> str:
    """Seconds in the largest unit that divides them: ``5m``, ``90s``, ``1d``; ``0s`` for none.

    Raises:
        ValueError: less than zero.
    """
    if seconds < 0:
        raise ValueError(f"a duration of {seconds} s; it must be 0 or more")
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def exact_duration(seconds: float) -> str:
    """Seconds as people write a limit: 200 ms, 15 min, 2 h."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def duration(seconds: float) -> str:
    """Seconds in the two largest units, e.g. ``3.2 s``, ``4 min 10 s``, ``26 h 5 min``, ``3 d 4 h``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    seconds = max(seconds, 60)
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    hours = int(seconds // 3600)
    return f"{hours} h {int(seconds % 3600 // 60)} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def stopwatch(seconds: float) -> str:
    """Minutes and seconds, such as 2:05."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def time_of_day(minute: int) -> str:
    """A minute of the day as clocks show it, such as 08:05."""
    return f"{minute // 60:02}:{minute % 60:02}"
