"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended. ``UNKNOWN`` is never good: nobody could look."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: ``value`` and ``threshold`` in the unit that their text names, empty where there is none."""

    name: str
    status: Status
    value: str = ""
    threshold: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    ``look`` gets the seconds it may take; what it raises becomes a failed finding of ``name``. A look that ends after
    them has the status ``late``.
    """

    name: str
    look: Callable[[float], Sequence[Finding]]
    late: Status = Status.FAIL


@dataclass(frozen=True, slots=True)
class Result:
    """A finding and the seconds that its check took."""

    finding: Finding
    took: float


def worst(results: Sequence[Result]) -> Status:
    """The verdict on all of them; nothing looked at is unknown."""
    order = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.OK)
    found = {result.finding.status for result in results}
    return next((status for status in order if status in found), Status.UNKNOWN)


def ratio(part: float, whole: float, limit: float) -> tuple[Status, str, str]:
    """Status, value and threshold of a share that must stay below ``limit``."""
    share = part / whole
    return (Status.OK if share < limit else Status.FAIL), f"{share:.0%}", f"< {limit:.0%}"
