"""Long work is told: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from local.toolchain.progress import LineProgress, TerminalProgress, for_stream
from runbook.units import stopwatch


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (125, "2:05"), (3600, "60:00")])
def test_elapsed_time_is_minutes_and_seconds(seconds: float, text: str) -> None:
    assert stopwatch(seconds) == text


def test_a_log_gets_a_line_an_event_with_what_is_left() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream)
    progress.started("engine", 2)
    progress.waiting("provider")
    progress.finished("engine", 75)
    progress.close()
    lines = [line.split(" ", 2)[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "building engine, 2 more to build",
        "waiting for another run that builds provider",
        "built engine in 1:15",
    ]
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_one_live_line_and_what_was_built() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(Console(file=stream, force_terminal=True, width=100))
    progress.started("engine", 2)
    progress.finished("engine", 75)
    progress.close()
    assert "building engine, 2 more to build" in stream.getvalue()
    assert "toolchain built engine in 1:15" in stream.getvalue()


def test_a_terminal_gets_every_name_as_it_is() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(Console(file=stream, force_terminal=True, width=100))
    progress.started("[/red]", 2)
    progress.finished("[blue]x", 75)
    progress.close()
    assert "building [/red], 2 more to build" in stream.getvalue()
    assert "toolchain built [blue]x in 1:15" in stream.getvalue()


def test_a_stream_that_is_no_terminal_gets_plain_lines() -> None:
    assert isinstance(for_stream(io.StringIO()), LineProgress)
