"""Every example of the printed policies is what it is said to be: its rule accepts the good one and refuses the bad."""

from __future__ import annotations

from functools import cache
from typing import Final

import pytest

from policies import page
from policies.catalogue import ALL
from policies.model import Outcome
from tests.policies.cases import PRODUCTION
from tests.policies.examples import put
from tests.policies.running import judge_rule
from tests.policies.stack import Declared, Path, Stack, good_stack

# Where the two examples of a rule belong: a resource of the good stack, a path in it, and how they go into it.
PLACES: Final[dict[str, tuple[str, Path, str]]] = {
    "namespace": ("quota", "", "merge"),
    "namespace-pod-security": ("crypto", "", "merge"),
    "quota-fits-peak": ("quota", "", "merge"),
    "requests-and-limits": ("sentiment-deployment", "spec.template.spec.containers.0", "merge"),
    "sentiment-memory-range": ("sentiment-deployment", "spec.template.spec.containers.0", "merge"),
    "image-pinned": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "probes": ("api-gateway-deployment", "spec.template.spec.containers.0", "keys"),
    "owner-label": ("api-gateway-deployment", "", "instead"),
    "runbook-annotation": ("api-gateway-deployment", "", "merge"),
    "rolling-update": ("api-gateway-deployment", "spec", "merge"),
    "topology-spread": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "priority-class": ("api-gateway-deployment", "spec.template", "instead"),
    "priority-class-declared": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "graceful-termination": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "health-path-as-in-runbook": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "probe-port-declared": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "model-settings-as-in-runbook": ("sentiment-deployment", "spec.template.spec.containers.0", "merge"),
    "service-port-as-in-runbook": ("api-gateway-service", "", "merge"),
    "service-selects-pods": ("api-gateway-service", "", "merge"),
    "hpa-range": ("api-gateway-hpa", "", "merge"),
    "no-static-replicas": ("api-gateway-deployment", "", "merge"),
    "pdb-lets-drain": ("api-gateway-pdb", "", "merge"),
    "hpa-cpu-target": ("api-gateway-hpa", "spec.metrics.0", "merge"),
    "hpa-scales-down-slowly": ("api-gateway-hpa", "spec", "merge"),
    "hpa-moves-both-ways": ("api-gateway-hpa", "spec", "merge"),
    "hpa-target-exists": ("api-gateway-hpa", "spec", "merge"),
    "pdb-target-exists": ("api-gateway-pdb", "spec", "merge"),
    "connection-budget": ("app-config", "data", "merge"),
    "pool-settings-as-in-runbook": ("app-config", "", "merge"),
    "max-connections-range": ("postgres-config", ("data", "postgresql.conf"), "line"),
    "slow-queries-logged": ("postgres-config", ("data", "postgresql.conf"), "line"),
    "pgbouncer-transaction-mode": ("pgbouncer-config", ("data", "pgbouncer.ini"), "line"),
    "run-as-non-root": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "no-privilege-escalation": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "drop-all-capabilities": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "seccomp-profile": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "read-only-root": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "no-host-access": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "pod-security-restricted": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "no-secret-in-env": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "own-service-account": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "service-account-declared": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "service-account-without-token": ("api-gateway-account", "", "merge"),
    "token-only-with-role": ("api-gateway-deployment", "spec.template.spec", "merge"),
    "secret-file-mode": ("api-gateway-deployment", "spec.template.spec.volumes.0", "instead"),
    "no-host-ports": ("api-gateway-deployment", "spec.template.spec.containers.0", "merge"),
    "rbac-no-wildcards": ("ops-role", "", "merge"),
    "rbac-no-escalation": ("ops-role", "", "merge"),
    "rbac-no-own-pods": ("ops-role", "", "merge"),
    "rbac-no-way-to-ports": ("ops-role", "", "merge"),
    "rbac-no-issuing": ("ops-role", "", "merge"),
    "rbac-secrets-by-name": ("ops-role", "", "merge"),
    "rbac-cluster-role-reads": ("cluster-role", "", "merge"),
    "rbac-no-cluster-admin": ("ops-binding", "", "merge"),
    "rbac-no-namespace-admin": ("ops-binding", "", "merge"),
    "rbac-no-anonymous": ("ops-binding", "", "merge"),
    "rbac-role-declared": ("ops-binding", "", "merge"),
    "rbac-account-declared": ("ops-binding", "", "merge"),
    "network-default-deny": ("default-deny", "", "merge"),
    "network-policy-target-exists": ("default-deny", "spec", "merge"),
    "network-ingress-from-somebody": ("api-gateway-network", "spec", "merge"),
    "network-egress-to-ports": ("api-gateway-network", "spec", "merge"),
    "network-egress-narrowed": ("api-gateway-network", "spec", "merge"),
    "network-policies-add-up": ("default-deny", "spec", "merge"),
    "postgres-verified": ("ops-config", ("data", "config.json"), "json"),
    "outside-encrypted": ("ops-config", ("data", "config.json"), "json"),
    "redis-login": ("ops-config", ("data", "config.json"), "json"),
    "kafka-login": ("ops-config", ("data", "config.json"), "json"),
    "network-policy-types-stated": ("default-deny", "", "merge"),
    "ingress-tls": ("ingress", "", "instead"),
    "ingress-certificate-declared": ("ingress", "", "merge"),
    "ingress-backend-declared": ("ingress", "spec.rules.0.http.paths.0", "merge"),
    "ingress-class-stated": ("ingress", "", "instead"),
    "service-inside-only": ("api-gateway-service", "", "merge"),
    "certificate-renewal": ("certificate", "", "merge"),
    "certificate-duration": ("certificate", "", "merge"),
    "certificate-key": ("certificate", "spec", "merge"),
    "certificate-issuer-declared": ("certificate", "spec", "merge"),
    "issuer-reachable": ("issuer", "spec", "merge"),
    "cronjob-forbids-overlap": ("health-check", "", "merge"),
    "cronjob-time-zone": ("health-check", "", "instead"),
    "cronjob-deadline": ("health-check", "", "merge"),
    "cronjob-unambiguous": ("health-check", "", "merge"),
    "cronjob-as-in-runbook": ("backup", "", "merge"),
    "schedules-apart": ("backup-redis", "", "merge"),
    "cronjob-ends": ("health-check", "spec.jobTemplate", "merge"),
    "cronjob-tidies-up": ("health-check", "spec.jobTemplate", "merge"),
    "backup-target-declared": ("ops-config", ("data", "config.json"), "json"),
    "backup-retention-equal": ("ops-config", ("data", "config.json"), "json"),
    "backups-encrypted": ("ops-config", ("data", "config.json"), "json"),
    "backups-signed": ("ops-config", ("data", "config.json"), "json"),
    "object-lock-within-retention": ("lock", "rule", "merge"),
    "key-recoverable": ("key", "", "merge"),
    "bucket-encryption": ("encryption", "", "merge"),
    "bucket-versioning": ("versioning", "", "merge"),
    "bucket-public-access": ("public-access", "", "merge"),
    "bucket-retention": ("lifecycle", "rules.0", "merge"),
    "bucket-spares-what-restores": ("lifecycle", "rules.0", "instead"),
    "iam-no-wildcards": ("iam-policy", "policy", "statement"),
    "redis-maxmemory": ("redis-config", ("data", "redis.conf"), "line"),
    "stateful-protected": ("redis", "", "unprotected"),
    "redis-evicts": ("redis-config", ("data", "redis.conf"), "line"),
    "redis-persistent": ("redis-config", ("data", "redis.conf"), "line"),
    "redis-users": ("redis-config", ("data", "redis.conf"), "line"),
    "claims-retained": ("redis", "spec", "merge"),
    "kafka-partitions": ("kafka", "spec.template.spec.containers.0", "merge"),
    "threshold-has-one-alert": ("rules", "spec.groups.4.rules.2", "merge"),
    "alert-in-time": ("rules", "spec.groups.1.rules.16", "merge"),
    "alert-labelled": ("rules", "spec.groups.1.rules.16", "merge"),
    "alert-leads-to-runbook": ("rules", "spec.groups.1.rules.16", "instead"),
    "severity-reaches-receiver": ("routes", "spec.route.routes.0", "merge"),
    "page-never-muted": ("routes", "spec.route.routes.1", "merge"),
    "mutes-are-maintenance": ("routes", "spec.muteTimeIntervals.0.timeIntervals.0", "merge"),
    "inhibition-downwards": ("routes", "spec.inhibitRules.0", "merge"),
    "monitor-target-exists": ("api-gateway-monitor", "spec", "merge"),
    "scrape-interval": ("api-gateway-monitor", "spec", "merge"),
}
# What is bad where an example says that something is not there: the resource that is then left out, which is what the
# good example is.
LEFT_OUT: Final = {
    "namespace-has-quota": "quota",
    "service-has-hpa": "analytics-hpa",
    "service-has-pdb": "analytics-pdb",
    "network-policy-for-every-pod": "analytics-network",
    "runbook-jobs-declared": "backup-verify",
    "bucket-fully-configured": "versioning",
    "service-has-monitor": "analytics-monitor",
    "backups-locked": "lock",
    "bucket-tls-only": "bucket-policy",
}
# The good example is a setting of the stack, the bad one a resource by itself.
_NO_SECRET: Final = "no-secret-declared"


