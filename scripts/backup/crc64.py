"""CRC-64 as Redis uses it (Jones): of an RDB, and of every value that RESTORE takes."""

from __future__ import annotations

import struct
from functools import cache
from typing import Final

_REFLECTED: Final = 0x95AC9329AC4BC9B5


def crc64(data: bytes | memoryview, start: int = 0) -> int:
    """The checksum of ``data`` after what ``start`` is the checksum of. About 16 MB a second."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _tables()
    crc = start
    whole = len(data) // 8 * 8
    # Eight bytes a step; small tables, since large ones do not stay in the processor's cache.
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        mixed = word ^ crc
        crc = (
            t7[mixed & 255]
            ^ t6[mixed >> 8 & 255]
            ^ t5[mixed >> 16 & 255]
            ^ t4[mixed >> 24 & 255]
            ^ t3[mixed >> 32 & 255]
            ^ t2[mixed >> 40 & 255]
            ^ t1[mixed >> 48 & 255]
            ^ t0[mixed >> 56]
        )
    for byte in data[whole:]:
        crc = t0[(crc ^ byte) & 255] ^ crc >> 8
    return crc


@cache
def _tables() -> tuple[tuple[int, ...], ...]:
    """What a byte becomes when nothing, one, two ... seven bytes follow it."""
    tables = [tuple(_single(byte) for byte in range(256))]
    while len(tables) < 8:
        tables.append(tuple(tables[0][crc & 255] ^ crc >> 8 for crc in tables[-1]))
    return tuple(tables)


def _single(byte: int) -> int:
    crc = byte
    for _ in range(8):
        crc = crc >> 1 ^ (_REFLECTED if crc & 1 else 0)
    return crc
