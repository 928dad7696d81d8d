"""Reads an RDB as a stream: which keys are in it, and each value as RESTORE takes it.

Values are not decoded: only where one ends is found out, for every type up to Redis 7.4. A type of a newer release, or
of a module that predates module format 2, is an error and never skipped in silence.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from scripts.backup.crc64 import crc64

_MAGIC: Final = b"REDIS"
# Records that are no keys; values have lower numbers than the least of them.
_EOF: Final = 0xFF
_SELECT: Final = 0xFE
_EXPIRE_SECONDS: Final = 0xFD
_EXPIRE_MILLISECONDS: Final = 0xFC
_FUNCTION: Final = 0xF5
_SLOT: Final = 0xF4
_FOOTER_BYTES: Final = 8

_MODULE: Final = 7
# How many strings an element of the type has.
_COLLECTIONS: Final = {1: 1, 2: 1, 4: 2, 14: 1}
# One string holds the whole value.
_PACKED: Final = frozenset({0, 9, 10, 11, 12, 13, 16, 17, 20})
_STREAMS: Final = {15: 1, 19: 2, 21: 3}


class DamagedError(Exception):
    """It is no RDB, ends early, or holds what this release of ops does not know."""


class Key(NamedTuple):
    """A key: ``expires`` in milliseconds since 1970, ``value`` as DUMP would give it; both only when asked for."""

    database: int
    name: bytes
    expires: int | None
    value: bytes


class Function(NamedTuple):
    """A library of functions, by its code."""

    code: bytes


@dataclass(slots=True)
class Tally:
    """What was in it: keys, and those of them that expire, by database. ``checksum``: its own was there and right."""

    version: int = 0
    server_version: str = ""
    functions: int = 0
    keys: dict[int, int] = field(default_factory=dict[int, int])
    expiring: dict[int, int] = field(default_factory=dict[int, int])
    checksum: bool = False


def walk(
    pull: Callable[[], bytes], tally: Tally, *, values: bool = False, check: bool = False
) -> Iterator[Key | Function]:
    """Every key and function of the RDB that ``pull`` hands out piece by piece (nothing at its end).

    ``tally`` is complete at the end. With ``values`` the keys carry their names and values, with ``check`` the RDB's
    own checksum is compared.

    Raises:
        DamagedError: it is not whole.
    """
    cursor = _Cursor(pull, check=check)
    if cursor.take(5) != _MAGIC or not (digits := cursor.take(4)).isdigit():
        raise DamagedError("it is no RDB")
    tally.version = int(digits)
    database, expires = 0, None
    while (code := cursor.byte()) != _EOF:
        if code == _SELECT:
            database = cursor.length()
        elif code == _FUNCTION:
            tally.functions += 1
            yield Function(cursor.string())
        elif code in (_EXPIRE_MILLISECONDS, _EXPIRE_SECONDS):
            milliseconds = code == _EXPIRE_MILLISECONDS
            expires = int.from_bytes(cursor.take(8 if milliseconds else 4), "little") * (1 if milliseconds else 1000)
        elif code >= _SLOT:
            _skip_opcode(cursor, code, tally)
        else:
            tally.keys[database] = tally.keys.get(database, 0) + 1
            tally.expiring[database] = tally.expiring.get(database, 0) + (expires is not None)
            yield _key(cursor, code, database, expires, tally.version) if values else _seen(cursor, code, database)
            expires = None
    _finish(cursor, tally)


def _seen(cursor: _Cursor, code: int, database: int) -> Key:
    cursor.skip_string()
    _skip_value(cursor, code)
    return Key(database, b"", None, b"")


def _key(cursor: _Cursor, code: int, database: int, expires: int | None, version: int) -> Key:
    name = cursor.string()
    cursor.keep()
    _skip_value(cursor, code)
    body = bytes((code,)) + cursor.kept() + struct.pack("<H", version)
    return Key(database, name, expires, body + struct.pack("<Q", crc64(body)))


def _finish(cursor: _Cursor, tally: Tally) -> None:
    found = cursor.sum()
    footer = int.from_bytes(cursor.take(_FOOTER_BYTES), "little")
    if cursor.check and footer and footer != found:
        raise DamagedError("its checksum (CRC-64) is wrong")
    tally.checksum = cursor.check and footer != 0
    if cursor.more():
        raise DamagedError("something follows its end")


def _skip_opcode(cursor: _Cursor, code: int, tally: Tally) -> None:
    match code:
        case 0xFA:  # a fact about the server
            name, value = cursor.string(), cursor.string()
            if name == b"redis-ver":
                tally.server_version = value.decode(errors="replace")
        case 0xFB:  # how many keys follow: a hint
            cursor.lengths(2)
        case 0xF9:  # how often it is used
            cursor.skip(1)
        case 0xF8:  # how long it has been idle
            cursor.length()
        case 0xF7:  # what a module keeps beside the keys
            cursor.lengths(3)
            cursor.length()
            _skip_module(cursor)
        case 0xF4:  # a cluster's slot
            cursor.lengths(3)
        case _:
            raise DamagedError(f"it holds the record 0x{code:02X}, which this release of ops does not know")


def _skip_value(cursor: _Cursor, code: int) -> None:
    if code in _PACKED:
        cursor.skip_string()
    elif code in _COLLECTIONS:
        for _ in range(cursor.length() * _COLLECTIONS[code]):
            cursor.skip_string()
    elif code in _STREAMS:
        _skip_stream(cursor, _STREAMS[code])
    elif code == _MODULE:
        cursor.length()
        _skip_module(cursor)
    else:
        _skip_pairs(cursor, code)


def _skip_pairs(cursor: _Cursor, code: int) -> None:
    match code:
        case 3:  # sorted set with its scores as text
            for _ in range(cursor.length()):
                cursor.skip_string()
                size = cursor.byte()
                # 253 to 255 are not-a-number and the infinities.
                cursor.skip(size if size < 253 else 0)
        case 5:  # sorted set
            for _ in range(cursor.length()):
                cursor.skip_string()
                cursor.skip(8)
        case 18:  # list of packed nodes
            for _ in range(cursor.length()):
                cursor.length()
                cursor.skip_string()
        case 24:  # hash whose fields expire
            cursor.skip(8)
            for _ in range(cursor.length()):
                cursor.length()
                cursor.skip_string()
                cursor.skip_string()
        case 25:  # the same, packed
            cursor.skip(8)
            cursor.skip_string()
        case _:
            raise DamagedError(f"it holds a value of type {code}, which this release of ops does not know")


def _skip_module(cursor: _Cursor) -> None:
    while code := cursor.length():
        match code:
            case 1 | 2:
                cursor.length()
            case 3:
                cursor.skip(4)
            case 4:
                cursor.skip(8)
            case 5:
                cursor.skip_string()
            case _:
                raise DamagedError(f"a module's value has the part {code}, which is unknown")


def _skip_stream(cursor: _Cursor, version: int) -> None:
    for _ in range(cursor.length()):
        cursor.skip_string()
        cursor.skip_string()
    cursor.lengths(3 if version == 1 else 8)
    for _ in range(cursor.length()):
        cursor.skip_string()
        cursor.lengths(2 if version == 1 else 3)
        for _ in range(cursor.length()):
            cursor.skip(24)
            cursor.length()
        for _ in range(cursor.length()):
            cursor.skip_string()
            cursor.skip(8 if version < 3 else 16)
            cursor.skip(16 * cursor.length())


class _Cursor:
    """Reads forward in what ``pull`` hands out; can keep what passes."""

    def __init__(self, pull: Callable[[], bytes], *, check: bool) -> None:
        self._pull = pull
        self._buffer = b""
        self._at = 0
        self._summed = 0
        self._sum = 0
        self._kept: list[bytes] | None = None
        self._start = 0
        self.check = check

    def byte(self) -> int:
        if self._at >= len(self._buffer):
            self._refill()
        self._at += 1
        return self._buffer[self._at - 1]

    def take(self, count: int) -> bytes:
        while self._at + count > len(self._buffer):
            self._refill()
        self._at += count
        return self._buffer[self._at - count : self._at]

    def skip(self, count: int) -> None:
        while (there := len(self._buffer) - self._at) < count:
            self._at += there
            count -= there
            self._refill()
        self._at += count

    def more(self) -> bool:
        return self._at < len(self._buffer) or bool(self._pull())

    def keep(self) -> None:
        self._kept, self._start = [], self._at

    def kept(self) -> bytes:
        pieces = [*(self._kept or ()), self._buffer[self._start : self._at]]
        self._kept = None
        return b"".join(pieces)

    def sum(self) -> int:
        """The checksum of everything that was read."""
        if self.check:
            self._sum = crc64(self._buffer[self._summed : self._at], self._sum)
            self._summed = self._at
        return self._sum

    def length(self) -> int:
        count, special = self._length()
        if special:
            raise DamagedError("a length is none")
        return count

    def lengths(self, count: int) -> None:
        for _ in range(count):
            self.length()

    def _length(self) -> tuple[int, bool]:
        first = self.byte()
        match first >> 6:
            case 0:
                return first, False
            case 1:
                return (first & 0x3F) << 8 | self.byte(), False
            case 3:
                return first & 0x3F, True
            case _:
                return int.from_bytes(self.take({0x80: 4, 0x81: 8}.get(first) or self._no_length()), "big"), False

    def _no_length(self) -> int:
        raise DamagedError("a length is none")

    def skip_string(self) -> None:
        count, special = self._length()
        if not special:
            self.skip(count)
        elif count < 3:
            self.skip(1 << count)
        elif count == 3:
            packed = self.length()
            self.length()
            self.skip(packed)
        else:
            raise DamagedError("a string has an unknown form")

    def string(self) -> bytes:
        count, special = self._length()
        if not special:
            return self.take(count)
        if count < 3:
            return str(int.from_bytes(self.take(1 << count), "little", signed=True)).encode()
        if count == 3:
            packed, plain = self.length(), self.length()
            return _unpacked(self.take(packed), plain)
        raise DamagedError("a string has an unknown form")

    def _refill(self) -> None:
        chunk = self._pull()
        if not chunk:
            raise DamagedError("it ends in the middle")
        self.sum()
        if self._kept is not None:
            self._kept.append(self._buffer[self._start : self._at])
            self._start = 0
        self._buffer = self._buffer[self._at :] + chunk
        self._at = self._summed = 0


def _unpacked(data: bytes, size: int) -> bytes:
    """What LZF packed into ``data``."""
    out = bytearray()
    at = 0
    try:
        while at < len(data):
            control = data[at]
            at += 1
            if control < 32:
                out += data[at : at + control + 1]
                at += control + 1
                continue
            count = control >> 5
            if count == 7:
                count += data[at]
                at += 1
            start = len(out) - ((control & 31) << 8) - data[at] - 1
            at += 1
            if start < 0:
                raise DamagedError("a packed string is broken")
            # It may repeat what it is just writing.
            for offset in range(start, start + count + 2):
                out.append(out[offset])
    except IndexError:
        raise DamagedError("a packed string is broken") from None
    if len(out) != size:
        raise DamagedError("a packed string is broken")
    return bytes(out)
