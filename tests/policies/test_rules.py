"""Every rule: what it lets pass, what it catches, and where exactly the line is.

Each case changes one fact of the good stack and names the only rules that may speak.
"""

from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue import ALL
from policies.model import Outcome
from policies.plain import UNKNOWN
from runbook import services
from tests.policies.running import judge_all, rules_that_speak
from tests.policies.stack import Declared, Stack, good_stack

SENTIMENT = "sentiment-deployment"
GATEWAY = "api-gateway-deployment"
POD = "spec.template.spec"
MAIN = f"{POD}.containers.0"
MEMORY = f"{MAIN}.resources.requests.memory"
LIMIT = f"{MAIN}.resources.limits.memory"
CONTEXT = f"{MAIN}.securityContext"
PRODUCTION = {"stateful-protected": {"production": True}}

FROM_SECRET = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
AMBIGUOUS = ["0 3 1-7 * 0", "0 3 1 * MON", "0 3 1 1 1", "0 3 */2 * 1"]
UNREADABLE = ["TZ=UTC 0 3 * * *", "0 3 * *", "@daily", ""]

# (rule, resource, path, value that passes or None for "left out")
GOOD: list[tuple[str, str, str, Any]] = [
    ("sentiment-memory-range", SENTIMENT, MEMORY, "4Gi"),
    ("sentiment-memory-range", SENTIMENT, MEMORY, 4 * 2**30),
    ("sentiment-memory-range", SENTIMENT, MEMORY, "4096Mi"),
    ("sentiment-memory-range", SENTIMENT, MEMORY, "8Gi"),
    ("hpa-range", "api-gateway-hpa", "spec.minReplicas", 9),
    ("hpa-range", "api-gateway-hpa", "spec.maxReplicas", 4),
    ("hpa-range", "sentiment-hpa", "spec.minReplicas", 4),
    ("requests-and-limits", GATEWAY, MEMORY, "1536Mi"),
    ("requests-and-limits", GATEWAY, f"{MAIN}.resources.requests.cpu", 1),
    ("image-pinned", GATEWAY, f"{MAIN}.image", "registry:5000/crypto/api@sha256:00ff"),
    ("image-pinned", GATEWAY, f"{MAIN}.image", "registry:5000/crypto/api:1.0"),
    ("probes", GATEWAY, f"{MAIN}.livenessProbe", {"httpGet": {"path": "/health", "port": 8000}, "failureThreshold": 4}),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.maxUnavailable", "1%"),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.minAvailable", 2),
    ("bucket-retention", "lifecycle", "rules.1.expiration", {"expiredObjectDeleteMarker": True}),
    ("run-as-non-root", GATEWAY, f"{POD}.securityContext.runAsUser", 1),
    ("drop-all-capabilities", GATEWAY, f"{CONTEXT}.capabilities.add", ["NET_BIND_SERVICE"]),
    ("seccomp-profile", GATEWAY, f"{POD}.securityContext.seccompProfile.type", "Localhost"),
    ("no-secret-in-env", GATEWAY, f"{MAIN}.env", [{"name": "LOG_LEVEL", "value": "info"}]),
    ("cronjob-deadline", "backup", "spec.startingDeadlineSeconds", 10),
    ("bucket-encryption", "encryption", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "AES256"),
    ("bucket-retention", "lifecycle", "rules.0.expiration.days", 31),
    ("bucket-retention", "lifecycle", "rules.1.abortIncompleteMultipartUpload.daysAfterInitiation", 1),
    ("redis-maxmemory", "redis-config", "data", {"redis.conf": "maxmemory 1073741823\n"}),
    ("redis-maxmemory", "redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "600mb"]),
    ("no-static-replicas", "redis", "spec.replicas", 2),
]

