"""Sends the result of a command to the people, and keeps the outcome honest about it."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, cast

from runbook.ops_settings import OpsSettings
from scripts import notify
from scripts.exits import Exit
from scripts.notify import Message
from scripts.output import Outcome


def reports(wanted: bool | None) -> bool:
    """Whether a run tells others: as ``wanted``, else unless somebody reads its result on a terminal anyway."""
    return not sys.stdout.isatty() if wanted is None else wanted


def sent(settings: OpsSettings, message: Message, outcome: Outcome) -> Outcome:
    """``outcome`` with what became of ``message``; a good one of which nobody has heard is not done."""
    deliveries = notify.send(settings, message)
    if not deliveries:
        return outcome
    told = replace(outcome, data={**outcome.data, "notified": notify.plain(deliveries)})
    return replace(told, code=Exit.TEMPORARY) if told.code is Exit.DONE and unheard(told) else told


def unheard(outcome: Outcome) -> bool:
    """Whether people should have heard of ``outcome`` and none has."""
    notified = cast("list[dict[str, Any]]", outcome.data.get("notified") or [])
    return bool(notified) and not any(entry["sent"] for entry in notified)
