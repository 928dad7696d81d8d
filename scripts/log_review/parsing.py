"""Which lines of a log are errors, whoever wrote them: JSON, logfmt, klog, PostgreSQL, Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast


class Level(StrEnum):
    """How bad an event is; the worst first."""

    CRITICAL = "CRITICAL"
    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Event:
    """An error in a log: ``at`` as the kubelet wrote it (RFC 3339), empty where it did not."""

    level: Level
    text: str
    at: str


# A line without any of these is no error: most lines are sorted out here, before anything is decoded. Looking for plain
# words is several times faster than one expression with all of them.
_WORDS: Final = (
    b"error", b"exception", b"traceback", b"critical", b"fatal", b"panic", b"severe", b"emerg", b"alert", b'" 5',
)  # fmt: skip
_NUMBERED: Final = re.compile(rb"level\"?\s*[:=]\s*\"?[56]0\b")
_KLOG_LINE: Final = re.compile(rb"(?:\d{4}-\S+ )?[EF]\d{4} \d\d:")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ")
# PostgreSQL's STATEMENT and DETAIL repeat what a client sent: the ERROR before them is the event.
_WORD: Final = re.compile(
    r"\b(CRITICAL|FATAL|PANIC|EMERG(?:ENCY)?|ALERT|ERROR|SEVERE|WARN(?:ING)?|NOTICE|INFO|LOG|DEBUG\d?|TRACE|STATEMENT"
    r"|DETAIL|HINT|CONTEXT|QUERY)\b"
)
_KEY: Final = re.compile(r"\b(?:level|severity|lvl)=\"?(\w+)", re.IGNORECASE)
_PREFIX: Final = re.compile(r"\s*(fatal|panic|error|warning)(?: error)?:", re.IGNORECASE)
_KLOG: Final = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_FAILED_REQUEST: Final = re.compile(r"HTTP/\d(?:\.\d)?\" 5\d\d\b")
_MENTION: Final = re.compile(
    r"(?<!\bno )(?<!\b0 )(?<!\bwithout )\b(?i:error|exception|traceback|fatal|panic)s?\b|[a-z](?:Error|Exception)\b"
)
_TRACEBACK: Final = "Traceback (most recent call last)"
# Where a line may name its level; further right it is part of the message.
_HEAD: Final = 160

_NAMES: Final[Mapping[str, Level | None]] = {
    **dict.fromkeys(("critical", "fatal", "panic", "emerg", "emergency", "alert", "crit", "f", "60"), Level.CRITICAL),
    **dict.fromkeys(("error", "err", "severe", "e", "50"), Level.ERROR),
    **dict.fromkeys(("warning", "warn", "w", "40"), Level.WARNING),
}


def events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The errors among the lines of one log. A traceback is one event: its last line says what it is."""
    in_traceback = False
    for line in lines:
        if in_traceback:
            at, text = _timed(line)
            # Frames are indented; the first line that is not names the exception.
            if text[:1].isspace() or not text:
                continue
            in_traceback = False
            yield Event(Level.ERROR, text, at)
        elif _candidate(line):
            at, text = _timed(line)
            if text.startswith(_TRACEBACK):
                in_traceback = True
            elif (event := parse(text, at)) is not None:
                yield event


def parse(text: str, at: str = "") -> Event | None:
    """The event that a line is, or None. Indented lines belong to the one before."""
    if text[:1] == "{" and (fields := _json(text)) is not None:
        return _structured(fields, at)
    return None if text[:1].isspace() else _plain(text, at)


def _candidate(line: bytes) -> bool:
    small = line.lower()
    if any(word in small for word in _WORDS):
        return True
    return _NUMBERED.search(small) is not None or _KLOG_LINE.match(line) is not None


def _timed(line: bytes) -> tuple[str, str]:
    text = line.decode("utf-8", "replace").rstrip("\r")
    match = _TIME.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def _json(text: str) -> dict[str, Any] | None:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _structured(fields: Mapping[str, Any], at: str) -> Event | None:
    message = _first(fields, "message", "msg", "event")
    reason = _first(fields, "reason", "error", "err", "exception", "exc_info")
    # Of a traceback in a field the last line says what it is.
    last = reason.strip().rpartition("\n")[2]
    text = f"{message}: {last}" if message and last else message or last
    named = _first(fields, "level", "severity", "levelname", "lvl", "log.level").lower()
    if not named:
        return _plain(text, at)
    level = _NAMES.get(named)
    return None if level is None or not text else _judged(level, text, at)


def _plain(text: str, at: str) -> Event | None:
    if _FAILED_REQUEST.search(text):
        return Event(Level.ERROR, text, at)
    head = text[:_HEAD]
    match = _KLOG.match(head) or _KEY.search(head) or _WORD.search(head) or _PREFIX.match(head)
    if match is not None:
        level = _NAMES.get(match[1].lower())
        return None if level is None else _judged(level, text, at)
    return Event(Level.ERROR, text, at) if _MENTION.search(text) else None


def _judged(level: Level, text: str, at: str) -> Event | None:
    # Of warnings only those that speak of an error, as the runbook's search did.
    return None if level is Level.WARNING and not _MENTION.search(text) else Event(level, text, at)


def _first(fields: Mapping[str, Any], *names: str) -> str:
    return next((str(fields[name]) for name in names if fields.get(name) not in (None, "")), "")
