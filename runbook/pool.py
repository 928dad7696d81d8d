"""Sizes of database connection pools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runbook import thresholds
from runbook.thresholds import Threshold

# What a service reads of its pool, by the name of the environment variable (section 3.2).
SIZE: Final = "DATABASE_POOL_SIZE"
SHARED: Final[Mapping[str, Threshold]] = {
    "DATABASE_MAX_OVERFLOW": thresholds.POOL_OVERFLOW,
    "DATABASE_POOL_TIMEOUT": thresholds.POOL_TIMEOUT,
    "DATABASE_POOL_RECYCLE": thresholds.POOL_RECYCLE,
}


def recommended_pool_size(cpu_cores: int) -> int:
    """Connections that a process on ``cpu_cores`` cores should keep: cores * 2 + 4 (section 4.3; 4 cores give 12).

    Never more than ``SIZE`` of section 3.2.

    Raises:
        ValueError: fewer than one core.
    """
    if cpu_cores < 1:
        raise ValueError(f"cpu_cores is {cpu_cores}; a pool needs at least 1 core")
    return min(cpu_cores * 2 + 4, thresholds.POOL_SIZE.count)
