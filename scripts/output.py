"""The result of a command: text for people, one JSON line for machines, and a container's termination message.

``Screen`` is the only way of a result to people, and the only user of rich: it takes texts, and styles beside them. No
text is read as markup, whoever wrote it, and none is shown with a secret in it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO, cast

import typer

from scripts import lazy, redact, visible
from scripts.exits import Exit, UsageError

# What the kubelet keeps of a termination message.
TERMINATION_BYTES: Final = 4096
TERMINATION_VARIABLE: Final = "OPS_TERMINATION_LOG"
_TERMINATION_PATH: Final = "/dev/termination-log"
# What is wider is folded, even in a column that is to stay whole: it would push the others off the screen.
_WHOLE_CELLS: Final = 32

# A text, or a text and its style, such as ``("fail", "red")``.
Part = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; ``whole`` keeps its short texts from being folded where the terminal is narrow."""

    heading: str
    right: bool = False
    whole: bool = False


class Screen:
    """Where people read a result: every text as it is, its control characters visible, in ``width`` cells."""

    def __init__(self, stream: TextIO, *, width: int | None = None) -> None:
        self._console = lazy.rich.console.Console(
            file=stream, width=width, soft_wrap=not stream.isatty(), markup=False, emoji=False, highlight=False
        )

    def line(self, *parts: Part) -> None:
        """One line, whatever stands in its parts; a terminal gets it wrapped between words."""
        self._console.print(lazy.rich.text.Text.assemble(*map(_shown, parts)))

    def document(self, text: str) -> None:
        """A text with lines of its own, as it is stored."""
        self._console.print(lazy.rich.text.Text(visible.document(redact.clean(text))), end="", soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Part]]) -> None:
        """A table of which nothing is cut off: what is too wide is folded, between words where there is room for it."""
        shown = [[_shown(part) for part in row] for row in rows]
        headings = [(column.heading, "bold") for column in columns]
        widths = [max(_width(text) for text, _ in cells) for cells in zip(headings, *shown, strict=True)]
        if sum(widths) + len(widths) - 1 <= self._console.width:
            self._lines([_justified(row, columns, widths) for row in (headings, *shown)])
        else:
            self._folded(columns, shown)

    def _lines(self, lines: Sequence[Sequence[tuple[str, str]]]) -> None:
        text = lazy.rich.text.Text.assemble
        self._console.print(lazy.rich.text.Text("\n").join(text(*parts) for parts in lines), soft_wrap=True)

    def _folded(self, columns: Sequence[Column], shown: Sequence[Sequence[tuple[str, str]]]) -> None:
        # It renders each cell by itself: two seconds for a thousand rows.
        cells = [[lazy.rich.text.Text.assemble(part) for part in row] for row in shown]
        grid = lazy.rich.table.Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
        wholes = [
            column.whole and all(row[number].cell_len <= _WHOLE_CELLS for row in cells)
            for number, column in enumerate(columns)
        ]
        texts = [[column.heading, *(row[number].plain for row in cells)] for number, column in enumerate(columns)]
        widths = _widths(texts, wholes, self._console.width - len(columns) - 1)
        for column, whole, width in zip(columns, wholes, widths, strict=True):
            justify = "right" if column.right else "left"
            grid.add_column(column.heading, justify=justify, no_wrap=whole, overflow="fold", width=width)
        for row in cells:
            grid.add_row(*row)
        self._console.print(grid)


def _widths(texts: Sequence[Sequence[str]], wholes: Sequence[bool], room: int) -> list[int | None]:
    """How wide each column of texts is to be, so that no word of any is broken; None where rich is to choose.

    Left to itself, rich takes from the widest columns first, and breaks numbers in them.
    """
    most = [max(map(_width, column)) for column in texts]
    least = [
        full if whole else max((_width(word) for text in column for word in text.split()), default=0)
        for full, whole, column in zip(most, wholes, texts, strict=True)
    ]
    spare = room - sum(least)
    if sum(most) <= room or spare < 0:
        return [None] * len(texts)
    widths = list(least)
    # Who needs the fewest cells first: then the longest texts alone are folded.
    for number in sorted(range(len(texts)), key=lambda number: most[number] - least[number]):
        given = min(spare, most[number] - least[number])
        widths[number] += given
        spare -= given
    return [*widths]


