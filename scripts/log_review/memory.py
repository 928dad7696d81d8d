"""What earlier reviews have seen: the patterns that are not new any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from runbook import practices
from scripts import log
from scripts.log_review.grouping import Group

NAME: Final = "latest.json"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Seen(_Model):
    """A pattern and when a review saw it first and last."""

    service: str
    level: str
    pattern: str
    first: AwareDatetime
    last: AwareDatetime


class Memory(_Model):
    """All patterns that count as known, by the key of their group; ``at`` is the last review's time."""

    at: AwareDatetime | None = None
    patterns: Mapping[str, Seen] = {}


def parse(text: str | None, where: str) -> Memory:
    """The memory that ``text`` holds; one that cannot be read knows nothing, so that no error is taken for known."""
    if text is None:
        return Memory()
    try:
        return Memory.model_validate_json(text)
    except ValidationError as error:
        log.warning("the last review cannot be read; every pattern counts as new", where=where, reason=str(error))
        return Memory()


def updated(memory: Memory, groups: Sequence[Group], now: datetime) -> Memory:
    """The memory after a review at ``now``; what was not seen for ``practices.LOG_PATTERN_MEMORY`` is forgotten."""
    oldest = now - timedelta(days=practices.LOG_PATTERN_MEMORY.value)
    kept = {key: seen for key, seen in memory.patterns.items() if seen.last >= oldest}
    for group in groups:
        first = kept[group.key].first if group.key in kept else now
        kept[group.key] = Seen(service=group.service, level=group.level, pattern=group.pattern, first=first, last=now)
    return Memory(at=now if memory.at is None else max(now, memory.at), patterns=kept)
