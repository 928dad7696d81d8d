"""The rules in a pack of one's own beside the project's pack, in the same previews of the real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from local import toolchain
from policies.adapter import LOCKED_POLICY, WAIVED_POLICY
from policies.configuring.configuration import WAIVERS_KEY
from tests.policies.cases_first import GATEWAY, MAIN, MEMORY, POD, SENTIMENT
from tests.policies.stack import Stack, good_stack
from tests.policies.waivers import entry, write

pytestmark = pytest.mark.timeout(240)

_ROOT = Path(__file__).resolve().parents[2]
_OWN, _OURS = "crypto", "ours"
_HIDDEN = "hunter2-and-more"
_SECRET, _UNKNOWN = f"@secret{_HIDDEN}", "@unknown"
_WAITING = re.compile(r"can't run policy '[^']*' from policy pack '[^']*' during preview: ")

# The program that the documentation shows, with a policy of the team's in it.
_GUIDE = (_ROOT / "docs" / "operations" / "policy-pack.md").read_text()
_TEAM = """
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy

def no_maps(args, report):
    if args.name == "map":
        report("a map")

our_own = [ResourceValidationPolicy("no-maps", "No maps.", no_maps, EnforcementLevel.ADVISORY)]
"""
_PACK = _GUIDE.partition("```python\n")[2].partition("```")[0].replace("our_own = []  # the team's policies\n", _TEAM)
_PROGRAM = """
import json
import pathlib

import pulumi

cluster = pulumi.ProviderResource("kubernetes", "cluster", {"renderYamlToDirectory": "rendered"})
there = pulumi.ResourceOptions(provider=cluster)
unknown = pulumi.CustomResource("kubernetes:core/v1:ConfigMap", "map", {"metadata": {"namespace": "crypto"}}, there).id


