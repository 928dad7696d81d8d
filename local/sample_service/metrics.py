"""Counters, gauges and histograms in the text format that Prometheus reads."""

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

# 0.2 is an edge because the p95 objective is judged there.
LATENCY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Labels = tuple[str, ...]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _sample(name: str, names: Sequence[str], values: Sequence[str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escape(given)}"' for label, given in zip(names, values, strict=True))
    number = str(int(value)) if value == int(value) else repr(value)
    return f"{name}{{{pairs}}} {number}" if pairs else f"{name} {number}"


class _Family:
    kind = ""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self._guard = threading.Lock()

    def header(self) -> list[str]:
        return [f"# HELP {self.name} {self.text}", f"# TYPE {self.name} {self.kind}"]

    def samples(self) -> list[str]:
        raise NotImplementedError


class Counter(_Family):
    """A number that only grows; an unlabelled one is exported from the start with 0."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, text, labels)
        self._values: dict[_Labels, float] = {} if labels else {(): 0.0}

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Add `by` to the series with these label values."""
        with self._guard:
            self._values[labels] = self._values.get(labels, 0.0) + by

    def value(self, *labels: str) -> float:
        """The present value; 0 for a series that was never touched."""
        with self._guard:
            return self._values.get(labels, 0.0)

    def samples(self) -> list[str]:
        """Lines of the exposition."""
        with self._guard:
            return [_sample(self.name, self.labels, labels, value) for labels, value in sorted(self._values.items())]


class Gauge(_Family):
    """A number that goes up and down, set or read from a function at each scrape."""

    kind = "gauge"

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = (), read: Callable[[], float] | None = None
    ) -> None:
        super().__init__(name, text, labels)
        self._values: dict[_Labels, float] = {}
        self._read = read

    def set(self, value: float, *labels: str) -> None:
        """Set the series with these label values."""
        with self._guard:
            self._values[labels] = value

    def samples(self) -> list[str]:
        """Lines of the exposition."""
        if self._read is not None:
            return [_sample(self.name, (), (), self._read())]
        with self._guard:
            return [_sample(self.name, self.labels, labels, value) for labels, value in sorted(self._values.items())]


class Histogram(_Family):
    """Observations in seconds, counted under cumulative upper edges."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float] = LATENCY_BUCKETS) -> None:
        super().__init__(name, text, labels)
        self._edges = (*buckets, math.inf)
        self._series: dict[_Labels, tuple[list[int], list[float]]] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one observation."""
        with self._guard:
            counts, total = self._series.setdefault(labels, ([0] * len(self._edges), [0.0]))
            total[0] += seconds
            for index, edge in enumerate(self._edges):
                if seconds <= edge:
                    counts[index] += 1

    def samples(self) -> list[str]:
        """Lines of the exposition."""
        lines: list[str] = []
        with self._guard:
            for labels, (counts, total) in sorted(self._series.items()):
                for edge, count in zip(self._edges, counts, strict=True):
                    shown = "+Inf" if edge == math.inf else f"{edge:g}"
                    lines.append(_sample(f"{self.name}_bucket", (*self.labels, "le"), (*labels, shown), count))
                lines.append(_sample(f"{self.name}_sum", self.labels, labels, total[0]))
                lines.append(_sample(f"{self.name}_count", self.labels, labels, counts[-1]))
        return lines


class Registry:
    """All families of one process."""

    def __init__(self) -> None:
        self._families: list[_Family] = []
        started = time.time()
        self.gauge("process_start_time_seconds", "Start of the process as Unix time.", read=lambda: started)
        self.gauge("process_resident_memory_bytes", "Resident memory.", read=resident_bytes)
        self.gauge("process_cpu_seconds_total", "User and system CPU time.", read=time.process_time)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Register a counter."""
        family = Counter(name, text, labels)
        self._families.append(family)
        return family

    def gauge(
        self, name: str, text: str, labels: Sequence[str] = (), *, read: Callable[[], float] | None = None
    ) -> Gauge:
        """Register a gauge; `read` is called at each scrape."""
        family = Gauge(name, text, labels, read)
        self._families.append(family)
        return family

    def histogram(self, name: str, text: str, labels: Sequence[str]) -> Histogram:
        """Register a histogram with the edges of `LATENCY_BUCKETS`."""
        family = Histogram(name, text, labels)
        self._families.append(family)
        return family

    def render(self) -> str:
        """The whole exposition."""
        lines = [line for family in self._families for line in (*family.header(), *family.samples())]
        return "\n".join(lines) + "\n"


def resident_bytes() -> float:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
