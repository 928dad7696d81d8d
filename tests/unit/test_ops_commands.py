"""What every command promises, asked of each that the command line has."""

from __future__ import annotations

import gc
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from scripts import cli, redact
from tests.unit.command_line import COMMANDS as _ALL

# They look, and leave everything as it is.
_READING = {
    "backups metrics",
    "backups list",
    "certificates",
    "db connections",
    "db slow",
    "health",
    "incident list",
    "incident review",
    "incident show",
    "kafka lag",
    "kafka topics",
    "maintenance status",
    "redis bigkeys",
    "slo",
    "updates",
    # Writes one new file, where it is told to.
    "diagnose",
}


def _options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("-")}


def _example(name: str) -> list[str]:
    """The arguments of the command's example, without ``ops``."""
    text = " ".join(f"{_ALL[name].help}\n{_ALL[name].epilog or ''}".split())
    assert text.count("Example: ops ") == 1, text
    example = text.partition("Example: ops ")[2]
    # What the shell does with the output is not the command's.
    return shlex.split(example.partition(" > ")[0])


def _numbers() -> list[Any]:
    """Every option and argument that takes a number."""
    return [
        pytest.param(command, parameter, id=f"{name} {parameter.name}")
        for name, command in _ALL.items()
        for parameter in command.params
        if parameter.bare_type() in ("int", "float")
    ]


@pytest.mark.parametrize(("command", "parameter"), _numbers())
def test_every_number_has_bounds_and_is_one(command: Any, parameter: Any) -> None:
    context = command.context_class(command)
    assert parameter.min is not None
    assert parameter.max is not None
    for text in ("nan", "inf", "-inf", "1e400", "-1e400", "9" * 400, "-" + "9" * 400):
        with pytest.raises(typer.BadParameter):
            parameter.process_value(context, text)


def test_numbers_of_the_command_line_are_known() -> None:
    assert {"db maintain lock_wait", "kafka partitions count", "redis bigkeys top"} <= {each.id for each in _numbers()}


@pytest.mark.parametrize("name", _ALL)
def test_its_example_stands_on_one_line_of_a_terminal_of_eighty_columns(name: str) -> None:
    context = _ALL[name].make_context(name, ["--help"], resilient_parsing=True, terminal_width=80, max_content_width=80)
    (line,) = [line for line in _ALL[name].get_help(context).splitlines() if "Example: ops " in line]

    assert shlex.split(line.partition("Example: ops ")[2].partition(" > ")[0]) == _example(name)
    assert len(line) <= 80


def test_all_commands_are_known() -> None:
    assert len(_ALL) > 35
    assert set(_ALL) >= _READING


@pytest.mark.parametrize("name", _ALL)
def test_its_example_is_one_that_it_takes(name: str) -> None:
    words = _example(name)
    parts = name.split()

    assert words[: len(parts)] == parts
    _ALL[name].make_context(name, words[len(parts) :])


@pytest.mark.parametrize("name", _ALL)
def test_it_has_json_a_deadline_and_a_settings_file(name: str) -> None:
    assert _options(_ALL[name]) >= {"--json", "--deadline", "--config"}


@pytest.mark.parametrize("name", [name for name in _ALL if name not in _READING])
def test_what_changes_something_can_be_tried_dry(name: str) -> None:
    assert "--dry-run" in _options(_ALL[name])


@pytest.mark.parametrize("name", _ALL)
def test_no_secret_is_given_on_a_command_line(name: str) -> None:
    assert [option for option in _options(_ALL[name]) if redact.names_secret(option)] == []


@pytest.mark.parametrize("name", _ALL)
def test_json_is_exactly_one_line_whatever_happens(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = _run(name, tmp_path / "missing.json", capfd, monkeypatch)

    assert (answer["command"], answer["exit"]) == (name, 2)
    assert "cannot read the settings file" in answer["error"]


@pytest.mark.parametrize("name", _ALL)
def test_its_deadline_ends_it_where_nothing_else_does(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever opens it waits for somebody to write.
    os.mkfifo(tmp_path / "silent.json")
    answer = _run(name, tmp_path / "silent.json", capfd, monkeypatch, "--deadline", "0.1")

    assert (answer["command"], answer["exit"]) == (name, 75)
    assert "the deadline of 0.1 s has passed" in answer["error"]


def _run(
    name: str, settings: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *more: str
) -> dict[str, Any]:
    given = [word for word in _example(name) if word != "--json"]
    if "--deadline" in given:
        at = given.index("--deadline")
        del given[at : at + 2]
    monkeypatch.delenv("OPS_FIRST_WEEK_ONLY", raising=False)
    monkeypatch.setattr(sys, "argv", ["ops", *given, "--json", "--config", str(settings), *more])
    threshold = gc.get_threshold()
    try:
        with pytest.raises(SystemExit):
            cli.main()
    finally:
        # The command is a process of its own; this one goes on.
        gc.set_threshold(*threshold)
        gc.unfreeze()
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ops mainten", {"maintenance"}),
        ("ops maintenance ", {"on", "off", "status"}),
        ("ops health --ti", {"--timeout"}),
        ("ops restart an", {"analytics"}),
        ("ops upgrade sent", {"sentiment"}),
    ],
)
def test_tab_completes_commands_options_and_services(typed: str, offered: set[str]) -> None:
    words = {**os.environ, "_OPS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    ops = Path(sys.executable).with_name("ops")

    answer = subprocess.run([ops], env=words, capture_output=True, text=True, timeout=30, check=False)

    assert set(answer.stdout.split()) == offered
