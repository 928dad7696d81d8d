"""A manifest is to the policies what it is to kubectl: the same objects, or both refuse it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.sources.manifests import read
from policies.sources.source import SourceError

# Compilers are waited for by the fixture of the tools.
pytestmark = pytest.mark.timeout(3600)
_IN_SUITE = settings().max_examples <= 100
# Each example is a folder: kubectl takes longer to start than to read a hundred files.
_EXAMPLES = 10 if _IN_SUITE else settings().max_examples // 10
_FILES = 50
_REFUSED = None
_MARK = "judged-by-kubectl"
# Integers above are doubles on one side and written as the shortest text on the other.
_EXACT = 2**53
_SLOW = (
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
)

_HARD = (
    *("0664", "0o664", "08", "0x1F", "-0x1f", "0b11", "0b-11", "+12", "1_000", "1__0", "1_", "_1", "0_7", "0x_1F"),
    *("1:30", "2001-01-01", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5", ".5", "1.", "1e3", "1e400"),
    *("-.5", "+.5", "._5", "1e-400", "1,000", "00", "-0", "-0.0", "12e03", "0b", "0x", "0o8", "0O17", "1.5e300"),
    *("18446744073709551615", "18446744073709551616", "9223372036854775808", "-9223372036854775809"),
    *("yes", "Y", "n", "On", "nO", "NULL", "nULL", "~", "''", '""', "null", "<<", "[<<]", ".inf", ".NaN", "{.inf: 1}"),
    *("!!str 3", "!!int '3'", "!!float 3", "!!bool yes", "!!bool 1", "!!int foo", "!foo 3", "!!null foo", "!!null ''"),
    *("!!binary aGk=", "!!binary '!'", "!!binary /w==", "!!set {a, b}", "!!omap [a: 1]", "! 12", "!!seq {a: b}"),
    *("!!timestamp 2001-01-01", "!!timestamp x", "!!timestamp 2001-02-31", "!<tag:yaml.org,2002:str> 3", "!e!foo 3"),
    *("[&a 1, &a 2, *a]", "[&a {b: 1}, {b: 3, <<: *a}]", "[&a {b: 1}, {<<: *a, b: 3}]", "[&a {b: 1}, {<< : *a}]"),
    *("[&a {b: 1}, &b {b: 2, c: 3}, {<<: [*a, *b]}]", "{<<: 3}", "{<<: [3]}", "{'<<': {a: 1}}", "{! <<: {a: 1}}"),
    *(
        "{!!merge <<: {a: 1}}",
        "{!!str <<: {a: 1}}",
        "&a [*a]",
        "&a {b: *a}",
        "&a {<<: *a}",
        "*q",
        "&a {x: &a 1, z: *a}",
    ),
    *(
        "[&a [{b: 1}], {<<: *a}]",
        "[&a 1, {<<: *a}]",
        "{<<: [&a {b: 1}, *a]}",
        "{a: 1, a: 2}",
        "{[a]: 1}",
        "{{a: b}: 1}",
    ),
    *("{~: 1}", "{: 1}", "{&k a: 1, *k : 2}", "{&k 1e6: 1, c: *k}", "{a: {~: 1}, a: 2}", "{a: .inf, a: 2}"),
    "{1e6: 1, 2.5: 2, 0.1: 3, 1e-5: 4, 0x10: 5, yes: 6, 010: 7, 123456789.0: 8, -0.0: 9, 100000.0: 1, 1e300: 2}",
    *("{18446744073709551615: 1}", "\n? a\n: b", "\n? [a]\n: b", "[\n]", "{\n}", "[a,\nb]", '"a,\n  b"', '"a\nb"'),
    *(
        "\t3",
        "a\t# c",
        "'a\n\n b'",
        "|\n  a\n  b\n",
        ">-\n  a\n   b\n\n  c",
        "|2\n   a",
        "|+\n  a\n\n",
        ">1-\n  a",
        "|0\n a",
    ),
    *("a#b", "a #b", "{a:1}", "{a: b:c}", "[a:b]", "[-]", "[?x]", "- a", "-a", "@a", "`a`", "%a", "a: b", "{a,b}"),
    *("{'a':1}", '{"a":1,"b":[1,2]}', "[a: 1, b]", '"\\ud83d\\ude00"', '"\\U0001f600\\x41\\u00e9\\N\\_\\L"', '"\\q"'),
    *("'a'b", "*", "&a", "&", "!!int", "!", "é中", "\ufeffa", "a\x85b", '"a\u2028b"', "a\u2028b", "'\x07'", "\x7f"),
    *("\n- a", "\n - a\n - b", "\n- a\n-\n  - b\n- - c\n  - d", "a\n  b\n c", "[a,]", "[a,,b]", "{a: 1,}", "{a: [}"),
    *(
        '"a',
        "'a'  'b'",
        "[a]b",
        "!!str [a]",
        "!!int [1]",
        "a\r\n",
        '"a\r\n  b"\r\n',
        "|\r\n  a\r\n  b\r\n",
        "\n\t",
        "\n\t- a",
    ),
    *(
        "1\n---\n",
        "'\n---\n'",
        "1\n...\nkind: 3\n",
        "1\n---x",
        "1\n--- x",
        "1\n--- # x\n",
        "1\n---\t\n---\n",
        "|\n---\n",
    ),
    *("1\n%YAML 1.1\n---\n", "1\n... \n", "1\n...x\n"),
)
_WHOLE_FILES = (
    *(
        b"\xef\xbb\xbf{head}x: 1\n",
        b"{head}---\n\xef\xbb\xbf{head}",
        b"{head}x: a\xff\xe9\xffb\n",
        b"{head}x: \xe4\xb8\n",
    ),
    *(
        b"{head}x: \0\n",
        b"{head}---\r\n{head}",
        b"%YAML 1.1\n---\n{head}",
        b"--- # x\n{head}",
        b"---\n---\n{head}",
        b"",
    ),
    *(b'{json}, "x": 1.0}', b'{json}, "x": "\\ud83d\\ude00"}', b'{json}, "x": "\\ud83d"}', b'{json}, "x": NaN}'),
    *(b'{json}, "x": 1e400}', b'{json}, "x": 123456789012345678901}', b'{json}, "x": 1, "x": 2}', b'{json},\t"x":\t1}'),
    *(b'{json}, "x": 1,}', b"{json}, x: 1}", b"{json}}}", b"{json}}\n---\n{head}", b"{json}}\n{json}}\n---\n{head}"),
    *(
        b"{json}} {",
        b"{json}} # c",
        b"{json}} # comment",
        b'{json}, "x": 01}',
        b'{json}, "x": -0}',
        b'{json}, "x": -0.0}',
    ),
    *(
        b'{json}, "x": 9223372036854775808}',
        b'{json}, "x": yes}',
        b"{json}}\n\n---\n---\n{head}",
        b"{json}}x",
        b"{json}} 5",
    ),
    *(b'{json}, "x": "a\nb"}', b"  \n\n{json}}", b" {kind: A, apiVersion: v1, metadata: {name: NAME, labels: {a: b}}}"),
    *(b'{json}, "items": [{json}}]}', b'{json}, "items": {}}', b'{json}, "items": null}', b'{json}, "x": "\\/"}'),
)


def head(name: str) -> str:
    """The start of an object that tells its file by its name."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{a: b}}}}\n"


