"""The health report as HTML, for mail: what has changed first, then a table with each check's trend.

Only what mail programs show everywhere: tables, inline styles, characters; no script, no image, nothing from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from scripts.health import trend
from scripts.health.history import Kept
from scripts.health.model import Result, Status

_COLOURS: Final = {Status.OK: "#1a7f37", Status.WARN: "#9a6700", Status.UNKNOWN: "#8250df", Status.FAIL: "#cf222e"}
_CELL: Final = "padding:3px 10px 3px 0;text-align:left;vertical-align:top"
_HEADINGS: Final = ("status", "check", "value", "must be", "trend", "")


def compose(title: str, news: Sequence[str], results: Sequence[Result], kept: dict[str, Kept]) -> str:
    """The page; ``kept`` has the points of each check by its name."""
    head = "".join(f'<th style="{_CELL}">{heading}</th>' for heading in _HEADINGS)
    rows = "".join(_row(result, kept.get(result.finding.name)) for result in results)
    told = "<br>".join(escape(line) for line in news)
    return (
        '<!doctype html><html><head><meta charset="utf-8"></head>'
        '<body style="font:14px/1.5 sans-serif;color:#1f2328">'
        f'<h2 style="font-size:18px">{escape(title)}</h2>'
        f'<p style="font-family:monospace">{told}</p>'
        f'<table style="border-collapse:collapse"><tr>{head}</tr>{rows}</table></body></html>'
    )


def _row(result: Result, kept: Kept | None) -> str:
    finding = result.finding
    colour = _COLOURS[finding.status]
    shown = _trend(kept) if kept else ""
    cells = [
        f'<b style="color:{colour}">{escape(str(finding.status))}</b>',
        escape(finding.name),
        escape(finding.value),
        escape(finding.threshold),
        f'<span style="font-family:monospace;white-space:nowrap">{shown}</span>',
        escape(finding.detail),
    ]
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _trend(kept: Kept) -> str:
    """Each character in the colour of its status."""
    characters = trend.text(kept.points)
    return "".join(
        f'<span style="color:{_COLOURS[point.status]}">{escape(character)}</span>'
        for point, character in zip(kept.points, characters, strict=False)
    )
