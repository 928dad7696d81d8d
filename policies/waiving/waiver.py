"""A waiver, and the findings that tell of waivers which do not count."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from policies.configuring.configuration import WAIVERS_KEY
from policies.model import Finding, Judgement, Meta, Outcome, Severity
from runbook.sections import Section

# A rule in every report, though it judges waivers and no resource.
META: Final = Meta(
    WAIVERS_KEY,
    "Every waiver names the rule and the resource that need it, an owner, a reason, a ticket, and the day it ends.",
    Severity.HIGH,
    Section.ACCESS_REVIEW,
    "Mend what was waived and remove the entry, or have its owner renew it.",
    waivable=False,
)


@dataclass(frozen=True, slots=True)
class Waiver:
    """One entry of a file of waivers. ``resource`` is as a report calls it, or its URN; ``expires`` still counts."""

    rule: str
    resource: str
    owner: str
    reason: str
    ticket: str
    expires: datetime.date
    # Where it stands: "waivers.yaml, entry 2".
    place: str = ""

    @property
    def title(self) -> str:
        """What its own findings are about."""
        return f"{self.place} ({self.rule} of {self.resource})"


def complaint(title: str, path: str, found: str, allowed: str) -> Finding:
    """A waiver that does not count, as a violation like any other."""
    return Finding(META, title, "", Judgement(Outcome.VIOLATED, path, found, allowed))
