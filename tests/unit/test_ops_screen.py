"""Text from outside reaches people as it is: never as markup, never as something that a terminal obeys."""

from __future__ import annotations

import ast
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

import scripts
from scripts import frame, log, output, visible
from scripts.backup import verify
from scripts.exits import CheckFailedError, Exit
from scripts.output import Column, Outcome, Screen
from tests.terminal import Terminal

_MARKUP = ("[/red]", "[blue]", "x[/.]+y", "[link=https://example.com]here[/]", ":smile:", "\\[bold]", "[@click]", "[")
_STEERING = "\x1b]0;mine\x07\x1b[2J\x9b31m\rgone\b\x7f\u202ereversed\u2028\udc9b"
# What both a terminal and Unicode take for a control character, and what cannot be written.
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_MARKS = st.text(r"[]/\:=@.#() red")
_ANY = st.text() | _MARKS | st.text("[] \n\tred\x1b\x9b")
_HARMLESS = st.text(st.characters(exclude_categories=_CONTROLS, exclude_characters=_BIDI)) | _MARKS
_LONG = st.text("ab 0\u4e2d\U0001f600", min_size=60, max_size=200)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")


def _printed(show: Callable[[Screen], None], stream: io.StringIO | None = None) -> str:
    stream = stream or Terminal()
    show(Screen(stream))
    return stream.getvalue()


def _signs(*texts: str) -> str:
    """The texts without white space, where lines were broken."""
    return "".join("".join(texts).split())


def _steers(text: str) -> list[str]:
    allowed = "\n\t"
    return [sign for sign in text if (unicodedata.category(sign) in _CONTROLS or sign in _BIDI) and sign not in allowed]


def test_a_table_that_fits_has_its_columns_beside_each_other() -> None:
    columns = [Column("NAME"), Column("SIZE", right=True), Column("")]

    printed = _printed(lambda screen: screen.table(columns, [["\u4e2d\u6587x", "7", ("a", "red")], ["b", "10", ""]]))

    assert printed.splitlines() == ["NAME  SIZE  ", "\u4e2d\u6587x    7 a", "b       10  "]


@pytest.mark.parametrize("text", _MARKUP)
def test_what_looks_like_markup_or_an_emoji_stays(text: str) -> None:
    assert _printed(lambda screen: screen.line(text)) == f"{text}\n"
    assert _printed(lambda screen: screen.line("name ", (text, "red"))) == f"name {text}\n"
    assert _printed(lambda screen: screen.document(f"{text}\n{text}")) == f"{text}\n{text}"
    assert text in _printed(lambda screen: screen.table([Column("A"), Column("B")], [[text, (text, "red")]]))


@given(_HARMLESS)
def test_a_line_holds_its_text_on_a_terminal_and_in_a_pipe(text: str) -> None:
    assert _signs(_printed(lambda screen: screen.line(text))) == _signs(text)
    assert _printed(lambda screen: screen.line(text), io.StringIO()) == f"{text}\n"


@given(_HARMLESS | _LONG, st.booleans())
def test_a_table_holds_a_text_of_any_width(text: str, whole: bool) -> None:
    printed = _printed(lambda screen: screen.table([Column("ID", whole=whole)], [[text]]))

    assert _signs(printed) == _signs("ID", text)


@given(st.lists(st.tuples(_HARMLESS | _LONG, _HARMLESS, _HARMLESS | _LONG, st.text("ab0", max_size=30)), max_size=4))
def test_a_table_of_eighty_columns_loses_no_sign_of_any_cell(rows: list[tuple[str, ...]]) -> None:
    columns = [Column("A"), Column("B", right=True), Column("C", whole=True), Column("D", whole=True)]

    printed = _printed(lambda screen: screen.table(columns, rows))

    assert Counter(_signs(printed)) == Counter(_signs("ABCD", *(cell for row in rows for cell in row)))
    assert all(cell_len(line) <= 80 for line in printed.split("\n"))


_WORD = st.text("ab0,.", min_size=1, max_size=12)
_PROSE = st.lists(_WORD, max_size=8).map(" ".join)


@given(st.lists(st.tuples(_PROSE, _PROSE, _PROSE, _PROSE, _PROSE), min_size=1, max_size=4))
@example([("20260301T081530Z-0a1b2c3d proven", "12,345,678", "scratch server", "123.4 GiB 12.3 GiB", "12.3 days ago")])
def test_a_table_breaks_no_word_where_all_of_them_have_room(rows: list[tuple[str, ...]]) -> None:
    columns = [Column("ID"), Column("APPLICATION"), Column("COUNT", right=True), Column("D"), Column("E")]
    words = Counter(word for row in rows for cell in row for word in cell.split())
    printed = _printed(lambda screen: screen.table(columns, rows))

    assert not words - Counter(printed.split())


