"""Annotations of GitHub Actions: workflow commands that a step prints, one line a finding."""

from __future__ import annotations

from typing import Final

from policies.reporting.result import Entry, Result, Standing, printable
from policies.sources.source import Skipped

_COMMANDS: Final = {Standing.MANDATORY: "error", Standing.ADVISORY: "warning", Standing.WAIVED: "notice"}


def text(result: Result) -> str:
    """The annotations, worst first, as GitHub shows only the first ten of a kind; then a line of counts."""
    lines = [_annotation(entry, _COMMANDS[entry.standing]) for entry in result.entries if entry.standing in _COMMANDS]
    lines += [_skipped("error", each, "not read") for each in result.broken]
    lines += [_skipped("notice", each, "passed over") for each in result.passed_over]
    return "\n".join([*lines, result.summary]) + "\n"


def _skipped(command: str, skipped: Skipped, title: str) -> str:
    return f"::{command} file={_property(skipped.file)},title={title}::{_data(str(skipped))}"


def _annotation(entry: Entry, command: str) -> str:
    file, line = _property(entry.location.file), entry.location.line
    title = _property(f"{entry.finding.rule.name} ({entry.standing})")
    return f"::{command} file={file},line={line},title={title}::{_data(entry.finding.message)}"


def _data(value: str) -> str:
    return printable(value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
