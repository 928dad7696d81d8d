"""The last result that was reported, and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from scripts import log
from scripts.health.model import Result, Status

NAME: Final = "latest.json"
# Two weeks of mornings.
TREND_REPORTS: Final = 14
_RANK: Final = (Status.OK, Status.WARN, Status.UNKNOWN, Status.FAIL)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Point(_Model):
    """How a check stood in one report."""

    status: Status
    value: str = ""


class Kept(_Model):
    """How a check stood, since when it has stood like that, and how it stood in the last reports, oldest first."""

    status: Status
    value: str = ""
    since: AwareDatetime
    points: tuple[Point, ...] = ()


class Last(_Model):
    """A reported result: its checks by name."""

    at: AwareDatetime
    checks: Mapping[str, Kept]


@dataclass(frozen=True, slots=True)
class Change:
    """A check that stands otherwise than last time; ``before`` is None for one that was not there."""

    name: str
    before: Status | None
    now: Status | None
    value: str = ""

    @property
    def direction(self) -> str:
        """Whether that is ``worse`` or ``better``; what is no longer looked at is worse."""
        if self.now is None:
            return "worse"
        return "worse" if _RANK.index(self.now) > _RANK.index(self.before or Status.OK) else "better"

    def __str__(self) -> str:
        before, now = self.before or "not checked", self.now or "no longer checked"
        return f"{self.direction:8}{self.name}: {before} -> {now} {self.value}".rstrip()


def parse(text: str | None, where: str) -> Last | None:
    """The result that ``text`` holds, None when there is none or when it cannot be read."""
    if text is None:
        return None
    try:
        return Last.model_validate_json(text)
    except ValidationError as error:
        log.warning("the last result cannot be read", where=where, reason=str(error))
        return None


def changes(last: Last | None, results: Sequence[Result]) -> list[Change]:
    """What stands otherwise than in ``last``, the worse first; a new check that is fine is no news."""
    if last is None:
        return []
    now = {result.finding.name: result.finding for result in results}
    found = [
        Change(name, before.status if before else None, finding.status, finding.value)
        for name, finding in now.items()
        if (before := last.checks.get(name)) is None or before.status is not finding.status
    ]
    found = [change for change in found if change.before is not None or change.now is not Status.OK]
    found += [Change(name, kept.status, None) for name, kept in last.checks.items() if name not in now]
    return sorted(found, key=lambda change: change.direction != "worse")


def updated(last: Last | None, results: Sequence[Result], now: datetime) -> Last:
    """What to keep of ``results``; a check that stands as before keeps the time since when."""
    before: Mapping[str, Kept] = last.checks if last else {}
    kept: dict[str, Kept] = {}
    for result in results:
        finding = result.finding
        old = before.get(finding.name)
        since = old.since if old is not None and old.status is finding.status else now
        points = (*(old.points if old else ()), Point(status=finding.status, value=finding.value))
        kept[finding.name] = Kept(
            status=finding.status, value=finding.value, since=since, points=points[-TREND_REPORTS:]
        )
    return Last(at=now, checks=kept)
