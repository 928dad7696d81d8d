"""``ops redis purge`` (section 3.3, defect 11)."""

from __future__ import annotations

import re
from typing import Final

from runbook.ops_settings import OpsSettings
from runbook.units import size
from scripts.clients import redis_server
from scripts.exits import UsageError
from scripts.output import Outcome, Screen
from scripts.progress import passing

# A glob's own signs; an escaped one stands for itself.
_WILD: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]?|[*?]", re.DOTALL)
_SAMPLE: Final = 5


def run(settings: OpsSettings, pattern: str, *, everything: bool, dry_run: bool) -> Outcome:
    """Remove the keys that match, batch by batch; what is written meanwhile may stay.

    Raises:
        UsageError: the pattern names nothing, or any key, and nobody said that this is meant.
    """
    check(pattern, everything=everything)
    matched = removed = 0
    sample: list[str] = []
    with redis_server.connect(settings.redis.operated) as client:
        before = int(redis_server.info(client, "memory")["used_memory"])
        for keys in passing(redis_server.keys(client, pattern), "finding" if dry_run else "purging", things="keys"):
            if len(sample) < _SAMPLE:
                sample += [key.decode(errors="replace") for key in keys[: _SAMPLE - len(sample)]]
            if not dry_run:
                removed += redis_server.unlink(client, keys)
            matched += len(keys)
        after = int(redis_server.info(client, "memory")["used_memory"])
    data: dict[str, object] = {
        "pattern": pattern,
        "dry_run": dry_run,
        "matched": matched,
        "removed": removed,
        "sample": sample,
        "used_memory_before": before,
        "used_memory_after": after,
    }
    return Outcome(data, lambda screen: _show(screen, data))


def check(pattern: str, *, everything: bool) -> None:
    """Raise unless the pattern may be purged."""
    if not pattern:
        raise UsageError("the pattern is empty; give one such as 'price:*:old'")
    if not everything and not literal(pattern):
        raise UsageError(
            f"the pattern {pattern} has nothing that a key must have and may empty the database; "
            "give one such as 'price:*:old', or --all if that is meant"
        )


def literal(pattern: str) -> str:
    """The characters that a matching key must have."""
    return _WILD.sub(lambda found: found[0][1:] if found[0].startswith("\\") else "", pattern)


def _show(screen: Screen, data: dict[str, object]) -> None:
    if data["dry_run"]:
        line = f"Would remove about {data['matched']:,} keys that match {data['pattern']}"
    else:
        memory = f"{size(int(str(data['used_memory_before'])))} -> {size(int(str(data['used_memory_after'])))}"
        line = f"Removed {data['removed']:,} keys that match {data['pattern']}; memory {memory}"
    screen.line(line)
    for key in data["sample"] if isinstance(data["sample"], list) else ():  # pyright: ignore[reportUnknownVariableType] - a list of texts
        screen.line(f"  such as {key}")
