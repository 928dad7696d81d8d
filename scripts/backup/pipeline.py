"""The steps of a stream between its source and the bucket: hashed and compressed in constant memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import zstandard

from scripts.backup.manifest import Digest

CHUNK_BYTES: Final = 2**20
# Every level above takes longer than pg_dump itself, for a few per cent: 3 needs twice the time of 1.
_LEVEL: Final = 1
# Each thread holds buffers of several MiB; more than these do not make a dump faster, since pg_dump is one process.
_MOST_THREADS: Final = 4
# What a thread is given at once: the default of four windows takes memory and gains nothing.
_JOB_BYTES: Final = 2 * 2**20
_INPUT_BYTES: Final = 64 * 2**10


class Counter:
    """Counts the bytes that pass."""

    def __init__(self) -> None:
        self.bytes = 0

    def update(self, data: bytes | memoryview) -> None:
        self.bytes += len(data)


class Meter(Counter):
    """Counts and hashes the bytes that pass."""

    def __init__(self) -> None:
        super().__init__()
        self._hash = hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        super().update(data)
        self._hash.update(data)

    def digest(self) -> Digest:
        """What has passed so far."""
        return Digest(bytes=self.bytes, sha256=self._hash.hexdigest())


def metered(chunks: Iterable[bytes], meter: Counter) -> Iterator[bytes]:
    """``chunks`` while ``meter`` sees them."""
    for chunk in chunks:
        meter.update(chunk)
        yield chunk


def threads() -> int:
    """Compression threads: the processors that this process may use, within reason."""
    return min(_MOST_THREADS, len(os.sched_getaffinity(0)))


def compress(chunks: Iterable[bytes], meter: Counter) -> Iterator[bytes]:
    """``chunks`` as one zstd frame with a checksum; ``meter`` sees what goes in."""
    parameters = zstandard.ZstdCompressionParameters.from_level(  # pyright: ignore[reportUnknownMemberType]
        _LEVEL, threads=threads(), job_size=_JOB_BYTES, write_checksum=True
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    for chunk in metered(chunks, meter):
        if block := compressor.compress(chunk):
            yield block
    yield compressor.flush()


def decompress(chunks: Iterable[bytes], damaged: Callable[[str], Exception]) -> Iterator[bytes]:
    """The content of the zstd frame in ``chunks``.

    Raises:
        damaged(reason): the frame is broken or ends early.
    """
    frame = zstandard.ZstdDecompressor().decompressobj()
    for chunk in chunks:
        # A highly compressible chunk must not become one huge block.
        for start in range(0, len(chunk), _INPUT_BYTES):
            try:
                block = frame.decompress(chunk[start : start + _INPUT_BYTES])
            except zstandard.ZstdError as error:
                raise damaged(str(error)) from None
            if block:
                yield block
    if not frame.eof:
        raise damaged("it ends in the middle")
