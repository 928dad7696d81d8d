"""Every rule: what it lets pass, what it catches, what it waits for, and where exactly the line is.

Each case changes the good stack and says what one rule makes of it; a rule that looked at nothing has not passed.
"""

from __future__ import annotations

import pytest

from policies.catalogue import ALL
from policies.model import Outcome
from policies.plain import SECRET, UNKNOWN
from runbook import services
from tests.policies.all_cases import FAILS, PASSES, WAITS
from tests.policies.cases import PRODUCTION, Case, Waiting, config_of, label, stack_of
from tests.policies.cases_first import GATEWAY, LIMIT, MAIN, POD
from tests.policies.running import judge_all, judge_rule, rules_that_speak
from tests.policies.stack import Declared, Stack, good_stack

NAMES = {rule.meta.name for rule in ALL}
# Judged by a resource option or by its type, which are always known.
NEVER_UNKNOWN = {"stateful-protected", "kind-known", "kind-judged"}


def test_every_rule_passes_the_good_stack_and_looked_at_something() -> None:
    verdicts = judge_all(good_stack(), PRODUCTION)
    assert verdicts.keys() == NAMES
    assert {name for name, verdict in verdicts.items() if verdict.matched == 0} == set()
    assert {name: verdict.findings for name, verdict in verdicts.items() if verdict.findings} == {}


@pytest.mark.parametrize("case", PASSES, ids=label)
def test_what_is_allowed_passes(case: Case) -> None:
    verdict = judge_rule(case[0], stack_of(case), config_of(case))
    assert verdict.matched > 0
    assert verdict.findings == ()


@pytest.mark.parametrize("case", FAILS, ids=label)
def test_what_is_not_allowed_is_caught_by_its_rule(case: Case) -> None:
    verdict = judge_rule(case[0], stack_of(case), config_of(case))
    assert verdict.of(Outcome.VIOLATED)
    assert verdict.of(Outcome.FAILED) == ()


@pytest.mark.parametrize("case", WAITS, ids=lambda case: f"{case[0]}-{case[1]}-{str(case[2])[-30:]}")
def test_an_unknown_value_is_neither_passed_nor_a_violation(case: Waiting) -> None:
    rule, resource, path = case
    verdict = judge_rule(rule, good_stack().with_value(resource, path, UNKNOWN), PRODUCTION)
    assert verdict.of(Outcome.UNKNOWN)
    assert {finding.judgement.outcome for finding in verdict.findings} == {Outcome.UNKNOWN}


def test_every_rule_has_a_violating_and_an_unknown_case() -> None:
    assert {case[0] for case in FAILS} == NAMES
    assert {case[0] for case in WAITS} | NEVER_UNKNOWN == NAMES
    assert {case[0] for case in PASSES} <= NAMES


def test_a_value_that_is_unknown_or_secret_crashes_no_rule_wherever_it_stands() -> None:
    for rule, resource, path in WAITS:
        for marker in (UNKNOWN, SECRET):
            verdicts = judge_all(good_stack().with_value(resource, path, marker), PRODUCTION, only=resource)
            broken = [name for name, verdict in verdicts.items() if verdict.of(Outcome.FAILED)]
            assert broken == [], f"{rule}: {resource} {path}"


@pytest.mark.parametrize("companion", ["encryption", "versioning", "public-access", "lifecycle"])
def test_a_bucket_without_a_companion_is_caught(companion: str) -> None:
    assert "bucket-fully-configured" in rules_that_speak(good_stack().without(companion))


@pytest.mark.parametrize("spec", services.ALL, ids=lambda spec: spec.name)
def test_a_service_without_autoscaler_or_budget_is_caught(spec: services.ServiceSpec) -> None:
    assert "service-has-hpa" in rules_that_speak(good_stack().without(f"{spec.name}-hpa"))
    assert "service-has-pdb" in rules_that_speak(good_stack().without(f"{spec.name}-pdb"))


