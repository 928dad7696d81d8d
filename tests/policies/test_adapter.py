"""The rules as the engine runs them: behind the SDK's servicer with its real proxies, and behind the pack's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pulumi.runtime import proto

from policies import kinds, pods
from policies.adapter import LOCKED_POLICY, SECRETS_POLICY
from policies.catalogue import ALL, BY_NAME
from policies.configuring.configuration import WAIVERS_KEY, ConfigurationError
from policies.model import Judgement, Level, Meta, Parameters, Resource, ResourceRule, Severity, StackRule
from policies.plain import UNKNOWN
from runbook.sections import Section
from tests.policies.all_cases import FIRST_FAILURES, FIRST_WAITS
from tests.policies.cases import Case, Waiting, label, stack_of
from tests.policies.cases_first import GATEWAY, LIMIT, MEMORY, POD, SENTIMENT
from tests.policies.servicer import SDK, SERVICERS, Engine, ask, names, secret
from tests.policies.stack import Declared, Stack, good_stack

_LEVELS = {Level.MANDATORY: proto.MANDATORY, Level.ADVISORY: proto.ADVISORY}
SECRET_VALUE = "hunter2-and-more"
LOCKED = [rule.meta.name for rule in ALL if isinstance(rule, ResourceRule) and not rule.meta.waivable]
LOCKED_OF_STACK = [rule.meta.name for rule in ALL if isinstance(rule, StackRule) and not rule.meta.waivable]


@pytest.fixture(params=SERVICERS)
def servicer(request: pytest.FixtureRequest) -> str:
    """Both ways in which the engine reaches the rules."""
    return request.param


def test_the_good_stack_is_clean(servicer: str) -> None:
    assert Engine(servicer=servicer).preview(good_stack()) == []


@pytest.mark.parametrize("case", list(FIRST_FAILURES.values()), ids=label)
def test_every_violation_reaches_the_engine_at_its_level(case: Case, servicer: str) -> None:
    rule = BY_NAME[case[0]]
    found = ask(rule, stack_of(case), servicer)
    assert names(found, _LEVELS[rule.meta.level]) - {LOCKED_POLICY} == {rule.meta.name}
    assert all(rule.meta.name in diagnostic.message for diagnostic in found)
    assert all("docs/runbook.md#section-" in diagnostic.message for diagnostic in found)


def test_the_message_names_rule_value_range_and_section(servicer: str) -> None:
    found = Engine(servicer=servicer).judge(good_stack().with_value(SENTIMENT, MEMORY, "1Gi"), SENTIMENT)
    assert len(found) == 1
    for part in (
        "sentiment-memory-range",
        "Deployment sentiment",
        '"1Gi"',
        "4Gi to 8Gi",
        "3.5",
        "docs/runbook.md#section-3-5",
    ):
        assert part in found[0].message


@pytest.mark.parametrize("case", list(FIRST_WAITS.values()), ids=lambda case: case[0])
def test_an_unknown_value_is_told_as_advice(case: Waiting, servicer: str) -> None:
    rule, resource, path = case
    found = ask(BY_NAME[rule], good_stack().with_value(resource, path, UNKNOWN), servicer)
    assert names(found) == set()
    assert names(found, proto.ADVISORY) == {rule}
    assert all("not yet known" in diagnostic.message for diagnostic in found)


def test_an_unknown_value_does_not_silence_what_is_known(servicer: str) -> None:
    stack = good_stack().with_value(SENTIMENT, MEMORY, UNKNOWN).with_value(SENTIMENT, LIMIT, "1Gi")
    found = [
        diagnostic
        for diagnostic in Engine(servicer=servicer).judge(stack, SENTIMENT)
        if diagnostic.policyName == "sentiment-memory-range"
    ]
    assert [diagnostic.enforcementLevel for diagnostic in found] == [proto.MANDATORY, proto.ADVISORY]


def test_what_was_unknown_in_the_preview_is_judged_in_the_update(servicer: str) -> None:
    engine = Engine(servicer=servicer)
    in_preview, in_update = (good_stack().with_value(SENTIMENT, MEMORY, value) for value in (UNKNOWN, "1Gi"))
    assert names(engine.judge(in_preview, SENTIMENT)) == set()
    assert names(engine.judge(in_update, SENTIMENT)) == {"sentiment-memory-range"}


@pytest.mark.parametrize("case", list(FIRST_WAITS.values()), ids=lambda case: case[0])
def test_no_message_holds_a_secret(case: Waiting, servicer: str) -> None:
    rule, resource, path = case
    found = ask(BY_NAME[rule], good_stack().with_value(resource, path, secret(SECRET_VALUE)), servicer)
    assert SECRET_VALUE not in str(found)


def test_defaults_that_the_cluster_adds_are_not_held_against_the_program(servicer: str) -> None:
    stack = good_stack()
    output = stack.with_value(SENTIMENT, "spec.replicas", 1)[SENTIMENT].properties
    assert Engine(servicer=servicer).judge(stack, SENTIMENT, outputs={SENTIMENT: output}) == []
    # Only where the engine never showed the inputs do the outputs have to do.
    assert names(Engine(servicer=servicer).analyze_stack(stack, {SENTIMENT: output})) == {"no-static-replicas"}


def _crash(resource: Resource, _: Parameters) -> list[Judgement]:
    raise RuntimeError(f"secret inside: {SECRET_VALUE} of {resource.name}")


def _crash_on_stack(_index: object, _: Parameters) -> list[tuple[Resource, Judgement]]:
    raise RuntimeError(SECRET_VALUE)


def _meta(name: str) -> Meta:
    return Meta(name, "Breaks.", Severity.LOW, Section.NAMESPACE, "Mend it.")


def test_a_rule_that_breaks_is_its_own_failure_and_nobody_elses(servicer: str) -> None:
    broken = ResourceRule(_meta("broken"), pods.is_workload, _crash)
    broken_stack = StackRule(_meta("broken-stack"), _crash_on_stack)
    found = Engine((broken, broken_stack, *ALL), servicer).preview(good_stack().with_value(SENTIMENT, MEMORY, "1Gi"))
    assert names(found) == {"broken", "broken-stack", "sentiment-memory-range"}
    texts = [diagnostic.message for diagnostic in found if diagnostic.policyName == "broken"]
    assert len(texts) == sum(kinds.kind_of(each.type) in kinds.WORKLOADS for each in good_stack().values()) > 20
    assert any("broken: Deployment sentiment: the rule itself failed (RuntimeError" in text for text in texts)
    assert SECRET_VALUE not in str(found)
    assert "Traceback" not in str(found)


def test_resources_analysed_at_the_same_time_do_not_mix(servicer: str) -> None:
    engine, good = Engine(servicer=servicer), good_stack()
    bad = good.with_value(SENTIMENT, MEMORY, "1Gi")
    clean: list[tuple[Declared, set[str]]] = [(declared, set()) for declared in good.values()]
    jobs = clean + [(bad[SENTIMENT], {"sentiment-memory-range"})] * 20
    with ThreadPoolExecutor(4) as pool:
        found = [names(found) for found in pool.map(engine.analyze, [declared for declared, _ in jobs])]
    assert len(found) > 20
    assert found == [wanted for _, wanted in jobs]


def test_findings_come_in_the_same_order_every_time(servicer: str) -> None:
    stack = good_stack()
    for name in ("encryption", "versioning", "sentiment-hpa", "analytics-hpa"):
        stack = stack.without(name)
    backwards = Stack(dict(reversed(stack.items())))
    texts = [
        [diagnostic.message for diagnostic in Engine(servicer=servicer).analyze_stack(each)]
        for each in (stack, backwards)
    ]
    assert len(texts[0]) == 4
    assert texts[0] == texts[1]


def test_the_engine_is_told_all_about_every_rule(servicer: str) -> None:
    info = Engine(servicer=servicer).servicer.GetAnalyzerInfo(None, None)
    told = {policy.name: policy for policy in info.policies if policy.name in BY_NAME}
    assert list(told) == [rule.meta.name for rule in ALL]
    assert WAIVERS_KEY in {policy.name for policy in info.policies}
    for policy in told.values():
        # Of the SDK's levels, "remediate" is the only one that a policy can tell from the others.
        watched = servicer == SDK and policy.name in LOCKED
        assert policy.enforcementLevel == (proto.REMEDIATE if watched else _LEVELS[BY_NAME[policy.name].meta.level])
        assert policy.severity != proto.POLICY_SEVERITY_UNSPECIFIED
        assert policy.description
        assert policy.remediation_steps
        assert policy.url.startswith("docs/runbook.md#section-")


@pytest.mark.parametrize("level", ["advisory", "mandatory", "disabled"])
@pytest.mark.parametrize("name", [SECRETS_POLICY, *LOCKED])
def test_a_policy_of_the_sdk_whose_level_is_locked_ends_the_run_at_another(name: str, level: str) -> None:
    engine = Engine(servicer=SDK)
    engine.configure({name: {"enforcementLevel": level}})
    with pytest.raises(ConfigurationError, match=f"^{name}: enforcementLevel is another; allowed: remediate"):
        engine.analyze(good_stack()[SENTIMENT])


def test_a_locked_rule_of_the_sdk_over_the_stack_is_heard_at_every_level() -> None:
    assert LOCKED_OF_STACK == ["bucket-tls-only"]
    rules = [BY_NAME[name] for name in LOCKED_OF_STACK]
    for level in ("mandatory", "advisory"):
        engine = Engine(rules, SDK)
        engine.configure({"bucket-tls-only": {"enforcementLevel": level}})
        found = engine.preview(good_stack().without("bucket-policy"))
        assert names(found) - {"bucket-tls-only"} == {LOCKED_POLICY}
        (message,) = {told.message.splitlines()[1] for told in found}
        assert message.startswith("bucket-tls-only: Bucket ")
    engine = Engine(rules, SDK)
    engine.configure({"bucket-tls-only": {"enforcementLevel": "disabled"}})
    (told,) = engine.preview(good_stack())
    assert (told.policyName, told.enforcementLevel) == (LOCKED_POLICY, proto.MANDATORY)
    assert "bucket-tls-only: enforcementLevel is disabled; allowed: mandatory" in told.message


def test_no_message_holds_a_secret_of_what_is_shown_in_the_stack_alone(servicer: str) -> None:
    stack = good_stack().with_value(GATEWAY, f"{POD}.priorityClassName", secret(SECRET_VALUE))
    plain = good_stack().with_value(GATEWAY, f"{POD}.priorityClassName", "nowhere")
    assert "priority-class-declared" in names(Engine(servicer=servicer).analyze_stack(plain))
    assert SECRET_VALUE not in str(Engine(servicer=servicer).analyze_stack(stack))


def test_kinds_that_live_in_no_namespace_are_known() -> None:
    assert not kinds.namespaced(kinds.kind_of("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"))
    assert not kinds.namespaced(kinds.kind_of("pulumi:providers:kubernetes"))
    assert not kinds.namespaced(kinds.kind_of("aws:s3/bucket:Bucket"))
    assert not kinds.namespaced(kinds.kind_of("crypto:datastore:Redis"))
    assert kinds.namespaced(kinds.kind_of("kubernetes:monitoring.coreos.com/v1:PrometheusRule"))
    assert kinds.kind_of("aws:s3/bucketVersioningV2:BucketVersioningV2") == kinds.BUCKET_VERSIONING
