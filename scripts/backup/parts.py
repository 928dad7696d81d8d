"""The part size of a multipart upload, chosen so that S3's limit on parts is never met."""

from __future__ import annotations

from typing import Final

MIB: Final = 2**20
# Limits of S3.
MOST_PARTS: Final = 10_000
LEAST_PART_BYTES: Final = 5 * MIB
MOST_PART_BYTES: Final = 5 * 2**30

# Below this, requests cost more time than bytes do.
_SMALLEST: Final = 8 * MIB
# Text can be larger than the pages it came from, and the table grows while it is dumped.
_MARGIN: Final = 2


def part_size(expected_bytes: int) -> int:
    """Bytes of each part for a stream that is expected to have ``expected_bytes``; a multiple of 1 MiB.

    Twice as much as expected still fits into 10,000 parts.

    Raises:
        ValueError: more than S3 can hold in one object, or a negative size.
    """
    if expected_bytes < 0:
        raise ValueError(f"a size cannot be {expected_bytes} bytes")
    needed = -(-expected_bytes * _MARGIN // MOST_PARTS)
    size = max(_SMALLEST, -(-needed // MIB) * MIB)
    if size > MOST_PART_BYTES:
        raise ValueError(f"{expected_bytes} bytes do not fit into one S3 object")
    return size
