"""Reading waivers from their YAML file. Whatever is wrong with an entry makes it a violation, and never a waiver."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from policies.model import Finding, Meta
from policies.plain import MISSING, Node, Plain, show
from policies.waiving.waiver import Waiver, complaint
from runbook import duplicates
from runbook import waivers as lifetimes

_TEXTS: Final = ("rule", "resource", "owner", "reason", "ticket")
_EXPIRES: Final = "expires"
_KEYS: Final = (*_TEXTS, _EXPIRES)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# The setting of a stack's file that has its waivers, as Pulumi writes it: with the project's name.
_SETTING: Final = "crypto:policies"


class WaiversError(Exception):
    """The file cannot be read at all: one line."""


@dataclass(frozen=True, slots=True)
class Waivers:
    """The entries that count, what is wrong with the others, and the file."""

    entries: tuple[Waiver, ...] = ()
    complaints: tuple[Finding, ...] = ()
    file: str = ""


def read(path: Path, metas: Mapping[str, Meta], day: datetime.date) -> Waivers:
    """The waivers in a file: a list of entries, or nothing; in a stack's file the setting ``policies.waivers``.

    Raises:
        WaiversError: the file cannot be read, has a key twice or several documents, or is no list.
    """
    # Most runs have no waivers.
    from policies.sources import stream  # noqa: PLC0415 - see above
    from policies.sources.composing import UnreadableError  # noqa: PLC0415 - see above

    try:
        text = path.read_text(encoding="utf-8-sig")
        documents = [content for _, content in stream.documents(text.encode())]
    except OSError as error:
        raise WaiversError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WaiversError(f"{path}: no UTF-8 text") from None
    except UnreadableError as error:
        raise WaiversError(f"{path}: not YAML: {error}") from None
    if twice := duplicates.complaint(text):
        raise WaiversError(f"{path}: {twice}")
    if (count := max(len(documents), _count(text))) > 1:
        raise WaiversError(f"{path}: {count} documents; allowed: one, without a line of ---")
    content = documents[0] if documents else None
    if isinstance(content, dict) and "config" in content:
        content = Node(content).at("config", _SETTING, "waivers").value
    if content is None or content is MISSING:
        return Waivers(file=str(path))
    if not isinstance(content, list):
        raise WaiversError(f"{path}: {show(content)}; allowed: a list of entries with {', '.join(_KEYS)}")
    found = from_entries(content, path.name, metas, day)
    return replace(found, file=str(path))


def _count(text: str) -> int:
    """How many documents a text has, also those after a line of ``...``, which Kubernetes' reader passes over."""
    if "\n..." not in text:
        return 0
    import yaml  # noqa: PLC0415 - few files have such a line

    count = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            count += isinstance(event, yaml.DocumentStartEvent)
    except yaml.YAMLError:
        return count + 1
    return count


def from_entries(entries: list[Plain], name: str, metas: Mapping[str, Meta], day: datetime.date) -> Waivers:
    """The entries of a file called ``name``, checked against the rules that there are."""
    good: list[Waiver] = []
    complaints: list[Finding] = []
    for number, entry in enumerate(entries, start=1):
        place = f"{name}, entry {number}"
        wrong = _malformed(entry, place)
        if wrong is None:
            waiver = _waiver(cast("dict[str, str]", entry), place)
            wrong = _refused(waiver, metas, day)
            if wrong is None:
                good.append(waiver)
        if wrong is not None:
            complaints.append(wrong)
    return Waivers(tuple(good), tuple(complaints))


def _malformed(entry: Plain, place: str) -> Finding | None:
    if not isinstance(entry, dict):
        return complaint(place, "the entry", show(entry), f"a map of {', '.join(_KEYS)}")
    for key in _KEYS:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            return complaint(place, key, "missing" if value is None else show(value), "a text that is not empty")
    unknown = sorted(str(key) for key in entry if key not in _KEYS)
    if unknown:
        return complaint(place, unknown[0], "unknown", f"one of {', '.join(_KEYS)}")
    if _day(cast("str", entry[_EXPIRES])) is None:
        return complaint(place, _EXPIRES, show(entry[_EXPIRES]), "a day, like 2026-12-31")
    return None


def _waiver(entry: dict[str, str], place: str) -> Waiver:
    day = _day(entry[_EXPIRES])
    assert day is not None  # noqa: S101  for the type checker
    return Waiver(*(entry[key] for key in _TEXTS), expires=day, place=place)


def _day(text: str) -> datetime.date | None:
    # Python also reads 20261231 and weeks, which the stack's own settings refuse.
    if not _DAY.fullmatch(text):
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _refused(waiver: Waiver, metas: Mapping[str, Meta], day: datetime.date) -> Finding | None:
    meta = metas.get(waiver.rule)
    if meta is None:
        return complaint(waiver.title, "rule", show(waiver.rule), "a rule of docs/policies.md")
    if not meta.waivable:
        return complaint(waiver.title, "rule", show(waiver.rule), "a rule that can be waived: from this one nobody is")
    if waiver.expires < day:
        return complaint(waiver.title, _EXPIRES, str(waiver.expires), f"today ({day}) or later")
    latest = lifetimes.latest(day)
    if waiver.expires > latest:
        days = (latest - day).days
        return complaint(waiver.title, _EXPIRES, str(waiver.expires), f"at most {days} days ahead, {latest}")
    return None


def today() -> datetime.date:
    """The day by which waivers expire: everywhere the same, whatever time zone a machine is in."""
    return datetime.datetime.now(datetime.UTC).date()


def waivers(path: Path | None, metas: Mapping[str, Meta], day: datetime.date) -> Waivers:
    """The waivers in a file, or none where there is no file.

    Raises:
        WaiversError: as ``read``.
    """
    return read(path, metas, day) if path else Waivers()


def default_file(folder: Path) -> Path | None:
    """The waivers beside the pack, which need not be named; None where there are none."""
    path = folder / "waivers.yaml"
    return path if path.is_file() else None
