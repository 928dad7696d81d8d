"""What a pull request is told: a verdict on a whole log, and a comment in which no text of the program is markup."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import cast

import cmarkgfm  # pyright: ignore[reportMissingTypeStubs]
import pytest
from cmarkgfm.cmark import Options  # pyright: ignore[reportMissingTypeStubs]
from hypothesis import given, settings
from hypothesis import strategies as st

from local.pulumi_cli import policy_config
from local.review import judging
from local.review.comment import MOST_CHARACTERS, comment, quoted
from local.review.judging import Reviewed, judge
from policies.catalogue import ALL
from policies.checking import check
from policies.configuring.configuration import Configuration
from policies.sources.source import EngineSource
from policies.waiving.applying import Ledger
from policies.waiving.reading import Waivers
from tests.policies.stack import Stack, good_stack
from tests.policies.test_check import event_log

BAD = good_stack().with_value("analytics-hpa", "spec.minReplicas", 2)


def without_waivers(text: str) -> str:
    """A configuration of the pack without the waivers of its stack: nothing in the example stack needs one."""
    return json.dumps({name: value for name, value in json.loads(text).items() if name != "waivers"})


@pytest.fixture(autouse=True)
def plain_stacks(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each stack is judged without its waivers."""
    folder = tmp_path_factory.mktemp("config")

    def config(stack: str) -> Path | None:
        file = policy_config(stack)
        if file is not None:
            (folder / file.name).write_text(without_waivers(file.read_text()))
        return None if file is None else folder / file.name

    monkeypatch.setattr(judging, "policy_config", config)


def log_of(stack: Stack, result: str = "succeeded") -> str:
    """The engine's log of a whole preview."""
    return event_log(stack) + json.dumps({"summaryEvent": {"isPreview": True, "result": result}}) + "\n"


def reviewed(stack: Stack) -> Reviewed:
    result = check(EngineSource(stack.resources()), ALL, Configuration(), Ledger(Waivers()))
    return Reviewed("prod", Counter(create=3, same=1), result)


def rendered(text: str) -> str:
    """As GitHub's own parser reads it, before what GitHub filters."""
    unsafe = cast("int", Options.CMARK_OPT_UNSAFE)  # pyright: ignore[reportUnknownMemberType]
    return cast("str", cmarkgfm.github_flavored_markdown_to_html(text, unsafe))  # pyright: ignore[reportUnknownMemberType]


def shown(text: str) -> str:
    """What a reader sees of HTML, without what has no width."""
    return html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\u200b", "")


def test_the_comment_says_stack_steps_and_every_violation() -> None:
    good = comment([reviewed(good_stack())])
    assert "### ✅ prod" in good
    assert "3 create, 1 same" in good
    text = comment([reviewed(BAD)])
    assert "### ❌ prod" in text
    cells = re.findall(r"<td>(.*?)</td>", rendered(text))
    assert cells[:2] == ["❌", '<a href="docs/policies.md#hpa-range">hpa-range</a>']
    assert shown(cells[2]) == "HorizontalPodAutoscaler analytics"
    assert shown(cells[3]) == "spec.minReplicas is 2"