BAD: list[tuple[str, str, str, Any]] = [
    ("namespace", "redis-config", "metadata.namespace", "default"),
    ("namespace", GATEWAY, "metadata.namespace", None),
    ("namespace-pod-security", "crypto", "metadata.labels", {"pod-security.kubernetes.io/enforce": "baseline"}),
    ("namespace-pod-security", "crypto", "metadata.labels", None),
    ("sentiment-memory-range", SENTIMENT, MEMORY, "1Gi"),
    ("sentiment-memory-range", SENTIMENT, MEMORY, 4 * 2**30 - 1),
    ("sentiment-memory-range", SENTIMENT, LIMIT, 8 * 2**30 + 1),
    ("hpa-range", "api-gateway-hpa", "spec.minReplicas", 2),
    ("hpa-range", "api-gateway-hpa", "spec.minReplicas", None),
    ("hpa-range", "api-gateway-hpa", "spec.minReplicas", 10),
    ("hpa-range", "api-gateway-hpa", "spec.maxReplicas", 11),
    ("hpa-range", "api-gateway-hpa", "spec.maxReplicas", 3),
    ("hpa-range", "analytics-hpa", "spec.maxReplicas", 9),
    ("hpa-range", "sentiment-hpa", "spec.maxReplicas", 6),
    ("hpa-range", "sentiment-hpa", "spec.minReplicas", 1),
    ("service-has-hpa", "api-gateway-hpa", "metadata.namespace", "crypto-2"),
    ("no-static-replicas", GATEWAY, "spec.replicas", 3),
    ("service-has-pdb", "api-gateway-pdb", "spec.selector.matchLabels", {"app": "other"}),
    ("service-has-pdb", "api-gateway-pdb", "spec.selector", {}),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.maxUnavailable", 0),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.maxUnavailable", "0%"),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.maxUnavailable", None),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.minAvailable", 3),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.minAvailable", "100%"),
    ("requests-and-limits", GATEWAY, LIMIT, None),
    ("requests-and-limits", GATEWAY, MEMORY, None),
    ("requests-and-limits", GATEWAY, MEMORY, "1537Mi"),
    ("requests-and-limits", GATEWAY, MEMORY, "much"),
    ("requests-and-limits", GATEWAY, f"{MAIN}.resources.requests.cpu", None),
    ("requests-and-limits", GATEWAY, f"{MAIN}.resources.requests.cpu", "0"),
    ("image-pinned", GATEWAY, f"{MAIN}.image", "registry:5000/crypto/api"),
    ("image-pinned", GATEWAY, f"{MAIN}.image", "api:latest"),
    ("image-pinned", GATEWAY, f"{MAIN}.image", None),
    ("probes", GATEWAY, f"{MAIN}.livenessProbe", None),
    ("probes", GATEWAY, f"{MAIN}.readinessProbe", None),
    ("probes", GATEWAY, f"{MAIN}.livenessProbe", {"httpGet": {"path": "/health", "port": 8000}}),
    ("run-as-non-root", GATEWAY, f"{POD}.securityContext.runAsUser", 0),
    ("run-as-non-root", GATEWAY, f"{POD}.securityContext.runAsUser", None),
    ("run-as-non-root", GATEWAY, f"{POD}.securityContext.runAsNonRoot", None),
    ("run-as-non-root", GATEWAY, f"{CONTEXT}.runAsNonRoot", False),
    ("no-privilege-escalation", GATEWAY, f"{CONTEXT}.allowPrivilegeEscalation", None),
    ("no-privilege-escalation", GATEWAY, f"{CONTEXT}.privileged", True),
    ("drop-all-capabilities", GATEWAY, f"{CONTEXT}.capabilities", None),
    ("drop-all-capabilities", GATEWAY, f"{CONTEXT}.capabilities.drop", ["NET_RAW"]),
    ("drop-all-capabilities", GATEWAY, f"{CONTEXT}.capabilities.add", ["SYS_ADMIN"]),
    ("seccomp-profile", GATEWAY, f"{POD}.securityContext.seccompProfile", None),
    ("seccomp-profile", GATEWAY, f"{CONTEXT}.seccompProfile", {"type": "Unconfined"}),
    ("read-only-root", GATEWAY, f"{CONTEXT}.readOnlyRootFilesystem", None),
    ("no-host-access", GATEWAY, f"{POD}.hostNetwork", True),
    ("no-host-access", GATEWAY, f"{POD}.volumes", [{"name": "host", "hostPath": {"path": "/"}}]),
    ("no-secret-in-env", GATEWAY, f"{MAIN}.env", [{"name": "DB_PASSWORD", "value": "hunter2"}]),
    (
        "no-secret-in-env",
        GATEWAY,
        f"{MAIN}.env",
        [FROM_SECRET],
    ),
    ("no-secret-in-env", GATEWAY, f"{MAIN}.envFrom", [{"secretRef": {"name": "jwt-secret"}}]),
    ("cronjob-forbids-overlap", "backup", "spec.concurrencyPolicy", "Replace"),
    ("cronjob-forbids-overlap", "backup", "spec.concurrencyPolicy", None),
    ("cronjob-time-zone", "backup", "spec.timeZone", None),
    ("cronjob-time-zone", "backup", "spec.timeZone", "Mars/Olympus"),
    ("cronjob-time-zone", "backup", "spec.timeZone", "../etc/passwd"),
    ("cronjob-deadline", "backup", "spec.startingDeadlineSeconds", None),
    ("cronjob-deadline", "backup", "spec.startingDeadlineSeconds", 9),
    ("cronjob-as-in-runbook", "backup", "spec.schedule", "1 2 * * *"),
    ("bucket-encryption", "encryption", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "none"),
    ("bucket-encryption", "encryption", "rules", None),
    ("bucket-versioning", "versioning", "versioningConfiguration.status", "Suspended"),
    ("bucket-public-access", "public-access", "blockPublicAcls", None),
    ("bucket-public-access", "public-access", "restrictPublicBuckets", False),
    ("bucket-retention", "lifecycle", "rules.0.expiration.days", 29),
    ("bucket-retention", "lifecycle", "rules.1.expiration", {"expiredObjectDeleteMarker": True, "days": 29}),
    ("bucket-retention", "lifecycle", "rules.1.abortIncompleteMultipartUpload.daysAfterInitiation", 0),
    ("bucket-retention", "lifecycle", "rules.0.expiration", {"date": "2030-01-01"}),
    ("bucket-retention", "lifecycle", "rules.0.status", "Disabled"),
    ("bucket-retention", "lifecycle", "rules.1", {"id": "other", "status": "Enabled"}),
    ("bucket-fully-configured", "lifecycle", "bucket", "another-bucket"),
    ("redis-maxmemory", "redis-config", "data", {"redis.conf": "maxmemory 1gb\n"}),
    ("redis-maxmemory", "redis-config", "data", {"redis.conf": "maxmemory 0\n"}),
    ("redis-maxmemory", "redis-config", "data", {"redis.conf": "# maxmemory 1mb\n"}),
    ("redis-maxmemory", "redis", f"{POD}.volumes", None),
    ("redis-maxmemory", "redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "4gb"]),
]


