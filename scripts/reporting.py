"""Sends the result of a command to the people, and keeps the outcome honest about it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from runbook.ops_settings import OpsSettings
from scripts import log, notify
from scripts.clients.documents import Store, change
from scripts.exits import Exit, OpsError
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


def kept(store: Store, name: str, edit: Callable[[str | None], str | None], outcome: Outcome) -> Outcome:
    """``outcome`` after the document was changed; one that cannot be kept is to be tried again."""
    try:
        change(store, name, edit)
    except OpsError as error:
        log.warning("the result could not be kept", reason=str(error))
        code = Exit.TEMPORARY if outcome.code is Exit.DONE else outcome.code
        return replace(outcome, data={**outcome.data, "not_kept": str(error)}, code=code)
    return outcome


def unheard(outcome: Outcome) -> bool:
    """Whether people should have heard of ``outcome`` and none has."""
    notified = cast("list[dict[str, Any]]", outcome.data.get("notified") or [])
    return bool(notified) and not any(entry["sent"] for entry in notified)
