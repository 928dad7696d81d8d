"""How far ahead a waiver may end, for the policies and for ``ops access review``."""

from __future__ import annotations

import datetime

from runbook import practices


def latest(day: datetime.date) -> datetime.date:
    """The furthest last day that a waiver may have on ``day``."""
    return day + datetime.timedelta(days=practices.WAIVER_LIFETIME.count)
