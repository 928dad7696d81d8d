"""Severities of incidents and alerts: how fast somebody answers, and who (sections 2.1 and 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Severity:
    """A severity: label ``name``, ``response_seconds`` until somebody answers (None: at the next planning)."""

    name: str
    description: str
    response_seconds: int | None
    notified: str
    pages: bool


P1: Final = Severity("P1", "Production down", 15 * 60, "Everyone", pages=True)
P2: Final = Severity("P2", "Major feature broken", 30 * 60, "On-call team", pages=True)
P3: Final = Severity("P3", "Minor issue", 2 * 3600, "Support team", pages=False)
P4: Final = Severity("P4", "Enhancement request", None, "Backlog", pages=False)

ALL: Final = (P1, P2, P3, P4)
BY_NAME: Final = {severity.name: severity for severity in ALL}

# Whom people reach themselves (section 2.4), and how.
ON_CALL: Final = ("Primary on-call", "the schedule in PagerDuty")
EMERGENCY: Final = ("Emergency contact", "ops@example.com, +(1)555-0123")

# Who is told when nobody answers, in this order (section 2.4).
ESCALATION: Final = ("Engineering Manager", "Engineering Lead", "CTO")
