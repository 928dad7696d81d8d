"""A scalar of YAML as kubectl reads it: by go.yaml.in/yaml/v2, which sigs.k8s.io/yaml uses, and then as JSON.

YAML 1.1 with Go's numbers: ``0664`` and ``0o664`` are octal, ``yes`` is true, ``1:30`` and a date are texts.
https://github.com/yaml/go-yaml/blob/v2.4.4/resolve.go
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import struct
from decimal import Decimal
from typing import Final, TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"

_PREFIX: Final = "tag:yaml.org,2002:"
_STR, _BINARY, _TIMESTAMP = _PREFIX + "str", _PREFIX + "binary", _PREFIX + "timestamp"
_BOOL, _INT, _FLOAT, _NULL = _PREFIX + "bool", _PREFIX + "int", _PREFIX + "float", _PREFIX + "null"
_RESOLVED: Final = frozenset({_BOOL, _INT, _FLOAT, _NULL, _TIMESTAMP})
MERGE: Final = _PREFIX + "merge"

_TRUE: Final = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE: Final = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_BASES: Final = {"0b": 2, "0o": 8, "0x": 16}
_DIGITS: Final = {
    2: re.compile(r"[01]+"),
    8: re.compile(r"[0-7]+"),
    10: re.compile(r"[0-9]+"),
    16: re.compile(r"[0-9a-fA-F]+"),
}
_SIGNED_BINARY: Final = re.compile(r"0b([-+][01]+)")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT: Final = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?")
# Texts that cannot be a number: what has no digit, or more than any number that fits.
_LONGEST_NUMBER: Final = 400
_TIME: Final = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"((?P<letter>[Tt])?(?(letter)| )(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})([.,][0-9]+)?"
    r"(?(letter)(Z|[-+][0-9]{2}:[0-9]{2})))?"
)
_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
# Go writes exponents outside of these, and needs at most so many digits.
_PLAIN_EXPONENTS: Final = range(-4, 6)
_FLOAT32_DIGITS: Final = 9


class ScalarError(ValueError):
    """A scalar that its tag refuses."""


def plain(text: str) -> Scalar:
    """What an unquoted scalar without a tag is."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return _finite(text) if _POINT.fullmatch(text) else text
    if first in "0123456789+-" and len(text) <= _LONGEST_NUMBER:
        return _number(text)
    return text


def tagged(tag: str, text: str) -> Scalar:
    """What a scalar with a tag is: one that Kubernetes does not know leaves a text.

    Raises:
        ScalarError: the tag names another type than the text has.
    """
    if tag == _BINARY:
        return _binary(text)
    if tag not in _RESOLVED:
        return text
    value = plain(text)
    if tag == _TIMESTAMP:
        if isinstance(value, str) and _is_time(text):
            return text
    elif tag == _FLOAT and isinstance(value, int) and not isinstance(value, bool) and value <= _MOST:
        return float(value)
    elif tag == _tag_of(value):
        return value
    raise ScalarError(f"{text[:40]!r} has the tag !!{tag.removeprefix(_PREFIX)} and is none")


def key(value: Scalar) -> str | None:
    """A key of a map as JSON has it; None for one that JSON cannot have."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value <= _MOST else None
    return None if value is None else _float32(value)


def number(value: float) -> int | float:
    """A number as Kubernetes has it: 3.0 is 3, and what is no integer of 64 bits is a double."""
    if isinstance(value, int):
        return value if _LEAST <= value <= _MOST else int(float(value))
    return int(value) if value.is_integer() else value


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second = (
        int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")
    )
    try:
        datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        return False
    return True


def _tag_of(value: Scalar) -> str:
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int):
        return _INT
    return _FLOAT if isinstance(value, float) else _STR


def _number(text: str) -> Scalar:
    bare = text.replace("_", "")
    whole = _whole(bare)
    if whole is not None:
        return whole
    if _NUMBER.fullmatch(bare):
        found = _finite(bare)
        return text if isinstance(found, str) else found
    # An oddity of the original: the sign of a binary number may also follow its prefix.
    signed = _SIGNED_BINARY.fullmatch(bare)
    value = int(signed[1], 2) if signed else None
    return text if value is None or not _LEAST <= value <= _MOST else value


def _whole(text: str) -> int | None:
    """Go's ``ParseInt`` with base 0, else its ``ParseUint``."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    base = 10
    if digits[:1] == "0" and len(digits) > 1:
        base = _BASES.get(digits[:2].lower(), 0)
        digits, base = (digits[2:], base) if base else (digits[1:], 8)
    if not _DIGITS[base].fullmatch(digits):
        return None
    value = int(sign + digits, base)
    return value if _LEAST <= value <= (_MOST if sign else _MOST_UNSIGNED) else None


def _finite(text: str) -> float | str:
    value = float(text)
    return text if value in (float("inf"), float("-inf")) else value


def _binary(text: str) -> str:
    try:
        held = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise ScalarError("a value has the tag !!binary and is no base64") from None
    return held.decode("utf-8", "replace")


def _float32(value: float) -> str:
    """Go's ``FormatFloat(value, 'g', -1, 32)``, by which sigs.k8s.io/yaml writes keys."""
    try:
        (short,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        short = float("inf") if value > 0 else float("-inf")
    if short != short:  # noqa: PLR0124  only NaN differs from itself
        return ".nan"
    if short in (float("inf"), float("-inf")):
        return ".inf" if short > 0 else "-.inf"
    texts = (f"{short:.{digits}e}" for digits in range(_FLOAT32_DIGITS))
    written = next(text for text in texts if struct.unpack("f", struct.pack("f", float(text)))[0] == short)
    return f"{Decimal(written):f}" if int(written.partition("e")[2]) in _PLAIN_EXPONENTS else written