def _justified(
    row: Sequence[tuple[str, str]], columns: Sequence[Column], widths: Sequence[int]
) -> list[tuple[str, str]]:
    """A row of a table that fits: each text in its style, filled up to the width of its column, a space between."""
    parts: list[tuple[str, str]] = []
    for (text, style), column, width in zip(row, columns, widths, strict=True):
        gap = " " * (width - _width(text))
        filled = f"{gap}{text}" if column.right else f"{text}{gap}"
        parts += [(" ", ""), (filled, style)] if parts else [(filled, style)]
    return parts


def _width(text: str) -> int:
    return lazy.rich.text.Text(text).cell_len


def _shown(part: Part) -> tuple[str, str]:
    text, style = (part, "") if isinstance(part, str) else part
    return visible.line(redact.clean(text)), style


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command found or did: plain ``data`` for machines, ``show`` prints it for people."""

    data: Mapping[str, object]
    show: Callable[[Screen], None]
    code: Exit = Exit.DONE


def say(*lines: str) -> Callable[[Screen], None]:
    """How an outcome is shown whose text for people is ``lines``."""

    def show(screen: Screen) -> None:
        for line in lines:
            screen.line(line)

    return show


def report(command: str, outcome: Outcome, *, as_json: bool) -> None:
    """Write the outcome to stdout and, in a container, to the termination message."""
    payload = {"command": command, "exit": int(outcome.code), **outcome.data}
    _terminate(payload)
    if as_json:
        print(_line(payload), flush=True)
        return
    outcome.show(Screen(sys.stdout))


def report_error(command: str, code: Exit, message: str, *, as_json: bool) -> None:
    """Write why the command ended: one line on stderr, and the JSON line where one was asked for."""
    text = one_line(redact.clean(message))
    payload = {"command": command, "exit": int(code), "error": text}
    _terminate(payload)
    if as_json:
        print(_line(payload), flush=True)
    print(visible.line(f"ops {command}: {text}".replace("ops :", "ops:")), file=sys.stderr, flush=True)


def confirm(act: str, question: str) -> None:
    """Have the person at the terminal confirm ``act``; ``typer.Abort`` where they do not.

    Raises:
        UsageError: nobody is there to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"this {act}; confirm it with --yes")
    typer.confirm(visible.line(redact.clean(question)), abort=True, err=True)


def one_line(message: str) -> str:
    """``message`` with every run of white space as one space."""
    return " ".join(message.split())


def shortened(payload: Mapping[str, object], limit: int = TERMINATION_BYTES) -> str:
    """``payload`` as JSON of at most ``limit`` bytes.

    The largest values are left out first and named in ``left_out``.
    """
    # Before anything is cut: a rule may not know half of a secret.
    kept = cast("dict[str, object]", redact.plain(payload))
    left_out: list[str] = []
    while len((line := visible.json_line(kept)).encode()) > limit:
        largest = max(
            (key for key in kept if key not in ("command", "exit", "left_out")),
            key=lambda key: len(visible.json_line(kept[key])),
        )
        value = kept.pop(largest)
        if isinstance(value, str):
            kept[largest] = value[: limit // 8]
            if len(value) <= limit // 8:
                del kept[largest]
        left_out.append(largest)
        kept["left_out"] = sorted(set(left_out))
    return line


def _line(value: object) -> str:
    return visible.json_line(redact.plain(value))


def _terminate(payload: Mapping[str, object]) -> None:
    path = Path(os.environ.get(TERMINATION_VARIABLE, _TERMINATION_PATH))
    try:
        if path.exists():
            path.write_text(shortened(payload), encoding="utf-8")
    except OSError:
        # The message is a convenience: the exit code and stdout already say it all.
        return
