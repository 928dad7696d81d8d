"""Manifests mean what they mean to kubectl: what YAML 1.1 and Go make of a text, which files are read, and bounds."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policies.command import main as command
from policies.command.main import main
from policies.plain import Plain
from policies.sources import stream
from policies.sources.composing import UnreadableError
from policies.sources.manifests import read
from policies.sources.source import SourceError

_HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
_WHOLE = 400 * 1024 * 1024


def values(text: str | bytes) -> list[Plain]:
    """The documents of a text."""
    data = text if isinstance(text, bytes) else text.encode()
    return [value for _, value in stream.documents(stream.decoded(data))]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0664", 436),
        ("0o664", 436),
        ("0500", 320),
        ("08", 8),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("yes", True),
        ("Off", False),
        ("'yes'", "yes"),
        ("nO", "nO"),
        ("~", None),
        ("1e3", 1000),
        ("1.5", 1.5),
        ("1e999", "1e999"),
        ("18446744073709551615", 18446744073709551616),
        ("!!str 3", "3"),
        ("!!float 3", 3),
        ("!!int '3'", 3),
        ("!mine 3", "3"),
        ("!!binary aGk=", "hi"),
        ("!mine [a]", ["a"]),
        ("!!set {a, b}", {"a": None, "b": None}),
        ("\t3", 3),
        ("[\n]", []),
        ('"one,\n  two"', "one, two"),
        ("{1e6: a, 0.5: b, 010: c, no: d}", {"1e+06": "a", "0.5": "b", "8": "c", "false": "d"}),
        ("{a: 1, a: 2}", {"a": 2}),
        ("{<<: {a: 1}, b: 2}", {"a": 1, "b": 2}),
        ("{<< : {a: 1}, b: 2}", {"a": 1, "b": 2}),
        ("{a: 2, <<: {a: 1}}", {"a": 1}),
        ("{<<: [{a: 1}, {a: 2, b: 2}]}", {"a": 1, "b": 2}),
        ("{'<<': {a: 1}}", {"<<": {"a": 1}}),
        ("[&q 1, &q 2, *q]", [1, 2, 2]),
    ],
)
def test_a_value_is_what_kubectl_reads(written: str, meant: Plain) -> None:
    assert values(f"x: {written}\n") == [{"x": meant}]


@pytest.mark.parametrize(
    "written",
    [
        "!!int a",
        "!!null a",
        ".inf",
        "{~: 1}",
        "{[a]: 1}",
        "{<<: 1}",
        "*none",
        "&a [*a]",
        "[",
        "'a",
        "@a",
        "\x07",
        "a: b",
    ],
)
def test_a_value_that_kubectl_refuses_is_refused_with_its_line(written: str) -> None:
    with pytest.raises(UnreadableError, match=r"^line [34]: [^\n]*$"):
        values(f"a: 1\n---\nx: {written}\n")


def test_encodings_and_separators_are_those_of_kubectl() -> None:
    for data in (b"\xef\xbb\xbf" + _HEAD.encode(), _HEAD.encode("utf-16"), _HEAD.replace("\n", "\r\n").encode()):
        assert values(data) == values(_HEAD)
    assert values("---\na: 1\n--- # next\n---\n---\nb: 2\n...\nignored: [") == [{"a": 1}, None, {"b": 2}]
    with pytest.raises(UnreadableError, match="line 2: --- stands alone"):
        values("a: 1\n--- b: 2\n")


def test_json_is_read_as_json_and_flow_yaml_as_yaml() -> None:
    assert values('{"a": "\\ud83d\\ude00", "b": 1.0, "c":\t[]}') == [{"a": "\U0001f600", "b": 1, "c": []}]
    assert values('{"a": 1}\n---\nb: yes\n') == [{"a": 1}, {"b": True}]
    assert values("{a: yes}") == [{"a": True}]
    assert values('{"a": "\\ud83d"}') == [{"a": "\ufffd"}]
    assert values('{"a": 1}\n{"b": 2}') == [{"a": 1}, {"b": 2}]
    with pytest.raises(UnreadableError, match="not JSON"):
        values('{"a": 1}\n{"b": 2}\n---\nc: 3\n')
    with pytest.raises(UnreadableError, match="too great"):
        values('{"a": 1e999}')


def located(file: Path, path: str, number: int = 0) -> int:
    """The line of a path in an object of a file."""
    from policies.catalogue import ALL
    from policies.model import Finding, Judgement, Outcome

    source = read(file)
    finding = Finding(ALL[0].meta, "", source.resources[number].urn, Judgement(Outcome.VIOLATED, path, "", ""))
    return source.locate(finding).line


def test_a_finding_has_the_line_of_its_value_in_yaml_json_and_lists(tmp_path: Path) -> None:
    text = f"{_HEAD}---\n{_POD}  containers:\n    - name: a\n    - name: b.c\n      image: x\n"
    (tmp_path / "a.yaml").write_text(text)
    path = "spec.containers[b.c].image"
    assert text.splitlines()[located(tmp_path / "a.yaml", path, 1) - 1] == "      image: x"
    assert located(tmp_path / "a.yaml", "spec.containers[none].image", 1) == 9
    items = [value for value in values(text) if value is not None]
    nested = {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": items}]}
    written = '\n{"apiVersion": "v1", "kind": "ConfigMap"}\n' + json.dumps(nested, indent=1)
    (tmp_path / "b.json").write_text(written)
    assert written.splitlines()[located(tmp_path / "b.json", path, 2) - 1].strip() == '"image": "x"'


def test_items_of_lists_in_lists_and_of_typed_lists_are_objects(tmp_path: Path) -> None:
    pod = "{metadata: {name: a}}"
    inner = "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: b}}]}"
    (tmp_path / "a.yaml").write_text(
        f"apiVersion: v1\nkind: PodList\nitems: [{pod}]\n---\napiVersion: v1\nkind: List\nitems: [{inner}]\n"
        "---\napiVersion: example.com/v1\nkind: AllowList\nspec: {}\n"
    )
    found = read(tmp_path).resources
    assert [each.kind for each in found] == ["core/Pod", "core/Pod", "example.com/AllowList"]
    assert len({each.urn for each in found}) == 3


@pytest.mark.parametrize("text", ["{laughs}", "{self}", "{deep}", "{wide}"])
def test_a_bomb_ends_in_one_line_and_little_memory(text: str, tmp_path: Path) -> None:
    levels = "".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]\n" for n in range(12))
    bombs = {
        "{laughs}": f"{_HEAD}l0: &l0 [a, a]\n{levels}",
        "{self}": f"{_HEAD}x: &x {{y: *x}}\n",
        "{deep}": f"{_HEAD}x: {'[' * 5000}{']' * 5000}\n",
        "{wide}": '{"apiVersion": "v1", "kind": "X", "x": ' + '{"a":' * 900 + "1" + "}" * 901,
    }
    (tmp_path / "bomb.yaml").write_text(bombs[text])
    done = subprocess.run(
        [Path(sys.executable).with_name("crypto-policy"), "check", "--yaml", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_WHOLE, _WHOLE)),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "bomb.yaml: " in done.stderr
    assert done.stderr.count("\n") == 1


def folder(tmp_path: Path) -> Path:
    """A folder with a violation, and with everything that is not judged."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "pod.yml").write_text(f"{_POD}  hostNetwork: true\n  containers: []\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.yaml").write_text(_HEAD)
    (tmp_path / "scan").mkdir()
    (tmp_path / "below").rename(tmp_path / "scan" / "below")
    scan = tmp_path / "scan"
    (scan / "linked").symlink_to(tmp_path / "elsewhere")
    (scan / "LOUD.YAML").write_text(_HEAD)
    (scan / "values.yaml").write_text("replicas: 3\n")
    (scan / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (scan / "kind.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
    (scan / "notes.txt").write_text("nothing")
    return scan


_PASSED_OVER = ("linked", "LOUD.YAML", "values.yaml", "kustomization.yaml", "kind.yaml")


def test_what_kubectl_would_not_apply_is_named_and_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--yaml", str(folder(tmp_path)), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {Path(each["file"]).name for each in report["passed_over"]} == set(_PASSED_OVER)
    assert report["not_read"] == []
    assert "no-host-access" in {found["rule"] for found in report["findings"]}


@pytest.mark.parametrize("form", ["console", "json", "sarif", "junit", "github"])
def test_a_broken_file_is_named_in_every_report_after_the_others_were_judged(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = folder(tmp_path)
    (scan / "broken.yaml").write_text("a: [\n")
    (scan / "half.yaml").write_text(f"{_HEAD}---\na: 1\n")
    assert main(["check", "--yaml", str(scan), "--format", form]) == 2
    told = capsys.readouterr()
    for name in (*_PASSED_OVER, "broken.yaml", "half.yaml", "no-host-access"):
        assert name in "".join(told.out.split())
    assert [line.partition(": ")[2].partition(": /")[0] for line in told.err.splitlines()] == ["not read"] * 2


def test_standard_input_is_judged_with_its_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{_POD}  hostNetwork: true\n  containers: []\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["check", "--yaml", "-", "--format", "json"]) == 1
    found = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["rule"] == "no-host-access"]
    assert [(each["file"], each["line"]) for each in found] == [("STDIN", 5)]


def test_a_defect_is_no_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "a.yaml").write_text(_HEAD)

    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "_check", broken)
    assert main(["check", "--yaml", str(tmp_path)]) == 70
    assert "a defect of this program: ZeroDivisionError" in capsys.readouterr().err