_guide: Final = cache(page.guide)


def _stacks(name: str) -> tuple[Stack, Stack]:
    """The good stack with the good example of a rule in it, and with the bad one."""
    good, bad = _guide()[name]["good"], _guide()[name]["bad"]
    if name in ("kind-known", "kind-judged"):
        there, wrong = (Declared(each.removeprefix("type: "), "added", {}) for each in (good, bad))
        return Stack({**good_stack(), "added": there}), Stack({**good_stack(), "added": wrong})
    if name == _NO_SECRET:
        return good_stack(), put(good_stack(), ("kubernetes:core/v1:Secret", "", "added"), bad)
    if name == "bucket-tls-only":
        there = put(good_stack(), (LEFT_OUT[name], "policy", "statement"), good)
        return there, good_stack().without(LEFT_OUT[name])
    if name == "network-policies-add-up":
        # What the other policy of the same pods opens.
        everywhere = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
        beside = good_stack().with_value("api-gateway-network", "spec.egress.0.to", everywhere)
        return put(beside, PLACES[name], good), put(beside, PLACES[name], bad)
    if name in LEFT_OUT:
        there = put(good_stack(), (LEFT_OUT[name], "", "merge"), good)
        return there, good_stack().without(LEFT_OUT[name])
    return put(good_stack(), PLACES[name], good), put(good_stack(), PLACES[name], bad)


@pytest.mark.parametrize("name", [rule.meta.name for rule in ALL])
def test_a_rule_accepts_its_good_example_and_refuses_its_bad_one(name: str) -> None:
    good, bad = (judge_rule(name, stack, PRODUCTION) for stack in _stacks(name))
    assert [finding.message for finding in good.findings] == []
    assert good.matched > 0 or name == _NO_SECRET
    assert bad.of(Outcome.VIOLATED)
