"""What a service counts: prometheus_client keeps it and shows it."""

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

# 0.2 is an edge because the p95 objective is judged there.
LATENCY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)

# The moment at which each series began is twice as many series, and nothing asks for it.
disable_created_metrics()


def registry() -> CollectorRegistry:
    """The metrics of one process, its own memory and processor time among them."""
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    return made


def resident_bytes() -> float:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
