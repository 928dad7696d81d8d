"""Gives memory back to the system after a large object has passed through moto, which handles objects whole."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from pathlib import Path

_TRIM_ABOVE_BYTES = 200 * 1024 * 1024

_libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")


def trim_when_large() -> None:
    """Return freed heap pages to the kernel when the process holds more than 200 MiB; glibc keeps them otherwise."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None and resident_pages * os.sysconf("SC_PAGE_SIZE") > _TRIM_ABOVE_BYTES:
        trim(0)
