"""Sizes of database connection pools."""

from __future__ import annotations

from runbook import thresholds


def recommended_pool_size(cpu_cores: int) -> int:
    """Connections that a process on ``cpu_cores`` cores should keep: cores * 2 + 4 (section 4.3; 4 cores give 12).

    Never more than ``DATABASE_POOL_SIZE`` of section 3.2.

    Raises:
        ValueError: fewer than one core.
    """
    if cpu_cores < 1:
        raise ValueError(f"cpu_cores is {cpu_cores}; a pool needs at least 1 core")
    return min(cpu_cores * 2 + 4, thresholds.POOL_SIZE.count)