def read(value):
    if isinstance(value, dict):
        return {key: read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [read(each) for each in value]
    if isinstance(value, str) and value.startswith("@secret"):
        return pulumi.Output.secret(value.removeprefix("@secret"))
    return unknown if value == "@unknown" else value


for kind, name, properties in json.loads(pathlib.Path("resources.json").read_text()):
    options = there if kind.startswith("kubernetes:") else None
    kinds = pulumi.CustomResource if options else pulumi.ComponentResource
    kinds(kind, name, read(properties), options)
"""


@dataclass(frozen=True)
class Said:
    """A violation or a piece of advice, as the engine hands it on."""

    policy: str
    level: str
    urn: str
    message: str


@dataclass(frozen=True)
class Run:
    """What the engine said, and what each pack."""

    code: int
    output: str
    said: dict[str, set[Said]]


Preview: TypeAlias = Callable[..., Run]


def _told(event: dict[str, Any]) -> Iterator[Said]:
    """What a pack says, line by line: the SDK joins what is not yet known, and gives it no resource of the stack."""
    policy, level, message = (event[key] for key in ("policyName", "enforcementLevel", "message"))
    waiting = _WAITING.match(message)
    for line in message[waiting.end() :].splitlines() if waiting else message.splitlines()[1:]:
        yield Said(policy, level, "" if "is not yet known" in line else event["resourceUrn"], line)


@pytest.fixture
def preview(tools_bin_dir: Path, tmp_path: Path) -> Preview:
    """Previews a program of some resources with both packs, each with its configuration, waivers and all."""
    program, pack, home = (tmp_path / name for name in ("program", "pack", "home"))
    for folder in (program, pack, home, tmp_path / "state"):
        folder.mkdir()
    toolchain.install_plugins(home)
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (program / "Pulumi.yaml").write_text(json.dumps({"name": "tiny", "runtime": runtime}))
    (program / "__main__.py").write_text(_PROGRAM)
    (pack / "PulumiPolicy.yaml").write_text(json.dumps({"runtime": runtime, "version": "1.0.0"}))
    (pack / "__main__.py").write_text(_PACK)
    environment = {
        "PATH": f"{tools_bin_dir}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(_ROOT),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DEBUG_COMMANDS": "true",
    }

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        return subprocess.run(
            command, cwd=program, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    waivers = pack / "waivers.yaml"
    paths = {_OWN: Path(sys.executable).with_name("crypto-policy-pack"), _OURS: pack}
    write(waivers)
    assert pulumi("stack", "init", "one").returncode == 0

    def run(stack: Stack, *names: str, packs: tuple[str, ...] = (_OWN, _OURS), **config: Any) -> Run:
        declared = [(stack[name].type, name, stack[name].properties) for name in names]
        (program / "resources.json").write_text(json.dumps(declared))
        # The project's pack is told its waivers by its configuration, the other one by its program.
        configs = {_OWN: {"waivers": {"file": str(waivers)}, **config}, _OURS: config}
        log, arguments = tmp_path / "events.json", list[str]()
        for name in packs:
            settings = tmp_path / f"{name}.json"
            settings.write_text(json.dumps(configs[name]))
            arguments += ["--policy-pack", str(paths[name]), "--policy-pack-config", str(settings)]
        done = pulumi("preview", *arguments, "--event-log", str(log))
        events = [json.loads(line).get("policyEvent") for line in log.read_text().splitlines()] if log.exists() else []
        said: dict[str, set[Said]] = {name: set() for name in packs}
        for event in events:
            if event is not None:
                said[event["policyPackName"]] |= set(_told(event))
        return Run(done.returncode, done.stdout + done.stderr, said)

    return run


_SERVICE = [name for name in good_stack() if name.startswith("api-gateway-")]
_GOOD = (*_SERVICE, "priority", "default-deny")
_BUCKET = [name for name, declared in good_stack().items() if declared.type.startswith("aws:s3/")]


def _of_rules(said: set[Said]) -> set[Said]:
    """Without the team's own policy and the one that only the SDK needs; what is waived is told by a third."""
    return {
        replace(each, policy=WAIVERS_KEY, level="advisory") if each.policy == WAIVED_POLICY else each
        for each in said
        if each.policy not in ("no-maps", LOCKED_POLICY)
    }


def test_a_good_stack_is_clean_for_both_packs(preview: Preview) -> None:
    run = preview(good_stack(), *_GOOD)
    assert run.code == 0, run.output
    assert run.said[_OWN] == set()
    # The team's own policy speaks beside the rules.
    assert {(each.policy, each.message) for each in run.said[_OURS]} == {("no-maps", "a map")}


def test_both_packs_say_the_same_of_a_violating_stack(preview: Preview, tmp_path: Path) -> None:
    write(
        tmp_path / "pack" / "waivers.yaml",
        entry("probes", "Deployment api-gateway"),
        entry("seccomp-profile", "Deployment sentiment", expires="2026-01-01"),
        entry("no-host-access", "Deployment sentiment"),
        entry("probes", "Deployment nobody"),
    )
    stack = good_stack().changed(
        (GATEWAY, MEMORY, _UNKNOWN),
        (GATEWAY, f"{MAIN}.livenessProbe", None),
        (GATEWAY, f"{MAIN}.image", "api:1.0"),
        ("api-gateway-hpa", "spec.maxReplicas", _UNKNOWN),
        (SENTIMENT, MEMORY, "1Gi"),
        (SENTIMENT, f"{POD}.securityContext.seccompProfile", None),
        (SENTIMENT, f"{POD}.hostNetwork", True),
        ("backup", "spec.schedule", _SECRET),
    )
    config = {"image-pinned": {"requireDigest": True, "requireDigests": True}, "service-has-pdb": "advisory"}
    run = preview(stack, *_GOOD, SENTIMENT, "backup", "bucket", **config)
    assert run.code != 0
    own, ours = run.said[_OWN], run.said[_OURS]
    assert _of_rules(ours) == own
    assert _HIDDEN not in run.output
    told = {(each.policy, each.level) for each in own}
    mandatory = {
        "image-pinned", "sentiment-memory-range", "seccomp-profile", "no-host-access", "service-has-hpa",
        "cronjob-unambiguous", "bucket-fully-configured", "bucket-tls-only", "waivers",
    }  # fmt: skip
    advisory = {"requests-and-limits", "service-has-pdb", "waivers"}
    assert told >= {(name, "mandatory") for name in mandatory} | {(name, "advisory") for name in advisory}
    assert not any(name == "probes" for name, _ in told)
    assert len([each for each in own if (each.policy, each.level) == ("waivers", "mandatory")]) == 3
    again = {each.message for each in ours if each.policy == LOCKED_POLICY}
    assert again == {each.message for each in own if each.policy == "bucket-tls-only"}


@pytest.mark.parametrize(
    ("pack", "config", "said"),
    [
        (
            _OWN,
            "no-host-access",
            "no-host-access: enforcementLevel is 'advisory'; allowed: mandatory, remediate (nobody",
        ),
        (_OURS, "no-host-access", "no-host-access: enforcementLevel is another; allowed: remediate, which it has by"),
        (_OURS, "all", "bucket-public-access: enforcementLevel is another; allowed: remediate, which it has by itself"),
    ],
    ids=["the project's", "one's own", "all of one's own"],
)
def test_a_locked_level_that_is_lowered_ends_the_run(preview: Preview, pack: str, config: str, said: str) -> None:
    run = preview(good_stack(), *_GOOD, packs=(pack,), **{config: "advisory"})
    assert run.code != 0
    assert said in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- rule: probes\n  owner: a\n  rule: seccomp-profile\n", "rule is given twice, in lines 1 and 3"),
        ("- rule: [\n", "waivers.yaml: not YAML"),
        (None, "waivers.yaml: No such file or directory"),
    ],
)
def test_waivers_that_cannot_be_read_end_the_run_of_ones_own_pack_in_one_line(
    preview: Preview, tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "pack" / "waivers.yaml"
    file.unlink()
    if text is not None:
        file.write_text(text)
    run = preview(good_stack(), *_GOOD, packs=(_OURS,))
    assert run.code != 0
    assert said in run.output
    assert "Traceback" not in run.output


def test_a_locked_rule_over_the_stack_stops_an_update_and_a_rule_mends(preview: Preview) -> None:
    stack = good_stack().without(GATEWAY, f"{POD}.securityContext.seccompProfile").without("bucket-policy")
    names = (*_GOOD, *(name for name in _BUCKET if name in stack))
    run = preview(stack, *names, packs=(_OURS,), **{"bucket-tls-only": "advisory", "seccomp-profile": "remediate"})
    assert run.code != 0
    assert re.search(r"\[remediate\] +seccomp-profile ", run.output)
    found = {(each.policy, each.level) for each in run.said[_OURS] if each.policy != "no-maps"}
    assert found == {("bucket-tls-only", "advisory"), (LOCKED_POLICY, "mandatory")}