def by_kubectl(kubectl: Path, folder: Path, count: int) -> list[list[Any] | None]:
    """The objects that kubectl reads from each file, None where it refuses one."""
    command = [kubectl, "label", "--local", "--recursive", "--output=json", f"--filename={folder}", f"{_MARK}=yes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: list[list[Any] | None] = [[] for _ in range(count)]
    text, position, decoder = done.stdout.strip(), 0, json.JSONDecoder()
    while position < len(text):
        content, position = decoder.raw_decode(text, position)
        position += len(text[position:]) - len(text[position:].lstrip())
        del content["metadata"]["labels"][_MARK]
        file = found[int(content["metadata"]["name"].removeprefix("f"))]
        assert file is not None
        file.append(content)
    for number in map(int, re.findall(r"/f(\d+)\.yaml", done.stderr)):
        found[number] = _REFUSED
    return found


def by_policies(folder: Path, count: int) -> list[list[Any] | None]:
    """The same by the policies' reader."""
    found: list[list[Any] | None] = []
    for number in range(count):
        try:
            found.append([each.properties for each in read(folder / f"f{number}.yaml").resources])
        except SourceError as error:
            found.append([] if str(error).partition(": ")[2].startswith("no Kubernetes object") else _REFUSED)
    return found


def comparable(value: Any) -> Any:
    """A value with numbers as Kubernetes compares them."""
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [comparable(each) for each in cast("list[Any]", value)]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= _EXACT:
        return float(value)
    return (type(value) is bool, value)


def compare(kubectl: Path, folder: Path, files: Sequence[bytes]) -> int:
    """Has both read the files; the number that both take."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, content in enumerate(files):
        (folder / f"f{number}.yaml").write_bytes(content)
    theirs, ours = by_kubectl(kubectl, folder, len(files)), by_policies(folder, len(files))
    for content, their, our in zip(files, theirs, ours, strict=True):
        assert (comparable(our), content) == (comparable(their), content)
    return sum(bool(each) for each in theirs)


@pytest.fixture(scope="module")
def kubectl(tools_bin_dir: Path) -> Path:
    """The kubectl of the toolchain."""
    return tools_bin_dir / "kubectl"


def test_hard_texts_mean_what_they_mean_to_kubectl(kubectl: Path, tmp_path: Path) -> None:
    files = [f"{head(f'f{number}')}x: {text}\n".encode() for number, text in enumerate(_HARD)]
    assert compare(kubectl, tmp_path / "values", files) > len(files) / 2
    whole: list[bytes] = []
    for number, content in enumerate(_WHOLE_FILES):
        name = f"f{number}"
        json_head = json.dumps({"apiVersion": "v1", "kind": "A", "metadata": {"name": name, "labels": {"a": "b"}}})[:-1]
        filled = content.replace(b"{head}", head(name).encode()).replace(b"{json}", json_head.encode())
        whole.append(filled.replace(b"NAME", name.encode()))
    whole += [head(f"f{len(whole)}").encode("utf-16"), b"\xfe\xff" + head(f"f{len(whole) + 1}").encode("utf-16-be")]
    assert compare(kubectl, tmp_path / "files", whole) > len(whole) / 3


_SIGNS = st.text(":-#,[]{}&*!|>'\"%@`\\ \n\tab01?<.~_+=/\r", max_size=12)
_SCALARS = st.one_of(
    st.sampled_from([text for text in _HARD if len(text) < 12 and "\n" not in text]),
    st.from_regex(r"[-+.]?[0-9oxb_.eE:-]{1,8}", fullmatch=True),
    st.text(min_size=1, max_size=6).map(json.dumps),
    st.text("ab '\t", max_size=5).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.sampled_from(["*a", "*b", "&a x", "&b 1", "&a", "!!str 1", "!t x", "a", "b c"]),
)
_KEYS = st.sampled_from(
    ["a", "b", "'a'", "c d", "<<", "<< ", "yes", "0x10", "1e6", "1.5", "&a k", "*a ", "!!str 7", "?"]
)


def _collections(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    mark = st.sampled_from(["", "", "", "&a ", "&b ", "!t ", "!!seq ", "!!map "])
    space = st.sampled_from(["", " ", "\n  ", " # c\n  "])
    lists = st.tuples(mark, st.lists(inner, max_size=3), space).map(
        lambda made: f"{made[0]}[{f',{made[2]}'.join(made[1])}]"
    )
    pairs = st.lists(st.tuples(_KEYS, inner), max_size=3)
    maps = st.tuples(mark, pairs, space).map(
        lambda made: f"{made[0]}{{{f',{made[2]}'.join(f'{key}: {value}' for key, value in made[1])}}}"
    )
    return lists | maps


_FLOW = st.recursive(_SCALARS, _collections, max_leaves=8)
_ENTRY = st.tuples(st.sampled_from(["x", "y", "z", "<<", "<< ", "yes", "- ", "-"]), _FLOW)
_BLOCK = st.lists(_ENTRY, min_size=1, max_size=4).map(
    lambda entries: (
        "\n" + "\n".join(f"  {key} {text}" if key[0] == "-" else f"  {key}: {text}" for key, text in entries)
    )
)
# Go refuses an escaped slash in YAML, which JSON has; the policies' reader takes it. Go reads `[a:]` as a list of
# the text `a:`; libyaml refuses it.
_DIFFERENT = re.compile(r"\\/|:[,\[\]{}]")
_VALUES = (_FLOW | _BLOCK | _SIGNS).filter(lambda text: not _DIFFERENT.search(text))


@settings(max_examples=_EXAMPLES, derandomize=_IN_SUITE, suppress_health_check=_SLOW)
@given(texts=st.lists(_VALUES, min_size=_FILES, max_size=_FILES))
def test_generated_texts_mean_what_they_mean_to_kubectl(texts: list[str], kubectl: Path, tmp_path: Path) -> None:
    files = [f"{head(f'f{number}')}w: {text}\n".encode() for number, text in enumerate(texts)]
    compare(kubectl, tmp_path / "generated", files)
