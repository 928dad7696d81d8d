"""Keys that stand twice are found in what people write, with their lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local import stack_files
from local.errors import LocalError
from runbook import duplicates
from scripts import config
from scripts.exits import UsageError
from tests.unit.ops_settings import settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "a is given twice, in lines 1 and 3; remove one of them"),
        ("a: 1\n'a': 3", "a is given twice, in lines 1 and 2"),
        ("- x:\n    - {b: 1, c: {d: 1, d: 2}}", "d is given twice, in lines 2 and 2"),
        ("a: 1\n---\nb: 1\nb: 2", "b is given twice, in lines 3 and 4"),
        ('{\n\t"a": 1,\n\t"\\u0061": 2\n}', "a is given twice, in lines 2 and 3"),
        ("x: &x {a: 1}\ny: *x\nz: {a: 1, b: *x}", None),
        ("1: a\n'1': b", None),
        ("a: 1\n---\na: 2", None),
        ("a: [", None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_a_key_that_stands_twice_in_a_map_is_told_with_its_lines(text: str, said: str | None) -> None:
    found = duplicates.complaint(text)
    assert found == said or (said is not None and found is not None and found.startswith(said))


def test_settings_of_ops_with_a_key_that_stands_twice_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(settings().model_dump_json(by_alias=True))
    config.load(str(file))
    again = json.dumps(json.loads(settings().model_dump_json(by_alias=True)), indent=1).replace(
        "{", '{\n "namespace": "other",', 1
    )
    file.write_text(again)
    with pytest.raises(UsageError, match="namespace is given twice, in lines 2 and") as refused:
        config.load(str(file))
    assert "\n" not in str(refused.value)


def test_a_stacks_file_with_a_key_that_stands_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  crypto:domain: a.example.com\n  crypto:domain: b.example.com\n"
    )
    monkeypatch.setattr(stack_files, "PROJECT_ROOT", tmp_path)
    with pytest.raises(LocalError, match=r"Pulumi\.prod\.yaml: crypto:domain is given twice, in lines 2 and 3"):
        stack_files.stack_values("prod")
