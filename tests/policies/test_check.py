"""``crypto-policy check``: the same verdict from every kind of file, exit codes, and what it says of wrong usage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from policies.catalogue import ALL
from policies.command.main import main
from tests.policies.cases import PRODUCTION
from tests.policies.exported import exported
from tests.policies.servicer import secret
from tests.policies.stack import Stack, good_stack
from tests.policies.violations import failing_cases, one_violation_of_each_rule
from tests.policies.waivers import TODAY, entry, write

_ROOT = Path(__file__).resolve().parents[2]
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_MEMORY = "spec.template.spec.containers.0.resources.requests.memory"
_SENTIMENT = "sentiment-deployment"
Checked: TypeAlias = tuple[int, dict[str, Any]]
Check: TypeAlias = Callable[..., Checked]
# The last event of a preview that came to its end.
SUMMARY = '{"summaryEvent": {"isPreview": true, "durationSeconds": 1, "resourceChanges": {"create": 9}}}\n'


def event_log(stack: Stack) -> str:
    """What ``pulumi preview --event-log`` writes: an event a line, the steps among others; without its summary."""
    events: list[dict[str, Any]] = [{"sequence": 0, "preludeEvent": {"config": {}}}]
    for entry_ in exported(stack)["deployment"]["resources"]:
        after = {key: value for key, value in entry_.items() if key != "propertyDependencies"}
        events.append({"resourcePreEvent": {"metadata": {"op": "create", "urn": entry_["urn"], "new": after}}})
    gone = exported(stack)["deployment"]["resources"][-1]
    step = {"op": "delete", "urn": f"{gone['urn']}-old", "old": gone, "new": None}
    events.append({"resourcePreEvent": {"metadata": step}})
    return "\n".join(map(json.dumps, events)) + "\n"


def manifests(stack: Stack) -> list[dict[str, Any]]:
    """The stack's Kubernetes objects as manifests."""
    found: list[dict[str, Any]] = []
    for declared in stack.values():
        package, group, kind = declared.type.split(":")
        if package == "kubernetes":
            version = group.removeprefix("core/")
            found.append({"apiVersion": version, "kind": kind, **declared.properties})
    return found


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Checks a stack written down as one kind of file, and returns the exit code and the report."""

    def run(stack: Stack, kind: str, *more: str, config: dict[str, Any] | None = None) -> Checked:
        path = tmp_path / "judged"
        if kind == "--state":
            path.write_text(json.dumps(exported(stack)))
        elif kind == "--preview":
            path.write_text(event_log(stack) + SUMMARY)
        else:
            path.mkdir(exist_ok=True)
            for number, content in enumerate(manifests(stack)):
                (path / f"{number}.yaml").write_text(yaml.safe_dump(content))
        arguments = ["check", kind, str(path), "--format", "json", *more]
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config))
            arguments += ["--config", str(tmp_path / "config.json")]
        code = main(arguments)
        return code, json.loads(capsys.readouterr().out)

    return run


def rules(report: dict[str, Any], standing: str = "mandatory") -> set[str]:
    """The rules with a finding of that standing."""
    return {found["rule"] for found in report["findings"] if found["standing"] == standing}


@pytest.mark.parametrize("kind", ["--state", "--preview", "--yaml"])
def test_the_good_stack_is_clean_from_every_source(check: Check, kind: str) -> None:
    code, report = check(good_stack(), kind)
    assert (code, report["findings"], report["clean"]) == (0, [], True)
    looked_at = {name for name, count in report["matched"].items() if count}
    # Some rules look at nothing outside production, and manifests know no buckets.
    assert len(looked_at) >= len(ALL) * (0.6 if kind == "--yaml" else 0.9)


@pytest.mark.parametrize("kind", ["--state", "--preview"])
def test_one_violation_of_each_rule_is_exactly_what_is_found(check: Check, kind: str) -> None:
    seen: set[str] = set()
    for stack, wanted in one_violation_of_each_rule():
        code, report = check(stack, kind, config=PRODUCTION)
        assert rules(report) | rules(report, "advisory") == wanted
        assert code == (1 if rules(report) else 0)
        seen |= wanted
    assert seen >= {case[0] for case in failing_cases()}


def test_manifests_have_the_violations_of_what_is_in_them(check: Check) -> None:
    code, report = check(good_stack().with_value(_SENTIMENT, _MEMORY, "1Gi"), "--yaml")
    assert code == 1
    (found,) = report["findings"]
    assert (found["rule"], found["found"], found["allowed"]) == ("sentiment-memory-range", '"1Gi"', "4Gi to 8Gi")
    lines = Path(str(found["file"])).read_text().splitlines()
    assert lines[int(found["line"]) - 1].strip() == "memory: 1Gi"


@pytest.mark.parametrize("kind", ["--state", "--preview"])
def test_what_is_not_yet_known_is_told_and_no_violation(check: Check, kind: str) -> None:
    code, report = check(good_stack().with_value(_SENTIMENT, _MEMORY, _UNKNOWN), kind)
    assert code == 0
    assert "sentiment-memory-range" in rules(report, "not yet known")
    assert rules(report) == set()


@pytest.mark.parametrize("kind", ["--state", "--preview"])
@pytest.mark.parametrize("form", ["console", "json", "sarif", "junit", "github"])
def test_no_report_holds_a_secret(
    check: Check, kind: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = check(good_stack().with_value("backup", "spec.schedule", secret("hunter2")), kind)
    assert code == 1
    assert "cronjob-unambiguous" in rules(report)
    assert main(["check", kind, str(tmp_path / "judged"), "--format", form]) == 1
    assert "hunter2" not in capsys.readouterr().out


def test_a_level_of_the_stack_decides_the_exit_code(check: Check) -> None:
    bad = good_stack().with_value(_SENTIMENT, _MEMORY, "1Gi")
    code, report = check(bad, "--state", config={"sentiment-memory-range": "advisory"})
    assert (code, rules(report, "advisory")) == (0, {"sentiment-memory-range"})
    code, report = check(bad, "--state", config={"sentiment-memory-range": {"enforcementLevel": "disabled"}})
    assert (code, report["findings"]) == (0, [])
    assert "sentiment-memory-range" not in report["matched"]


def test_a_waiver_excuses_exactly_its_rule_and_resource(check: Check, tmp_path: Path) -> None:
    bad = good_stack().with_value(_SENTIMENT, _MEMORY, "1Gi").with_value("analytics-hpa", "spec.maxReplicas", 9)
    file = write(tmp_path / "w.yaml", entry("sentiment-memory-range", "Deployment sentiment"))
    code, report = check(bad, "--state", "--waivers", str(file))
    assert code == 1
    assert rules(report, "waived") == {"sentiment-memory-range"}
    assert rules(report) == {"hpa-range", "quota-fits-peak"}
    assert (report["waivers"], report["counts"]["waived"]) == (1, 1)


def test_an_expired_waiver_excuses_nothing_and_is_a_violation_itself(check: Check, tmp_path: Path) -> None:
    bad = good_stack().with_value(_SENTIMENT, _MEMORY, "1Gi")
    file = write(tmp_path / "w.yaml", entry("sentiment-memory-range", "Deployment sentiment", expires="2020-01-01"))
    code, report = check(bad, "--state", "--waivers", str(file))
    assert (code, rules(report)) == (1, {"sentiment-memory-range", "waivers"})
    (told,) = (found for found in report["findings"] if found["rule"] == "waivers")
    assert (told["file"], told["path"], told["found"]) == (str(file), "expires", "2020-01-01")
    assert str(TODAY) in told["allowed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "one of the arguments --state --preview --yaml is required"),
        (["check", "--state", "a", "--yaml", "b"], "not allowed with"),
        (["check", "--state", "{tmp}/none"], "none: No such file or directory"),
        (["check", "--yaml", "{tmp}/none"], "none: no such file or folder"),
        (["check", "--yaml", "{tmp}/empty"], "no Kubernetes object in it"),
        (["check", "--yaml", "{tmp}/bad.yaml"], "bad.yaml: not YAML"),
        (["check", "--yaml", "{tmp}/odd.yaml"], "document 2 is no Kubernetes object"),
        (["check", "--state", "{tmp}/bad.yaml"], "not JSON"),
        (["check", "--state", "{tmp}/list.json"], "not an exported state"),
        (["check", "--state", "{tmp}/nameless.json"], "a resource without urn and type"),
        (["check", "--preview", "{tmp}/list.json"], "no step of a preview in it"),
        (["check", "--preview", "{tmp}/bad.yaml"], "line 1: not JSON"),
        (["check", "--state", "{tmp}/good.json", "--format", "xml"], "invalid choice: 'xml'"),
        (["check", "--state", "{tmp}/good.json", "--config", "{tmp}/list.json"], "allowed: an object"),
        (["check", "--state", "{tmp}/good.json", "--config", "{tmp}/none"], "none: No such file"),
        (["check", "--state", "{tmp}/good.json", "--waivers", "{tmp}/none"], "none: No such file"),
        (["check", "--state", "{tmp}/good.json", "--waivers", "{tmp}/good.json"], "allowed: a list of entries"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_two(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "odd.yaml").write_text("apiVersion: v1\nkind: Service\n---\na: 1\n")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "nameless.json").write_text('{"deployment": {"resources": [{}]}}')
    (tmp_path / "good.json").write_text(json.dumps(exported(good_stack())))
    try:
        code: Any = main([argument.replace("{tmp}", str(tmp_path)) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    told = capsys.readouterr()
    assert code == 2
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_manifests_of_every_form_are_read(tmp_path: Path) -> None:
    from policies.sources.manifests import read

    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.json").write_text('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}}')
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("c", "d")]
    (tmp_path / "c.yml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
    merged = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\nbase: &b {x: z}\ndata:\n  <<: *b\n---\n"
    (tmp_path / "e.yaml").write_text(merged)
    (tmp_path / "readme.txt").write_text("not read")
    found = read(tmp_path).resources
    assert [(each.kind, each.name) for each in found] == [
        ("core/Service", "b"),
        ("core/ConfigMap", "c"),
        ("core/ConfigMap", "d"),
        ("core/ConfigMap", "e"),
    ]
    assert found[-1].at("data", "x").value == "z"
    assert len({each.urn for each in found}) == 4


def test_a_digest_of_a_preview_and_a_checkpoint_are_read_as_well(tmp_path: Path) -> None:
    from policies.sources import preview, state

    resources = exported(good_stack())["deployment"]["resources"]
    resources[3]["sourcePosition"] = "project:///components/x.py#41,9"
    digest = {"steps": [{"op": "create", "urn": each["urn"], "newState": each} for each in resources]}
    (tmp_path / "digest.json").write_text(json.dumps(digest, indent=2))
    (tmp_path / "checkpoint.json").write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
    sources = [preview.read(tmp_path / "digest.json"), state.read(tmp_path / "checkpoint.json")]
    for source in sources:
        assert len(source.resources) == len(resources)


def test_a_reader_who_leaves_early_still_has_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(exported(good_stack().with_value(_SENTIMENT, _MEMORY, "1Gi"))))
    reading, writing = os.pipe()
    os.close(reading)
    program = Path(sys.executable).with_name("crypto-policy")
    done = subprocess.run(
        [program, "check", "--state", tmp_path / "state.json"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_command_needs_neither_the_sdk_nor_an_engine(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(exported(good_stack())))
    code = (
        "import sys; from policies.command.main import main;"
        f"code = main(['check', '--state', {str(tmp_path / 'state.json')!r}]);"
        "heavy = ('pulumi', 'pulumi_policy', 'grpc', 'google', 'pydantic', 'yaml', 'jsonschema', 'rich', 'typer');"
        "print(code, [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT)
    assert done.stdout.splitlines()[-1] == "0 []"
