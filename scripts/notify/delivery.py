"""Sends a message to every sink that the settings name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from runbook.ops_settings import OpsSettings
from scripts import log, redact, visible
from scripts.clients import background
from scripts.exits import OpsError, TemporaryError
from scripts.notify import chat, mail
from scripts.output import one_line

# What a whole delivery may take, second try included: no command misses its own deadline for a mail server's sake.
SECONDS: Final = 30.0
_ATTEMPTS: Final = 2
_WAIT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Message:
    """What people read: ``subject`` is one line; without ``html`` a mail shows ``text`` in a fixed width."""

    subject: str
    text: str
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went with one sink (``mail`` or ``chat``); ``detail`` says why it failed, without secrets."""

    sink: str
    sent: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Sink:
    name: str
    # Gets the message and the seconds that each of its waits may take.
    deliver: Callable[[Message, float], None]


def send(settings: OpsSettings, message: Message, *, seconds: float = SECONDS) -> list[Delivery]:
    """Send to every sink of the settings; the results, one a sink, in a fixed order.

    Never raises for a sink's sake: what fails is logged as a warning and stands in its result. No sink, no results. A
    sink that has not answered within ``seconds`` has failed.
    """
    sinks = _sinks(settings)
    cleaned = shown(message)
    end = time.monotonic() + seconds
    found = background.within(seconds, [(sink.name, partial(_try, sink, cleaned, end)) for sink in sinks])
    late = f"no answer within {seconds:g} s"
    results = [
        result or Delivery(sink.name, sent=False, detail=late) for sink, result in zip(sinks, found, strict=True)
    ]
    for result in results:
        if not result.sent:
            log.warning("notification not sent", sink=result.sink, reason=result.detail)
    return results


def shown(message: Message) -> Message:
    """``message`` without secrets, its subject on one line, and no character in it that steers a reader's program."""
    return Message(
        visible.line(redact.clean(one_line(message.subject))),
        visible.document(redact.clean(message.text)),
        None if message.html is None else visible.document(redact.clean(message.html)),
    )


def plain(deliveries: Sequence[Delivery]) -> list[dict[str, object]]:
    """Results as data for machines."""
    found: list[dict[str, object]] = []
    for delivery in deliveries:
        told: dict[str, object] = {"sink": delivery.sink, "sent": delivery.sent, "detail": delivery.detail}
        found.append({key: value for key, value in told.items() if value != ""})
    return found


def _sinks(settings: OpsSettings) -> list[_Sink]:
    sinks: list[_Sink] = []
    if settings.mail is not None:
        sinks.append(_Sink("mail", partial(mail.deliver, settings.mail)))
    if settings.chat is not None:
        sinks.append(_Sink("chat", partial(chat.deliver, settings.chat)))
    return sinks


def _try(sink: _Sink, message: Message, end: float) -> Delivery:
    problem = ""
    for attempt in range(_ATTEMPTS):
        try:
            sink.deliver(message, max(0.1, end - time.monotonic()))
        except TemporaryError as error:
            problem = str(error)
            if attempt + 1 == _ATTEMPTS or time.monotonic() + _WAIT_SECONDS >= end:
                break
            time.sleep(_WAIT_SECONDS)
        except OpsError as error:
            problem = str(error)
            break
        except Exception as error:  # noqa: BLE001 - a result, and the other sinks go on
            problem = f"{type(error).__name__}: {error}"
            break
        else:
            return Delivery(sink.name, sent=True)
    return Delivery(sink.name, sent=False, detail=redact.clean(one_line(problem)))