def changed(resource: str, path: str, value: object) -> Stack:
    return good_stack().without(resource, path) if value is None else good_stack().with_value(resource, path, value)


def label(case: tuple[str, str, str, Any]) -> str:
    rule, resource, path, value = case
    return f"{rule}-{resource}-{path.rpartition('.')[2]}-{value}"[:90]


def test_every_rule_passes_the_good_stack_and_looked_at_something() -> None:
    verdicts = judge_all(good_stack(), PRODUCTION)
    assert {name for name, verdict in verdicts.items() if verdict.matched == 0} == set()
    assert {name: verdict.findings for name, verdict in verdicts.items() if verdict.findings}.keys() == {
        "stateful-protected"
    }


@pytest.mark.parametrize("case", GOOD, ids=label)
def test_what_is_allowed_passes(case: tuple[str, str, str, Any]) -> None:
    rule, resource, path, value = case
    verdicts = judge_all(changed(resource, path, value))
    assert verdicts[rule].matched > 0
    assert {name for name, verdict in verdicts.items() if verdict.findings} == set()


@pytest.mark.parametrize("case", BAD, ids=label)
def test_what_is_not_allowed_is_caught_by_its_rule_and_no_other(case: tuple[str, str, str, Any]) -> None:
    rule, resource, path, value = case
    # An autoscaler in another namespace breaks two promises.
    more = {"namespace"} if path == "metadata.namespace" else set[str]()
    assert rules_that_speak(changed(resource, path, value)) == {rule} | more


@pytest.mark.parametrize("cron", AMBIGUOUS + UNREADABLE)
def test_an_ambiguous_or_unreadable_schedule_is_caught(cron: str) -> None:
    stack = (
        good_stack().with_value("backup", "spec.schedule", cron).with_value("backup", "metadata.name", "weekly-report")
    )
    assert rules_that_speak(stack) == {"cronjob-unambiguous"}


@pytest.mark.parametrize(
    "cron", ["0 3 * * 0", "0 3 1 * *", "*/5 * * * *", "0 3 */2 * *", "0 3 */1 * 1", "0 3 ? * MON-FRI"]
)
def test_a_schedule_by_weekday_or_by_date_passes(cron: str) -> None:
    stack = (
        good_stack().with_value("backup", "spec.schedule", cron).with_value("backup", "metadata.name", "weekly-report")
    )
    assert rules_that_speak(stack) == set()


