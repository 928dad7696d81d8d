"""Both servicers: they say the same, mend only what is safe, and count waivers. What only the pack's own does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import proto

from policies.adapter import LOCKED_POLICY, WAIVED_POLICY
from policies.catalogue import ALL, BY_NAME
from policies.model import Judgement, Meta, Parameters, Resource, Severity, StackRule
from policies.plain import SECRET, UNKNOWN, to_plain
from policies.protocol import wire
from policies.remediation.changes import REMEDIES
from runbook.sections import Section
from tests.policies.all_cases import FIRST_FAILURES
from tests.policies.cases import Case, label, stack_of
from tests.policies.cases_first import GATEWAY, POD
from tests.policies.servicer import OWN, SDK, SERVICERS, Engine, ask, names, secret
from tests.policies.stack import Stack, good_stack
from tests.policies.test_plain import JSON
from tests.policies.waivers import entry, write

_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SECCOMP = f"{POD}.securityContext.seccompProfile"
_TOKEN = f"{POD}.automountServiceAccountToken"
_ENCRYPTION = "rules.0.applyServerSideEncryptionByDefault"


@pytest.fixture(params=SERVICERS)
def servicer(request: pytest.FixtureRequest) -> str:
    """Both ways in which the engine reaches the rules."""
    return request.param


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_properties_are_read_from_the_wire_as_the_sdk_reads_them(data: dict[str, Any]) -> None:
    struct = struct_pb2.Struct()
    struct.update(data)
    assert wire.plain(struct) == to_plain(json_format.MessageToDict(struct))


def test_secrets_unknowns_and_assets_are_marks() -> None:
    struct = struct_pb2.Struct()
    hidden: Any = secret("hunter2")
    asset: Any = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": "hunter2"}
    struct.update({"a": hidden, "b": [_UNKNOWN_TEXT], "c": asset, "d": 3})
    assert wire.plain(struct) == {"a": SECRET, "b": [UNKNOWN], "c": "<asset>", "d": 3}


@pytest.mark.parametrize("case", list(FIRST_FAILURES.values()), ids=label)
def test_both_servicers_say_the_same(case: Case) -> None:
    stack, rule = stack_of(case), BY_NAME[case[0]]
    said = [
        [
            (told.policyName, told.message, told.enforcementLevel, told.severity)
            for told in found
            if told.policyName != LOCKED_POLICY
        ]
        for found in (ask(rule, stack, each) for each in (SDK, OWN))
    ]
    assert said[0]
    assert sorted(said[0]) == sorted(said[1])


def test_a_rule_over_the_stack_that_breaks_names_the_resource_at_hand() -> None:
    def judge(index: Any, _: Parameters) -> list[tuple[Resource, Judgement]]:
        for found in index.of("apps/Deployment"):
            assert found.name != "sentiment-deployment"
        return []

    rule = StackRule(Meta("broken", "Breaks.", Severity.LOW, Section.NAMESPACE, "Mend it."), judge)
    found = Engine((rule,), OWN).preview(good_stack())
    assert [told.urn for told in found] == [good_stack()["sentiment-deployment"].urn]
    assert "broken: Deployment sentiment: the rule itself failed (AssertionError" in found[0].message


# What a rule that can mend finds, and what is there after it did.
MENDED: list[tuple[str, str, str, Any]] = [
    ("seccomp-profile", GATEWAY, _SECCOMP, {"type": "RuntimeDefault"}),
    ("seccomp-profile", "backup", f"spec.jobTemplate.spec.template.spec.{_SECCOMP.removeprefix(f'{POD}.')}", {}),
    ("namespace-pod-security", "crypto", "metadata.labels", {"pod-security.kubernetes.io/enforce": "restricted"}),
    ("bucket-encryption", "encryption", "rules", [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]),
    ("bucket-encryption", "encryption", _ENCRYPTION, {"sseAlgorithm": "AES256"}),
]


def test_only_rules_of_the_catalogue_are_mended() -> None:
    assert [name for name in REMEDIES if name not in BY_NAME] == []


def test_a_pod_of_the_default_account_is_given_no_token() -> None:
    stack = good_stack().without(GATEWAY, _TOKEN).without(GATEWAY, f"{POD}.serviceAccountName")
    engine = Engine(servicer=OWN)
    engine.configure({"token-only-with-role": {"enforcementLevel": "remediate"}})
    assert "token-only-with-role" in names(Engine(servicer=OWN).judge(stack, GATEWAY))
    (mended,) = engine.remediate(stack[GATEWAY])
    properties = json_format.MessageToDict(mended.properties)
    assert properties == stack.with_value(GATEWAY, _TOKEN, False)[GATEWAY].properties
    own = good_stack().without(GATEWAY, _TOKEN)
    assert engine.remediate(own[GATEWAY]) == []
    assert engine.remediate(own["bucket"]) == []


@pytest.mark.parametrize(("rule", "resource", "path", "value"), MENDED)
def test_what_is_missing_is_mended_once_and_only_where_the_stack_says_so(
    rule: str, resource: str, path: str, value: Any, servicer: str
) -> None:
    stack = good_stack().without(resource, path)
    assert Engine(servicer=servicer).remediate(stack[resource]) == []
    engine = Engine(servicer=servicer)
    engine.configure({rule: {"enforcementLevel": "remediate"}})
    (mended,) = engine.remediate(stack[resource])
    assert mended.policyName == rule
    properties = json_format.MessageToDict(mended.properties)
    if value:
        assert properties == stack.with_value(resource, path, value)[resource].properties
    after = Stack({**stack, resource: type(stack[resource])(stack[resource].type, resource, properties)})
    assert engine.remediate(after[resource]) == []
    assert rule not in names(engine.judge(after, resource))


@pytest.mark.parametrize("marked", [_UNKNOWN_TEXT, secret("hunter2"), secret({"type": "x"})], ids=str)
@pytest.mark.parametrize(
    ("rule", "resource", "path"),
    [
        ("seccomp-profile", GATEWAY, _SECCOMP),
        ("seccomp-profile", GATEWAY, f"{POD}.securityContext"),
        ("seccomp-profile", GATEWAY, "spec"),
        ("namespace-pod-security", "crypto", "metadata.labels"),
        ("namespace-pod-security", "crypto", "metadata"),
        ("bucket-encryption", "encryption", "rules"),
        ("bucket-encryption", "encryption", "rules.0"),
        ("bucket-encryption", "encryption", _ENCRYPTION),
    ],
)
def test_what_cannot_be_read_is_not_written_over(
    rule: str, resource: str, path: str, marked: Any, servicer: str
) -> None:
    engine = Engine(servicer=servicer)
    engine.configure({rule: {"enforcementLevel": "remediate"}})
    stack = good_stack().with_value(resource, path, marked)
    assert engine.remediate(stack[resource]) == []
    # The wire would refuse it as well: the rule does not even ask.
    assert list(REMEDIES[rule](stack[resource].plain(stack))) == []


@pytest.mark.parametrize("path", [("a", "b"), ("a",), ("a", 0, "b"), ("b", 7, "c"), ("b", 0, "c"), ("b", "c")])
def test_the_wire_itself_refuses_to_write_behind_what_cannot_be_read(path: tuple[str | int, ...]) -> None:
    marks: list[Any] = [_UNKNOWN_TEXT, secret("x")]
    for marked in marks:
        struct = struct_pb2.Struct()
        struct.update({"a": marked, "b": [marked]})
        before = struct.SerializeToString(deterministic=True)
        assert not wire.change(struct, path, "new")
        assert struct.SerializeToString(deterministic=True) == before


def test_a_rule_of_capacity_is_never_mended() -> None:
    assert not {"requests-and-limits", "sentiment-memory-range", "hpa-range", "redis-maxmemory"} & set(REMEDIES)


def test_a_level_of_the_stack_is_kept(servicer: str) -> None:
    engine = Engine(servicer=servicer)
    engine.configure({"probes": {"enforcementLevel": "advisory"}})
    found = engine.preview(good_stack().without(GATEWAY, f"{POD}.containers.0.livenessProbe"))
    assert names(found) == set()
    assert names(found, proto.ADVISORY) == {"probes"}


def test_a_waived_violation_is_counted_and_no_violation(tmp_path: Path, servicer: str) -> None:
    write(tmp_path / "waivers.yaml", entry("probes", "Deployment api-gateway"))
    engine = Engine(servicer=servicer, folder=tmp_path)
    found = engine.preview(good_stack().without(GATEWAY, f"{POD}.containers.0.livenessProbe"))
    assert names(found) == set()
    assert {told.policyName for told in found} == {"waivers" if servicer == OWN else WAIVED_POLICY}
    assert [told.message.splitlines()[-1] for told in found] == [
        "waivers: 1 findings are waived: probes of Deployment api-gateway"
    ]


def test_a_waiver_that_is_not_needed_is_a_violation(tmp_path: Path, servicer: str) -> None:
    write(tmp_path / "waivers.yaml", entry("probes", "Deployment nobody"))
    (told,) = Engine(servicer=servicer, folder=tmp_path).preview(good_stack())
    assert (told.policyName, told.enforcementLevel) == ("waivers", proto.MANDATORY)
    assert "waivers.yaml, entry 1 (probes of Deployment nobody): the entry is not needed" in told.message


def test_the_waivers_of_a_stack_are_named_by_its_configuration(tmp_path: Path) -> None:
    write(tmp_path / "prod.yaml", entry("probes", "Deployment nobody"))
    engine = Engine(servicer=OWN, folder=tmp_path)
    engine.configure({"waivers": {"file": "prod.yaml"}})
    (told,) = engine.preview(good_stack())
    assert told.enforcementLevel == proto.MANDATORY
    assert "waivers: prod.yaml, entry 1 (probes of Deployment nobody): the entry is not needed" in told.message


def test_waivers_that_are_named_where_the_sdk_does_not_look_are_a_violation() -> None:
    engine = Engine(servicer=SDK)
    engine.configure({"waivers": {"file": "prod.yaml"}})
    (told,) = engine.preview(good_stack())
    assert told.enforcementLevel == proto.MANDATORY
    assert 'waivers: the stack: the key "file" of its configuration is unknown' in told.message


def test_an_asset_is_not_written_into(servicer: str) -> None:
    asset = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": "x"}
    engine = Engine(servicer=servicer)
    engine.configure({"seccomp-profile": {"enforcementLevel": "remediate"}})
    assert engine.remediate(good_stack().with_value(GATEWAY, "spec", asset)[GATEWAY]) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"waivers": {"file": "none.yaml"}}, "none.yaml: No such file or directory"),
        ({"waivers": {"enforcementLevel": "advisory", "file": "x"}}, "waivers: allowed: mandatory"),
    ],
)
def test_a_configuration_that_cannot_be_taken_ends_the_run(given: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="INVALID_ARGUMENT") as caught:
        Engine(servicer=OWN, folder=tmp_path).configure(given)
    assert said in str(caught.value)


def test_the_pack_loads_of_what_is_heavy_the_sdk_alone() -> None:
    code = (
        "import sys, policies.protocol.server, json;"
        "heavy = ('pulumi_policy', 'pydantic', 'jsonschema');"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert len(ALL) > 0