def test_init_containers_are_judged_as_well() -> None:
    stack = good_stack().with_value(GATEWAY, f"{POD}.initContainers", [{"name": "wait", "image": "busybox"}])
    wanted = {
        "image-pinned",
        "requests-and-limits",
        "no-privilege-escalation",
        "drop-all-capabilities",
        "read-only-root",
    }
    assert rules_that_speak(stack) == wanted


def test_an_older_api_version_of_a_kind_does_not_slip_past() -> None:
    stack = good_stack().without(GATEWAY, LIMIT)
    old = Stack(
        {
            **stack,
            GATEWAY: type(stack[GATEWAY])(
                "kubernetes:extensions/v1beta1:Deployment", GATEWAY, stack[GATEWAY].properties
            ),
        }
    )
    assert "requests-and-limits" in rules_that_speak(old)


def _patch(**spec: object) -> Stack:
    metadata = {"name": "elsewhere", "namespace": "crypto"}
    changed = Declared("kubernetes:apps/v1:DeploymentPatch", "patch", {"metadata": metadata, "spec": spec})
    return Stack({**good_stack(), "patch": changed})


def test_a_patch_is_judged_by_what_it_states_and_not_by_what_it_leaves_out() -> None:
    assert rules_that_speak(_patch()) == rules_that_speak(_patch(), Outcome.UNKNOWN) == set()
    container = {"name": "a", "image": "a:latest", "securityContext": {"privileged": True}}
    loud = _patch(template={"spec": {"hostNetwork": True, "containers": [container]}})
    assert rules_that_speak(loud) == {"no-host-access", "no-privilege-escalation", "image-pinned"}
    assert rules_that_speak(loud, Outcome.UNKNOWN) == set()


@pytest.mark.parametrize(
    "kind", ["core/v1:ReplicationController", "core/v1:PodTemplate", "extensions/v1beta1:ReplicaSet"]
)
def test_pods_are_judged_wherever_they_are_declared(kind: str) -> None:
    template = {"spec": {"hostPID": True, "containers": [{"name": "a", "image": "a"}]}}
    metadata = {"name": "hidden", "namespace": "crypto"}
    body = {"template": template} if kind.endswith("PodTemplate") else {"spec": {"template": template}}
    hidden = Declared(f"kubernetes:{kind}", "hidden", {"metadata": metadata, **body})
    assert {"no-host-access", "image-pinned"} <= rules_that_speak(Stack({**good_stack(), "hidden": hidden}))


@pytest.mark.parametrize("name", ["redis", "postgres", "kafka", "bucket", "key"])
def test_production_protects_what_holds_data(name: str) -> None:
    assert rules_that_speak(good_stack().unprotected(name), config=PRODUCTION) == {"stateful-protected"}
    assert rules_that_speak(good_stack().unprotected(name)) == set()


def test_configuration_tightens() -> None:
    assert rules_that_speak(good_stack(), config={"bucket-retention": {"days": 30.0}}) == set()
    assert rules_that_speak(good_stack(), config={"bucket-retention": {"days": 31.0}}) == {"bucket-retention"}
    assert rules_that_speak(good_stack(), config={"image-pinned": {"requireDigest": True}}) == {"image-pinned"}
    assert rules_that_speak(good_stack(), config={"image-pinned": {"registries": ["localhost/crypto"]}}) == set()
    assert rules_that_speak(good_stack(), config={"image-pinned": {"registries": ["localhost/cry"]}}) == {
        "image-pinned"
    }
    other = good_stack().with_value(GATEWAY, "metadata.namespace", "monitoring")
    allowed = {"namespace": {"allowedNamespaces": ["monitoring"]}}
    assert "namespace" not in rules_that_speak(other, config=allowed)