@pytest.mark.parametrize("companion", ["encryption", "versioning", "public-access", "lifecycle"])
def test_a_bucket_without_a_companion_is_caught(companion: str) -> None:
    assert rules_that_speak(good_stack().without(companion)) == {"bucket-fully-configured"}


@pytest.mark.parametrize("spec", services.ALL, ids=lambda spec: spec.name)
def test_a_service_without_autoscaler_or_budget_is_caught(spec: services.ServiceSpec) -> None:
    assert rules_that_speak(good_stack().without(f"{spec.name}-hpa")) == {"service-has-hpa"}
    assert rules_that_speak(good_stack().without(f"{spec.name}-pdb")) == {"service-has-pdb"}


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
    stack = changed(GATEWAY, LIMIT, None)
    old = Stack(
        {
            **stack,
            GATEWAY: type(stack[GATEWAY])(
                "kubernetes:extensions/v1beta1:Deployment", GATEWAY, stack[GATEWAY].properties
            ),
        }
    )
    assert "requests-and-limits" in rules_that_speak(old)


def test_production_protects_what_holds_data() -> None:
    assert rules_that_speak(good_stack().protected("redis"), config=PRODUCTION) == {"stateful-protected"}
    assert rules_that_speak(good_stack().protected("redis").protected("bucket"), config=PRODUCTION) == set()


def test_configuration_tightens() -> None:
    assert rules_that_speak(good_stack(), config={"bucket-retention": {"days": 30.0}}) == set()
    assert rules_that_speak(good_stack(), config={"bucket-retention": {"days": 31.0}}) == {"bucket-retention"}
    assert rules_that_speak(good_stack(), config={"image-pinned": {"requireDigest": True}}) == {"image-pinned"}
    assert rules_that_speak(good_stack(), config={"image-pinned": {"registries": ["localhost/crypto"]}}) == set()
    assert rules_that_speak(good_stack(), config={"image-pinned": {"registries": ["localhost/cry"]}}) == {
        "image-pinned"
    }
    other = changed(GATEWAY, "metadata.namespace", "monitoring")
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
    assert spoken == ({"namespace"} if speaks else set())


def test_a_misspelt_configuration_key_is_a_violation() -> None:
    assert rules_that_speak(good_stack(), config={"bucket-retention": {"day": 60}}) == {"bucket-retention"}
    assert rules_that_speak(good_stack(), config={"service-has-hpa": {"day": 60}}) == {"service-has-hpa"}


# (resource, path that is not yet known, rules that wait for it)
UNKNOWNS: list[tuple[str, str, set[str]]] = [
    (GATEWAY, "metadata.namespace", {"namespace"}),
    ("crypto", "metadata.labels", {"namespace-pod-security"}),
    (SENTIMENT, MEMORY, {"sentiment-memory-range", "requests-and-limits"}),
    (GATEWAY, f"{MAIN}.image", {"image-pinned"}),
    (GATEWAY, f"{MAIN}.livenessProbe.tcpSocket", {"probes"}),
    ("api-gateway-hpa", "spec.minReplicas", {"hpa-range"}),
    ("api-gateway-hpa", "spec.scaleTargetRef.name", {"hpa-range", "service-has-hpa"}),
    (GATEWAY, "spec.replicas", {"no-static-replicas"}),
    ("api-gateway-pdb", "spec.selector.matchLabels", {"service-has-pdb"}),
    ("api-gateway-pdb", "spec.maxUnavailable", {"pdb-lets-drain"}),
    (GATEWAY, f"{POD}.securityContext.runAsUser", {"run-as-non-root"}),
    (GATEWAY, f"{CONTEXT}.allowPrivilegeEscalation", {"no-privilege-escalation"}),
    (GATEWAY, f"{CONTEXT}.capabilities.drop", {"drop-all-capabilities"}),
    (GATEWAY, f"{POD}.securityContext.seccompProfile", {"seccomp-profile"}),
    (GATEWAY, f"{CONTEXT}.readOnlyRootFilesystem", {"read-only-root"}),
    (GATEWAY, f"{POD}.volumes", {"no-host-access"}),
    (GATEWAY, f"{MAIN}.env", {"no-secret-in-env"}),
    (GATEWAY, f"{MAIN}.env.0.name", {"no-secret-in-env"}),
    ("backup", "spec.concurrencyPolicy", {"cronjob-forbids-overlap"}),
    ("backup", "spec.timeZone", {"cronjob-time-zone"}),
    ("backup", "spec.startingDeadlineSeconds", {"cronjob-deadline"}),
    ("backup", "spec.schedule", {"cronjob-unambiguous", "cronjob-as-in-runbook"}),
    ("encryption", "rules", {"bucket-encryption"}),
    ("versioning", "versioningConfiguration", {"bucket-versioning"}),
    ("public-access", "blockPublicAcls", {"bucket-public-access"}),
    ("lifecycle", "rules", {"bucket-retention"}),
    ("lifecycle", "rules.0.status", {"bucket-retention"}),
    ("lifecycle", "rules.0.expiration.days", {"bucket-retention"}),
    ("api-gateway-pdb", "spec.selector.matchLabels.app", {"service-has-pdb"}),
    (GATEWAY, "spec.template.metadata.labels.app", {"service-has-pdb"}),
    ("redis", f"{POD}.volumes.0.configMap.name", {"redis-maxmemory"}),
    ("redis", f"{MAIN}.args", {"redis-maxmemory"}),
    ("lifecycle", "bucket", {"bucket-fully-configured"}),
    ("redis", LIMIT, {"redis-maxmemory", "requests-and-limits"}),
    ("redis-config", "data", {"redis-maxmemory"}),
]
# Judged by a resource option, which is always known.
NEVER_UNKNOWN = {"stateful-protected"}