@given(_ANY)
def test_nothing_that_steers_a_terminal_is_printed(text: str) -> None:
    def show(screen: Screen) -> None:
        screen.line(text, (text, "red"))
        screen.document(text)
        screen.table([Column("A")], [[text]])

    assert not _steers(_printed(show))


@given(_ANY)
def test_a_line_is_one_line_whatever_is_in_it(text: str) -> None:
    assert _printed(lambda screen: screen.line(text), io.StringIO()).count("\n") == 1


def test_control_characters_are_shown() -> None:
    shown = r"\x1b]0;mine\x07\x1b[2J\x9b31m\rgone\x08\x7f\u202ereversed\u2028\udc9b"

    assert _printed(lambda screen: screen.line(_STEERING + "\n")) == f"{shown}\\n\n"
    assert _printed(lambda screen: screen.document(_STEERING + "\n")) == f"{shown}\n"


@given(st.lists(_ANY, min_size=1, max_size=3), st.sampled_from([Exit.DONE, Exit.FAILED, Exit.TEMPORARY]))
def test_no_text_changes_an_exit_code_or_the_json(texts: list[str], code: Exit) -> None:
    def show(screen: Screen) -> None:
        screen.table([Column(str(number)) for number in range(len(texts))], [texts])
        screen.line(*texts)

    def ended(*, as_json: bool) -> str:
        written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with redirect_stdout(written), pytest.raises(typer.Exit) as caught:
            frame.run("test", lambda: Outcome({"texts": texts}, show, code), as_json=as_json, deadline=None)
        assert caught.value.exit_code == code
        written.seek(0)
        return written.read()

    ended(as_json=False)
    assert json.loads(ended(as_json=True)) == {"command": "test", "exit": int(code), "texts": texts}


@given(_HARMLESS)
def test_json_of_harmless_text_is_written_as_before(text: str) -> None:
    assert visible.json_line({"text": text}) == json.dumps({"text": text}, ensure_ascii=False)


@given(_ANY)
def test_an_error_and_a_log_line_steer_no_terminal(text: str) -> None:
    stream = Terminal()
    with redirect_stderr(stream):
        output.report_error("test", Exit.FAILED, text, as_json=False)
        log.warning(text, name=text)
        log.transient(text)
        log.transient("")

    written = stream.getvalue().replace("\r\x1b[K", "")
    assert not _steers(written)
    assert written.count("\n") == 2


def test_a_question_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    with redirect_stdout(asked), redirect_stderr(asked):
        output.confirm("drops it", f"Drop {_STEERING}?")

    assert not _steers(asked.getvalue())
    assert r"Drop \x1b]0;mine\x07" in asked.getvalue()


def test_a_verification_that_fails_with_signs_of_markup_is_told_beside_the_others() -> None:
    error = CheckFailedError("""CREATE INDEX ON page (norm(regexp_replace(path, '[/.]+', '-', 'g'))): no function""")
    verdicts = [verify.Verdict("redis", None, None), verify.Verdict("postgres", "id", None, str(error), error.code)]

    outcome = verify.outcome(verdicts)

    assert "'[/.]+'" in _printed(outcome.show)
    assert "redis: no backup yet" in _printed(outcome.show)
    assert outcome.code is Exit.FAILED


def _names(tree: ast.AST) -> Sequence[str]:
    """What a file imports and calls, such as ``rich.table``, ``print`` and ``sys.stdout.write``."""
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found += [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module)):
                found.append(module)
            case ast.Attribute(value=ast.Name(id="lazy"), attr=library):
                found.append(library)
            case ast.Call():
                found.append(ast.unparse(node.func))
            case _:
                pass
    return found


def _writes(name: str) -> bool:
    ways = ("echo", "secho", "confirm", "prompt")
    known = ("print", "input", "sys.stdout.write", "sys.stderr.write", *(f"typer.{way}" for way in ways))
    return name in known or name.partition(".")[0] in ("rich", "click")


def test_the_screen_and_the_log_are_the_only_ways_to_the_terminal() -> None:
    folder = Path(scripts.__file__).parent
    files = sorted(folder.rglob("*.py"))
    found = {
        str(path.relative_to(folder)): names
        for path in files
        if (names := sorted({name for name in _names(ast.parse(path.read_text())) if _writes(name)}))
    }

    assert len(files) > 50
    assert found == {
        "lazy.py": ["rich.console", "rich.table", "rich.text"],
        "log.py": ["print"],
        "output.py": ["print", "rich", "typer.confirm"],
    }