HOSTILE = (
    "$(touch /tmp/pwned)",
    "`touch pwned` ```sh",
    "@everyone @a/team mail@example.com",
    "</details></code><img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.png) [y](javascript:alert(1))",
    "https://evil.example www.evil.example http://1.2.3.4/?q=1",
    "a|b \\| c \\\\| d || e",
    "#1 GH-1 a/b#2 c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00 :tada:",
    "&#64;everyone &lt;b&gt; &amp;",
    "**bold** _em_ ~~gone~~ $x^2$ - [ ] task",
    "name\r\n\n## head\n<!-- crypto-policy review -->\n| --- |",
    "\u202egnp.exe\x1b[31m\x00\ud800",
    "::error::x ::add-mask::y %0A",
    "${{ secrets.GITHUB_TOKEN }}",
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_stays_the_text_of_its_cell(hostile: str) -> None:
    text = rendered(comment([reviewed(BAD.with_value("analytics-hpa", "metadata.name", hostile))]))
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    cells = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    assert {len(row) for row in cells} == {5}
    (row,) = (row for row in cells[1:] if "hpa-range" in row[1])
    _only_code(row[2])
    text_ = " ".join(hostile.split())
    if text_.isprintable():
        assert shown(row[2]) == f"HorizontalPodAutoscaler {text_}"


@settings(max_examples=60)
@given(st.text(max_size=300))
def test_any_text_is_one_piece_of_code_in_one_cell(hostile: str) -> None:
    text = rendered(f"| a | b |\n| --- | --- |\n| {quoted(hostile)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", text, re.DOTALL)
    assert len(cells) == 2
    assert cells[1] == "end"
    _only_code(cells[0])


def _only_code(cell: str) -> None:
    """One element, in which GitHub looks for no mention, reference or address, and nothing below or beside it."""
    inside = re.fullmatch(r"<code>(.*)</code>", cell, re.DOTALL)
    assert inside, cell
    assert "<" not in inside[1]


def test_a_comment_fits_however_much_is_found() -> None:
    long = "|" * 5000
    stack = good_stack()
    for name in (name for name in stack if name.endswith("-hpa")):
        stack = stack.with_value(name, "spec.maxReplicas", 99).with_value(name, "metadata.name", f"{name}{long}")
    found = reviewed(stack)
    text = comment([found] * 8)
    assert len(text) < MOST_CHARACTERS / 2
    assert "more are in the checks" in text
    assert "|" * 300 not in text


def test_a_preview_without_a_log_is_no_success(tmp_path: Path) -> None:
    broken = judge("local", tmp_path / "local.events.json")
    assert not broken.well
    assert "### ❌ local: no verdict" in comment([broken])
    assert "the preview left no log" in shown(comment([broken]))


@pytest.mark.parametrize("ending", ["", '{"summaryEvent": {"result": "failed"}}', '{"summaryEvent": 1}'])
def test_a_log_that_ends_early_is_no_success(tmp_path: Path, ending: str) -> None:
    log = tmp_path / "prod.events.json"
    log.write_text(event_log(good_stack()) + ending)
    assert not judge("prod", log).well
    log.write_text(log_of(good_stack()))
    assert judge("prod", log).well


def test_a_preview_that_the_policies_stopped_has_a_verdict(tmp_path: Path) -> None:
    log = tmp_path / "prod.events.json"
    log.write_text(log_of(BAD, "failed"))
    result = judge("prod", log).result
    assert result is not None
    assert [entry.finding.rule.name for entry in result.entries] == ["hpa-range"]


NONSENSE = {
    "nothing": b"",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "a digest without steps": b'{"steps": 3}',
    "too deep": b'{"a":' * 100_000,
    "a step that is a list": b'{"resourcePreEvent": []}',
    "a resource that is a text": b'{"resourcePreEvent": {"metadata": {"op": "create", "new": "x"}}}',
    "no resource": b'{"resourcePreEvent": {"metadata": {"op": "create", "new": {"urn": 1, "type": [], "inputs": []}}}}',
    "a number too long": b"9" * 10_000,
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_log_of_nonsense_is_one_line_and_no_success(tmp_path: Path, what: str) -> None:
    log = tmp_path / "prod.events.json"
    log.write_bytes(NONSENSE[what])
    found = judge("prod", log)
    assert not found.well
    assert found.broken
    assert "\n" not in found.broken


def test_steps_are_counted_by_the_words_of_the_engine(tmp_path: Path) -> None:
    log = tmp_path / "prod.events.json"
    log.write_text(log_of(good_stack()).replace('"op": "create"', '"op": "<img src=x>"', 1))
    counted = judge("prod", log).operations
    assert counted == Counter(create=len(good_stack()) + 2, other=1, delete=1)