@pytest.mark.parametrize(("resource", "path", "waiting"), UNKNOWNS, ids=lambda part: str(part)[:60])
def test_an_unknown_value_is_neither_passed_nor_a_violation(resource: str, path: str, waiting: set[str]) -> None:
    stack = good_stack().with_value(resource, path, UNKNOWN)
    assert rules_that_speak(stack, Outcome.UNKNOWN) == waiting
    assert rules_that_speak(stack, Outcome.VIOLATED) == set()


def test_a_companion_is_found_by_what_its_bucket_is_computed_from() -> None:
    stack = good_stack().with_value("lifecycle", "bucket", UNKNOWN).with_links("lifecycle", bucket=("bucket",))
    assert rules_that_speak(stack, Outcome.UNKNOWN) == set()


def test_one_end_of_a_range_is_judged_while_the_other_is_not_yet_known() -> None:
    for known, value, unknown in (("minReplicas", 10, "maxReplicas"), ("maxReplicas", 3, "minReplicas")):
        stack = good_stack().with_value("api-gateway-hpa", f"spec.{known}", value)
        stack = stack.with_value("api-gateway-hpa", f"spec.{unknown}", UNKNOWN)
        assert rules_that_speak(stack) == {"hpa-range"}


def test_an_autoscaler_of_another_kind_of_workload_does_not_count() -> None:
    stack = good_stack().with_value("api-gateway-hpa", "spec.scaleTargetRef.kind", "StatefulSet")
    assert rules_that_speak(stack) == {"service-has-hpa"}


def test_an_argument_of_redis_that_is_not_yet_known_is_waited_for() -> None:
    stack = good_stack().with_value("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", UNKNOWN])
    assert rules_that_speak(stack, Outcome.UNKNOWN) == {"redis-maxmemory"}


def test_an_identifier_of_the_bucket_is_as_good_as_its_name() -> None:
    stack = good_stack().with_value("lifecycle", "bucket", "an-id-of-the-bucket")
    assert rules_that_speak(stack) == {"bucket-fully-configured"}
    assert rules_that_speak(stack.with_links("lifecycle", bucket=("bucket",))) == set()


def test_a_name_that_differs_is_no_reference_whatever_else_the_property_was_computed_from() -> None:
    stack = good_stack().with_value("api-gateway-hpa", "spec.scaleTargetRef.name", "another")
    assert "service-has-hpa" in rules_that_speak(stack.with_links("api-gateway-hpa", spec=("api-gateway-deployment",)))


def test_every_rule_has_a_violating_and_an_unknown_case() -> None:
    names = {rule.meta.name for rule in ALL}
    apart = {"stateful-protected", "cronjob-unambiguous"}
    assert {case[0] for case in BAD} | apart == names
    assert set[str]().union(*(waiting for _, _, waiting in UNKNOWNS)) | NEVER_UNKNOWN == names
