"""Incidents: tickets survive a round trip, and what is due is due at the runbook's times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook import severities, thresholds
from scripts.clients.directory import Directory
from scripts.clients.documents import change
from scripts.clients.s3 import ChangedError
from scripts.exits import CheckFailedError, UsageError
from scripts.incident import agenda, rca, reminding, ticket, views
from scripts.incident.desk import Desk
from scripts.incident.shelf import Found, Shelf
from scripts.incident.ticket import Entry, State, Ticket
from scripts.output import Screen
from tests.terminal import Terminal
from tests.unit.ops_settings import settings

_NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def _ticket(severity: str = "P1", title: str = "API down") -> Ticket:
    return ticket.opened(severity, title, "ann", "bob", _NOW)


def _acknowledged(found: Ticket) -> Ticket:
    return found.model_copy(update={"status": State.ACKNOWLEDGED})


def _closed(found: Ticket) -> Ticket:
    return found.having(Entry(at=_NOW, by="ann", text="done"), status=State.CLOSED, closed=_NOW)


def _due(found: Ticket, moment: datetime) -> list[str]:
    return [entry.what for entry in reminding.reminders([Found(found.id, found)], moment)]


@given(st.text(min_size=1).filter(lambda text: text.split()), st.text(), st.text(max_size=50))
@example("API down", "a\x85b", "")
def test_a_ticket_survives_being_written_and_read(title: str, said: str, body: str) -> None:
    entry = Entry(at=_NOW, by="ann", text=said)
    before = _ticket(title=title).having(entry)

    after, text = ticket.parse(ticket.render(before, body), "x")

    assert (after, text) == (before, body)


def _with_end(at: str) -> str:
    return ticket.render(_ticket(), "").replace("commander:", f"closed: {at}\ncommander:", 1)


def test_what_people_add_to_a_ticket_stays() -> None:
    text = ticket.render(_ticket(), "\nnotes\n---\nmore\n").replace("commander:", "channel: '#war'\ncommander:", 1)

    found, body = ticket.parse(text, "x")
    again = ticket.render(found.having(Entry(at=_NOW, by="a", text="b")), body)

    assert "channel: '#war'" in again
    assert again.endswith("\nnotes\n---\nmore\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must begin with front matter"),
        ("# a page", "must begin with front matter"),
        ("---\nid: 1", "must begin with front matter"),
        ("---\n: [\n---\n", "unreadable front matter"),
        ("---\nid: x\n---\n", "severity: must be given"),
        (ticket.render(_ticket(), "").replace("P1", "P9"), "must be one of P1, P2, P3, P4"),
        (_with_end("9999-12-31T23:59:59Z"), "closed: .*must be of the years 2000 to 9000"),
        (_with_end("'0001-01-01T00:00:00+14:00'"), "closed: .*must be of the years 2000 to 9000"),
        (_with_end("5"), "closed: .*must be of the years 2000 to 9000"),
    ],
)
def test_a_damaged_ticket_says_what_to_mend(text: str, words: str) -> None:
    with pytest.raises(CheckFailedError, match=words):
        ticket.parse(text, "incidents/x/ticket.md")


def test_the_timeline_is_only_ever_added_to() -> None:
    first = _ticket()
    second = first.having(Entry(at=_NOW, by="ann", text="x"), commander="eve")

    assert second.timeline[:-1] == first.timeline
    assert (first.commander, second.commander) == ("ann", "eve")


def test_ids_sort_by_time_and_tell_titles_apart() -> None:
    ids = [ticket.new_id("API down!", _NOW), ticket.new_id("API down?", _NOW), ticket.new_id("🔥", _NOW)]

    assert ids[0].startswith("20260302-0800-api-down-")
    assert len(set(ids)) == 3
    assert ticket.new_id("API down!", _NOW + 59 * _SECOND) == ids[0]
    assert ticket.new_id("a", _NOW + timedelta(days=400)) > max(ids)


@pytest.mark.parametrize(("severity", "title"), [("P5", "x"), ("P1", "  ")])
def test_a_ticket_without_severity_or_title_is_refused(severity: str, title: str) -> None:
    with pytest.raises(UsageError):
        ticket.opened(severity, title, "a", "b", _NOW)


def test_silence_is_due_at_the_runbooks_quarter_of_an_hour_and_not_before() -> None:
    limit = timedelta(seconds=thresholds.INCIDENT_UPDATE.value)
    found = _acknowledged(_ticket("P2"))

    assert _due(found, _NOW + limit - _SECOND) == []
    assert _due(found, _NOW + limit) == ["P2 API down: no update for 15 min 0 s, commander ann"]


@pytest.mark.parametrize("severity", severities.ALL, ids=lambda severity: severity.name)
def test_each_severity_must_be_acknowledged_within_its_response_time(severity: severities.Severity) -> None:
    seconds = severity.response_seconds or 10**6
    fresh = Entry(at=_NOW + timedelta(seconds=seconds), by="x", text="still nobody")
    found = _ticket(severity.name).having(fresh)

    before = _due(found, _NOW + timedelta(seconds=seconds - 1))
    at = _due(found, _NOW + timedelta(seconds=seconds))

    assert before == []
    assert [line for line in at if "not acknowledged" in line] == (at if severity.response_seconds else [])
    assert bool(at) == (severity.response_seconds is not None)
    assert _due(_acknowledged(found), _NOW + timedelta(seconds=seconds)) == []


def test_the_longer_nobody_says_anything_the_higher_it_goes() -> None:
    limit = timedelta(seconds=thresholds.INCIDENT_UPDATE.value)
    found = _acknowledged(_ticket("P1"))

    told = [_due(found, _NOW + step * limit)[0].rpartition(", ")[2] for step in range(1, 7)]

    assert told == [
        "commander ann",
        "tell the Engineering Manager",
        "tell the Engineering Lead",
        "tell the CTO",
        "tell the CTO",
        "tell the CTO",
    ]
    minor = _acknowledged(_ticket("P3"))
    assert _due(minor, _NOW + 6 * limit)[0].endswith("commander ann")


def test_an_rca_is_due_a_day_after_the_end_until_it_is_sent() -> None:
    found = _closed(_ticket())
    due = _NOW + timedelta(seconds=thresholds.INCIDENT_RCA.value)

    assert found.rca_due == due
    assert _due(found, due) == []
    assert _due(found, due + _SECOND) == ["P1 API down: RCA overdue by 1.0 s, commander ann"]
    assert _due(found.model_copy(update={"rca_sent": due}), due + _SECOND) == []
    assert _closed(_ticket("P4")).rca_due is None


def test_the_skeleton_of_an_rca_knows_what_the_ticket_knows_and_marks_the_rest() -> None:
    text = rca.skeleton(_closed(_ticket()))

    assert "- 2026-03-02 08:00:00 UTC bob: opened as P1" in text
    assert "| Due | 2026-03-03 08:00:00 UTC |" in text
    assert rca.unwritten(text) >= 6
    assert rca.unwritten("# RCA\n\nall of it") == 0


def test_the_agenda_has_the_week_what_is_open_and_what_lacks_its_rca() -> None:
    week = timedelta(days=7)
    sent = {"rca_sent": _NOW}
    fresh = _closed(_ticket("P3", "fresh")).model_copy(update=sent)
    old = _closed(_ticket("P2", "old")).model_copy(update=sent)
    still = _ticket("P2", "still open")
    lacking = _closed(_ticket("P1", "lacks its RCA"))
    moment = _NOW + week + _SECOND

    chosen = agenda.choose([old, fresh, still, lacking], _NOW + week)
    later = agenda.choose([old, fresh, still, lacking], moment)
    text = agenda.compose(later, [Found("bad", None, "no ticket")], moment, ZoneInfo("Europe/Berlin"))

    assert [each.title for each in chosen] == ["lacks its RCA", "old", "still open", "fresh"]
    assert [each.title for each in later] == ["lacks its RCA", "still open"]
    assert "Incidents: 1 P1, 1 P2." in text
    assert "opened 2026-03-02 09:00 CET" in text
    assert "- RCA: overdue" in text
    assert "## Unreadable: bad" in text


def test_an_agenda_of_a_quiet_week_says_so() -> None:
    assert "Incidents: none." in agenda.compose([], [], _NOW, ZoneInfo("UTC"))


def test_a_list_on_eighty_columns_shows_whole_ids_and_titles_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    titles = [
        f"{word}: one request in ten to the API gateway is answered with 502" for word in ("Zulu", "Alfa", "Mike")
    ]
    desk = Desk(settings(), Shelf(settings(), tmp_path), "ann", tell=False, dry_run=False)
    for second, title in enumerate(titles):
        desk.shelf.create(ticket.opened("P1", title, "annabel.lee", "ann", _NOW + second * _SECOND), "")
    (tmp_path / "20260302-0759-damaged-0000").mkdir()
    (tmp_path / "20260302-0759-damaged-0000" / "ticket.md").write_text("nothing")
    terminal = Terminal()
    outcome = views.list_all(desk, closed=False)
    outcome.show(Screen(terminal))
    lines = terminal.getvalue().splitlines()
    ids = [line.strip() for line in lines if line.startswith("   20260302-0800-")]

    assert max(map(len, lines)) <= 80
    assert [line.removeprefix("P1 ") for line in lines if line.startswith("P1 ")] == titles[::-1]
    assert [len(each) for each in ids] == [59] * 3
    assert [each["id"] for each in cast("list[dict[str, object]]", outcome.data["incidents"])][:3] == ids
    assert any(line.startswith("20260302-0759-damaged-0000: unreadable") for line in lines)
    assert sum("open, commander annabel.lee, opened" in line for line in lines) == 3


def test_a_directory_refuses_to_overwrite_what_was_not_read(tmp_path: Path) -> None:
    store = Directory(tmp_path / "new")
    store.write("a/b.md", "one", None)
    read = store.read("a/b.md")
    assert read is not None

    store.write("a/b.md", "two", read.version)
    with pytest.raises(ChangedError):
        store.write("a/b.md", "three", read.version)
    with pytest.raises(ChangedError):
        store.write("a/b.md", "three", None)

    assert [store.names(), (tmp_path / "new/a/b.md").read_text()] == [["a/b.md"], "two"]


def test_a_change_is_made_again_when_somebody_was_faster(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    store.write("x", "0", None)
    disturbed = False

    def edit(text: str | None) -> str:
        nonlocal disturbed
        if not disturbed:
            disturbed = True
            other = store.read("x")
            assert other is not None
            store.write("x", other.text + " other", other.version)
        return f"{text} mine"

    assert change(store, "x", edit) == "0 other mine"
    assert (tmp_path / "x").read_text() == "0 other mine"


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"the directory .*file"):
        Directory(tmp_path / "file")