def test_control_characters_reach_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a\x1b[2J.yaml").write_text(_POD.replace("name: p", 'name: "p\\e[31m\u202e"') + "  hostPID: true\n")
    for form in ("console", "github"):
        assert main(["check", "--yaml", str(tmp_path), "--format", form]) == 1
        out = capsys.readouterr().out
        assert "\\x1b[31m\\u202e" in out
        assert not {"\x1b", "\u202e"} & set(out)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ('{step}\n{"diagnosticEvent": {"severity": "error", "message": "boom"}}\n{"summaryEvent": {}}\n', "failed"),
        ("{step}\n", "did not come to its end"),
        ('{"steps": [{"op": "same", "urn": "u"}], "diagnostics": [{"severity": "error"}]}', "failed"),
    ],
)
def test_a_failed_preview_has_no_verdict(
    log: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new: dict[str, Any] = {"urn": "urn:x::y", "type": "kubernetes:core/v1:ConfigMap", "inputs": {}}
    step = json.dumps({"resourcePreEvent": {"metadata": {"op": "create", "new": new}}})
    (tmp_path / "events.json").write_text(log.replace("{step}", step))
    assert main(["check", "--preview", str(tmp_path / "events.json")]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


def test_what_a_program_only_reads_is_not_judged(tmp_path: Path) -> None:
    from policies.sources import preview, state

    entries: list[dict[str, Any]] = [
        {"urn": f"urn:x::{name}", "type": "kubernetes:core/v1:Secret", "inputs": {}, "external": name == "read"}
        for name in ("read", "own")
    ]
    (tmp_path / "s.json").write_text(json.dumps({"deployment": {"resources": entries}}))
    assert [each.name for each in state.read(tmp_path / "s.json").resources] == ["own"]
    events = [
        {"resourcePreEvent": {"metadata": {"op": "read" if each["external"] else "create", "new": each}}}
        for each in entries
    ]
    (tmp_path / "e.json").write_text("\n".join(map(json.dumps, [*events, {"summaryEvent": {}}])))
    assert [each.name for each in preview.read(tmp_path / "e.json").resources] == ["own"]


def test_nothing_to_judge_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1\n")
    with pytest.raises(SourceError, match="no Kubernetes object in it"):
        read(tmp_path)
