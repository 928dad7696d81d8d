"""``ops redis bigkeys`` (section 3.3)."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from runbook.ops_settings import OpsSettings
from runbook.units import size
from scripts.clients import redis_server
from scripts.output import Outcome, Screen
from scripts.progress import passing


@dataclass(slots=True)
class Kind:
    """The keys of one type: how many, their bytes, and the largest ones as (bytes, key)."""

    count: int = 0
    size: int = 0
    largest: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])

    def add(self, key: bytes, measured: int, top: int) -> None:
        """Count a key; only the ``top`` largest are kept."""
        self.count += 1
        self.size += measured
        (heapq.heappush if len(self.largest) < top else heapq.heappushpop)(self.largest, (measured, key))


def run(settings: OpsSettings, *, pattern: str, top: int, samples: int) -> Outcome:
    """The largest keys of each type; a large one is measured on ``samples`` of its elements."""
    with redis_server.connect(settings.redis.operated) as client:
        found = passing(redis_server.keys(client, pattern), "measuring", things="keys")
        kinds = collect(((keys, redis_server.measure(client, keys, samples)) for keys in found), top)
    data: dict[str, object] = {
        "pattern": pattern,
        "keys": sum(kind.count for kind in kinds.values()),
        "bytes": sum(kind.size for kind in kinds.values()),
        "types": {
            name: {
                "keys": kind.count,
                "bytes": kind.size,
                "largest": [
                    {"key": key.decode(errors="replace"), "bytes": measured}
                    for measured, key in sorted(kind.largest, reverse=True)
                ],
            }
            for name, kind in kinds.items()
        },
    }
    return Outcome(data, lambda screen: _show(screen, kinds))


def collect(batches: Iterable[tuple[list[bytes], list[tuple[str, int]]]], top: int) -> dict[str, Kind]:
    """The types with what they take, the largest first; keys that vanished while being measured do not count."""
    kinds: defaultdict[str, Kind] = defaultdict(Kind)
    for keys, measured in batches:
        for key, (name, taken) in zip(keys, measured, strict=True):
            if taken:
                kinds[name].add(key, taken, top)
    return dict(sorted(kinds.items(), key=lambda item: -item[1].size))


def _show(screen: Screen, kinds: dict[str, Kind]) -> None:
    if not kinds:
        screen.line("There are no such keys.")
    for name, kind in kinds.items():
        screen.line(f"{name}: {kind.count:,} keys, {size(kind.size)}")
        for measured, key in sorted(kind.largest, reverse=True):
            screen.line(f"  {size(measured):>10}  {key.decode(errors='replace')}")
