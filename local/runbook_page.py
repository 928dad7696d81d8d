"""The printed runbook as one static page: no other file, no address, a search, and readable on a phone.

Each part that begins with an anchor becomes a section, which the search shows or hides.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

from runbook import printed

PAGE: Final = "docs/runbook.html"
_TEMPLATE: Final = Path(__file__).with_name("runbook.html.template")
_ANCHOR: Final = re.compile(r'^<a id="([\w-]+)"></a>$', re.MULTILINE)
_HEADING: Final = re.compile(r"^(##+) (.+)$", re.MULTILINE)


def page(text: str | None = None) -> str:
    """The whole page, of the printed runbook unless another text is given."""
    introduction, *pieces = _ANCHOR.split(printed.markdown() if text is None else text)
    parts = list(zip(pieces[::2], pieces[1::2], strict=True))
    filled = {
        "introduction": _rendered(introduction),
        "contents": "\n".join(_entry(anchor, text) for anchor, text in parts if _heading(text)[0] == "##"),
        "parts": "\n".join(f'<section id="{anchor}">\n{_rendered(text)}</section>' for anchor, text in parts),
    }
    template = _TEMPLATE.read_text()
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], template)


def _heading(text: str) -> tuple[str, str]:
    found = _HEADING.search(text)
    if found is None:
        raise ValueError(f"a part of the runbook has no heading: {text[:60]!r}")
    return found[1], found[2]


def _entry(anchor: str, text: str) -> str:
    return f'<li><a href="#{anchor}">{html.escape(_heading(text)[1])}</a></li>'


def _rendered(text: str) -> str:
    """HTML; a table scrolls by itself on a narrow screen, and can be reached by the keyboard there."""
    rendered = str(MarkdownIt("commonmark").enable("table").render(text))
    rendered = rendered.replace("<table>", '<div class="wide" role="region" aria-label="Table" tabindex="0"><table>')
    return rendered.replace("</table>", "</table></div>").replace("<th>", '<th scope="col">')