@pytest.mark.parametrize(
    ("kind", "namespace", "speaks"),
    [
        ("kubernetes:cert-manager.io/v1:Certificate", "monitoring", False),
        ("kubernetes:cert-manager.io/v1:Certificate", "default", True),
        ("kubernetes:networking.k8s.io/v1:Ingress", "monitoring", False),
        ("kubernetes:core/v1:ConfigMap", "monitoring", True),
    ],
)
def test_only_what_the_platform_reads_may_lie_beside_it(kind: str, namespace: str, *, speaks: bool) -> None:
    beside = Declared(kind, "beside", {"metadata": {"name": "beside", "namespace": namespace}})
    spoken = rules_that_speak(Stack({**good_stack(), "beside": beside}))
    assert ("namespace" in spoken) is speaks


def test_a_misspelt_configuration_key_is_a_violation() -> None:
    assert rules_that_speak(good_stack(), config={"bucket-retention": {"day": 60}}) == {"bucket-retention"}
    assert rules_that_speak(good_stack(), config={"service-has-hpa": {"day": 60}}) == {"service-has-hpa"}


def test_a_companion_is_found_by_what_its_bucket_is_computed_from() -> None:
    stack = good_stack().with_value("lifecycle", "bucket", UNKNOWN).with_links("lifecycle", bucket=("bucket",))
    assert rules_that_speak(stack, Outcome.UNKNOWN) == set()


def test_one_end_of_a_range_is_judged_while_the_other_is_not_yet_known() -> None:
    for known, value, unknown in (("minReplicas", 10, "maxReplicas"), ("maxReplicas", 3, "minReplicas")):
        stack = good_stack().with_value("api-gateway-hpa", f"spec.{known}", value)
        stack = stack.with_value("api-gateway-hpa", f"spec.{unknown}", UNKNOWN)
        assert judge_rule("hpa-range", stack).of(Outcome.VIOLATED)


def test_an_autoscaler_of_another_kind_of_workload_does_not_count() -> None:
    stack = good_stack().with_value("api-gateway-hpa", "spec.scaleTargetRef.kind", "StatefulSet")
    assert "service-has-hpa" in rules_that_speak(stack)


def test_an_argument_of_redis_that_is_not_yet_known_is_waited_for() -> None:
    stack = good_stack().with_value("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", UNKNOWN])
    assert judge_rule("redis-maxmemory", stack).of(Outcome.UNKNOWN)


def test_an_identifier_of_the_bucket_is_as_good_as_its_name() -> None:
    stack = good_stack().with_value("lifecycle", "bucket", "an-id-of-the-bucket")
    assert judge_rule("bucket-fully-configured", stack).of(Outcome.VIOLATED)
    assert rules_that_speak(stack.with_links("lifecycle", bucket=("bucket",))) == set()


def test_a_name_that_differs_is_no_reference_whatever_else_the_property_was_computed_from() -> None:
    stack = good_stack().with_value("api-gateway-hpa", "spec.scaleTargetRef.name", "another")
    assert "service-has-hpa" in rules_that_speak(stack.with_links("api-gateway-hpa", spec=("api-gateway-deployment",)))


def test_a_right_that_leads_to_others_is_told_with_its_binding_role_and_subjects() -> None:
    stack = good_stack().with_value("ops-role", "rules.0.verbs", ["patch"])
    (found,) = judge_rule("rbac-no-own-pods", stack).findings
    assert found.resource == "RoleBinding ops-binding"
    assert found.judgement.found == '"ops", by which ServiceAccount ops can patch deployments (apps)'
    (unbound,) = judge_rule("rbac-no-own-pods", stack.without("ops-binding")).findings
    assert (unbound.resource, unbound.judgement.found) == ("Role ops", "patch deployments (apps)")
    (admin,) = judge_rule(
        "rbac-no-namespace-admin",
        good_stack().with_value("ops-binding", "roleRef", {"kind": "ClusterRole", "name": "admin"}),
    ).findings
    assert admin.judgement.found == '"admin", for ServiceAccount ops'
