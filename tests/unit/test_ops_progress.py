"""Long work says how far it has come, and never into a result or another line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from scripts import log, progress
from scripts.progress import Progress, Waiting, passing


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    yield
    log.transient("")


def _records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def _screen(text: str) -> list[str]:
    """What a person sees in the end: a carriage return goes back, and what follows it clears the line."""
    return [line.rpartition("\r\x1b[K")[2] for line in text.split("\n")]


def test_a_log_hears_every_ten_seconds_how_far_it_is(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("restoring", 4000) as line:
        for _ in range(25):
            clock.now += 1
            line.advance(100)
    found = [{key: record[key] for key in ("message", "bytes", "of", "seconds")} for record in _records(capsys)]
    assert found == [
        {"message": "restoring", "bytes": 1000, "of": 4000, "seconds": 10.0},
        {"message": "restoring", "bytes": 2000, "of": 4000, "seconds": 20.0},
    ]


def test_work_that_is_soon_over_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for part in passing([b"x" * 10] * 9, "dumping"):
        clock.now += 1
        assert part
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_one_line_that_renews_itself_and_is_gone_in_the_end(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("restoring", 4_000_000) as line:
        for _ in range(2):
            clock.now += 5
            line.advance(1_000_000)
        during = capsys.readouterr().err
    after = capsys.readouterr().err
    assert _screen(during) == ["restoring: 2.0 MB of 4.0 MB (50%), 200."]
    assert _screen(during + after) == [""]


@pytest.mark.usefixtures("terminal")
def test_a_log_line_stands_alone_on_a_terminal(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("dumping") as line:
        clock.now += 1
        line.advance(10)
        log.warning("a part was sent again")
        clock.now += 1
        line.advance(10)
    screen = _screen(capsys.readouterr().err)
    assert [row[9:] for row in screen] == ["warning: a part was sent again", ""]


@pytest.mark.usefixtures("terminal")
def test_a_line_that_is_ended_by_an_error_is_gone(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def ended() -> None:
        with Progress("dumping") as line:
            clock.now += 1
            line.advance(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ended()
    assert _screen(capsys.readouterr().err) == [""]


@pytest.mark.parametrize(
    ("seconds", "done", "total", "things", "text"),
    [
        (0.5, 100, None, "bytes", "100 B"),
        (2, 3_000_000, None, "bytes", "3.0 MB, 1.5 MB/s"),
        (10, 1_000_000_000, 4_000_000_000, "bytes", "1.0 GB of 4.0 GB (25%), 100.0 MB/s, 30.0 s left"),
        (10, 5000, 4000, "bytes", "5.0 kB of 4.0 kB (100%), 500 B/s"),
        (10, 4000, 4000, "bytes", "4.0 kB of 4.0 kB (100%), 400 B/s"),
        (10, 0, 4000, "bytes", "0 B of 4.0 kB (0%)"),
        (2, 0, 0, "bytes", "0 B"),
        (2, 25_000, None, "keys", "25,000 keys, 12,500 keys/s"),
    ],
)
def test_what_a_person_reads(
    clock: Clock, seconds: float, done: int, total: int | None, things: str, text: str
) -> None:
    line = Progress("x", total, things)
    clock.now += seconds
    line.done = done
    assert line.text() == text


def test_a_log_hears_of_what_is_waited_for_when_it_changes(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting("rolling out") as line:
        for text in ("1 of 3 pods are new", "1 of 3 pods are new", "2 of 3 pods are new"):
            for _ in range(12):
                clock.now += 1
                line.tell(text)
    assert [record["state"] for record in _records(capsys)] == ["1 of 3 pods are new", "2 of 3 pods are new"]


@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_what_is_waited_for(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting("rolling out") as line:
        clock.now += 65
        line.tell("2 old pods are not gone")
        assert _screen(capsys.readouterr().err) == ["rolling out for 1 min 5 s: 2 old pods a"]
