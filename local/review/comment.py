"""The comment in GitHub's Markdown: a text of the previewed program is never markup, link, picture or mention in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from local.review.judging import Reviewed
from policies.reporting.result import Entry, Standing

# GitHub takes 65,536 characters for a comment: what does not fit is in the checks.
MOST_CHARACTERS: Final = 65_536
_MOST_OF_ROWS: Final = 30_000
_MOST_ROWS: Final = 40
_MOST_OF_A_TEXT: Final = 200
_ICONS: Final = {Standing.MANDATORY: "❌", Standing.ADVISORY: "⚠️", Standing.WAIVED: "🕒"}


def comment(reviews: Sequence[Reviewed]) -> str:
    """What is found in every stack."""
    lines = ["## Preview and policies", ""]
    for each in reviews:
        lines += [*_section(each, _MOST_OF_ROWS // len(reviews)), ""]
    return "\n".join(lines).rstrip() + "\n"


def quoted(text: str) -> str:
    """A text from outside as code that is one cell of a table, whatever it holds.

    GitHub finds mentions, references to issues and addresses in a comment's rendered text, except in code. Each sign
    that could end the code or the cell is written as a number, which Markdown reads as the sign and as nothing else.
    """
    whole = " ".join(text.split())
    shown = whole if len(whole) <= _MOST_OF_A_TEXT else f"{whole[:_MOST_OF_A_TEXT]} …"
    return f"<code>{''.join(map(_sign, shown))}</code>"


def _sign(sign: str) -> str:
    if sign.isalnum() or sign in " …":
        return sign
    if not sign.isprintable():
        # Such as what turns the direction of writing, or half a pair of UTF-16.
        return f"&#92;u{ord(sign):04x}"
    # With nothing visible behind it: an address of mail becomes a link even in code.
    return f"&#{ord(sign)};" + ("\u200b" if sign == "@" else "")


def _section(review: Reviewed, room: int) -> Iterator[str]:
    result = review.result
    if result is None:
        yield f"### ❌ {review.stack}: no verdict"
        yield ""
        yield quoted(review.broken)
        return
    yield f"### {'✅' if result.clean else '❌'} {review.stack}"
    yield ""
    steps = ", ".join(f"{count} {operation}" for operation, count in sorted(review.operations.items()))
    yield f"Offline, against an empty state: {steps or 'nothing to do'}. {result.summary}."
    entries = [entry for entry in result.entries if entry.standing in _ICONS]
    if entries:
        yield from _table(entries, room)


def _table(entries: list[Entry], room: int) -> Iterator[str]:
    rows: list[str] = []
    for entry in entries[:_MOST_ROWS]:
        room -= len(row := _row(entry))
        if room < 0:
            break
        rows.append(row)
    yield from ("", "| | Rule | Resource | Found | Allowed |", "| --- | --- | --- | --- | --- |", *rows)
    if len(rows) < len(entries):
        yield from ("", f"{len(entries) - len(rows)} more are in the checks.")


def _row(entry: Entry) -> str:
    finding, verdict = entry.finding, entry.finding.judgement
    link = f"[{finding.rule.name}](docs/policies.md#{finding.rule.name})"
    cells = (finding.resource, f"{verdict.path} is {verdict.found}", verdict.allowed)
    return f"| {_ICONS[entry.standing]} | {link} | {' | '.join(map(quoted, cells))} |"
