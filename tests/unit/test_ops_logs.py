"""The log review's parts: which lines are errors, what their patterns are, and that memory is bounded."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import practices
from scripts import durations
from scripts.clients import pod_logs
from scripts.exits import UsageError
from scripts.log_review import memory
from scripts.log_review.grouping import Group, Groups
from scripts.log_review.masking import LONGEST, pattern
from scripts.log_review.parsing import Event, Level, events, parse


def _json(**fields: object) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        (_json(level="ERROR", message="GET /x 500", status=500), Level.ERROR, "GET /x 500"),
        (
            _json(level="error", msg="request failed", reason="ValueError: x"),
            Level.ERROR,
            "request failed: ValueError: x",
        ),
        (_json(level=60, msg="gone"), Level.CRITICAL, "gone"),
        (
            _json(levelname="CRITICAL", message="m", exc_info="Traceback\n  File\nKeyError: 'a'"),
            Level.CRITICAL,
            "m: KeyError: 'a'",
        ),
        (_json(level="WARNING", message="an error, and it heals"), Level.WARNING, "an error, and it heals"),
        ("2026-11-23 17:00:00.000 UTC [12] ERROR:  relation does not exist", Level.ERROR, None),
        ("2026-11-23 17:00:00.000 UTC [12] FATAL:  too many connections", Level.CRITICAL, None),
        ("[2026-11-23 17:00:00,000] ERROR [Broker id=1] failed (kafka.server)", Level.ERROR, None),
        ("E1123 17:00:00.000000       1 main.go:5] cannot reach it", Level.ERROR, None),
        ('time="x" level=error msg="cannot"', Level.ERROR, None),
        ("panic: runtime error: index out of range", Level.CRITICAL, None),
        ('10.0.0.1 - "GET / HTTP/1.1" 502 Bad Gateway', Level.ERROR, None),
        ("something raised an exception here", Level.ERROR, None),
        ("KeyError: 'price'", Level.ERROR, None),
    ],
)
def test_errors_are_found_in_every_format(line: str, level: Level, text: str | None) -> None:
    found = list(events([f"2026-11-23T17:00:00.5Z {line}".encode()]))

    assert found == [Event(level, text or line, "2026-11-23T17:00:00.5Z")]


@pytest.mark.parametrize(
    "line",
    [
        _json(level="INFO", message="0 errors"),
        _json(level="INFO", message="error handler installed"),
        _json(level="WARNING", message="slow"),
        "2026-11-23 17:00:00 UTC [12] LOG:  an error was avoided",
        "2026-11-23 17:00:00 UTC [12] STATEMENT:  SELECT * FROM error_log WHERE password = 'error'",
        "INFO: handled an error",
        "there were no errors",
        '10.0.0.1 - "GET /error HTTP/1.1" 200 OK level=info',
        "    raise ValueError('error')",
        "error_ratio=0.001",
        "all is well",
        "",
    ],
)
def test_lines_that_only_speak_of_errors_are_none(line: str) -> None:
    assert list(events([line.encode()])) == []


def test_a_traceback_is_one_event_named_by_its_last_line() -> None:
    lines = [
        b"Traceback (most recent call last):",
        b'  File "/app/x.py", line 3, in error',
        b"    raise error",
        b"app.errors.NotReached: nobody there",
        b"INFO: on we go",
    ]

    assert list(events(lines)) == [Event(Level.ERROR, "app.errors.NotReached: nobody there", "")]


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_no_bytes_upset_the_reader(lines: list[bytes]) -> None:
    for event in events(lines):
        assert len(pattern(event.text)) <= LONGEST


@pytest.mark.parametrize(
    ("one", "other", "shape"),
    [
        ("user 17 not found", "user 4 not found", "user <n> not found"),
        (
            "id 0b1c5f0e-93f5-4a53-8f44-2d6d6b3f1c11 gone",
            "id 9c6cf1f0-21a4-4bb2-9d75-8f4a3d1f5e00 gone",
            "id <id> gone",
        ),
        ("at 0xdeadbeef", "at 0x00ff", "at <hex>"),
        ('column "price" is null', 'column "coin" is null', "column <value> is null"),
        ("key 'a b' missing", "key 'c' missing", "key <value> missing"),
        ("10.0.0.1:5432 refused", "10.244.3.17:6379 refused", "<address> refused"),
        ("pod api-5d4f7c9b8-x2x7k", "pod api-7f9d8c6b5-q9z4m", "pod api-<id>-<id>"),
        ("mail to ann@example.com", "mail to bob.b@sub.example.org", "mail to <email>"),
        ("2026-11-23 17:00:00.1 UTC [1] x", "2027-01-01T00:00:00Z [99] x", "<time> [<n>] x"),
        ("took 3.5s", "took 12s", "took <n>s"),
    ],
)
def test_what_differs_between_occurrences_is_masked(one: str, other: str, shape: str) -> None:
    assert pattern(one) == pattern(other) == shape


def test_different_errors_keep_different_patterns() -> None:
    texts = ["can't connect to redis", "can't connect to kafka", "p95 is high", "don't know 'x'"]

    assert len({pattern(text) for text in texts}) == len(texts)
    assert pattern("can't say and won't say") == "can't say and won't say"


def test_lines_come_whole_from_any_chunks_and_long_ones_are_cut() -> None:
    text = b"first\n\n" + b"x" * 100 + b"\nlast"
    for step in (1, 3, 7, 1000):
        chunks = [text[at : at + step] for at in range(0, len(text), step)]
        assert list(pod_logs.split(chunks, 20)) == [b"first", b"", b"x" * 20, b"last"]


def test_memory_does_not_grow_with_the_log() -> None:
    def chunks(count: int) -> Iterator[bytes]:
        for _ in range(count):
            # A line that never ends, in front of lines whose patterns all differ.
            yield b"y" * 20_000
        for number in range(count):
            yield ("\nERROR " + "".join(chr(97 + int(digit)) for digit in f"{number:06}") + " failed\n").encode()

    def peak(count: int) -> int:
        groups = Groups(most=50)
        tracemalloc.start()
        try:
            for event in events(pod_logs.split(chunks(count))):
                groups.add("s", f"pod-{count}", event)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert len(groups.ordered(())) == 50
            assert groups.left_over > 0

    small = peak(100)
    assert peak(600) < small * 1.5 + 200_000


def test_secrets_never_reach_a_pattern_or_an_example() -> None:
    groups = Groups()
    groups.add("s", "p", Event(Level.ERROR, "login with password=hunter2 failed", ""))
    groups.add("s", "p", Event(Level.ERROR, "postgresql://u:hunter3@db/x refused", ""))

    found = groups.ordered(())
    assert len(found) == 2
    assert not [group for group in found if "hunter" in group.pattern + group.example]


def test_new_ones_come_first_then_the_worse_then_the_more_frequent() -> None:
    groups = Groups()
    for level, text, times in (
        (Level.ERROR, "often", 3),
        (Level.ERROR, "rare", 1),
        (Level.CRITICAL, "bad", 1),
        (Level.CRITICAL, "known", 9),
    ):
        for _ in range(times):
            groups.add("s", "p", Event(level, text, ""))
    known = next(group.key for group in groups.ordered(()) if group.pattern == "known")

    assert [group.pattern for group in groups.ordered([known])] == ["bad", "often", "rare", "known"]


def test_a_pattern_that_was_long_not_seen_is_new_again() -> None:
    group = Group("k", "s", Level.ERROR, "p", "e")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    day = timedelta(days=1)
    limit = practices.LOG_PATTERN_MEMORY.value

    seen = memory.updated(memory.Memory(), [group], now)
    kept = memory.updated(seen, [], now + limit * day)
    forgotten = memory.updated(seen, [], now + limit * day + timedelta(seconds=1))
    again = memory.parse(memory.updated(kept, [group], now + 2 * day).model_dump_json(), "x")

    assert list(kept.patterns) == ["k"]
    assert not forgotten.patterns
    assert (again.patterns["k"].first, again.patterns["k"].last) == (now, now + 2 * day)


@pytest.mark.parametrize("text", ["{", "[]", '{"patterns": 5}'])
def test_a_damaged_memory_knows_nothing(text: str) -> None:
    assert not memory.parse(text, "x").patterns


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172800), ("1w", 604800)]
)
def test_durations_are_read(text: str, found: int) -> None:
    assert durations.seconds(text) == found


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1h 30m", "1h!"])
def test_what_is_no_duration_is_said_so(text: str) -> None:
    with pytest.raises(UsageError, match="write it like"):
        durations.seconds(text)


def test_containers_that_never_started_are_not_asked_and_restarted_ones_are_asked_twice() -> None:
    status: dict[str, Any] = {
        "containerStatuses": [
            {"name": "good", "state": {"running": {}}},
            {"name": "starting", "state": {"waiting": {"reason": "ContainerCreating"}}},
            {
                "name": "looping",
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1}},
            },
        ]
    }
    pod: dict[str, Any] = {"metadata": {"name": "p", "labels": {"app": "api"}}, "status": status}

    found = [(each.name, each.previous, each.service) for each in pod_logs.containers([pod])]

    assert found == [("good", False, "api"), ("looping", True, "api")]


def test_a_level_stands_at_the_front_of_a_line() -> None:
    assert parse("x" * 400 + " ERROR") is not None  # a mention
    assert parse("INFO " + "x" * 400 + " ERROR") is None
