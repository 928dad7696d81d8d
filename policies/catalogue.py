"""All rules of the pack, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from policies import (
    accounts,
    alerting,
    autoscaling,
    backups,
    buckets,
    connections,
    coverage,
    data,
    datastores,
    documents,
    ingresses,
    monitors,
    namespaces,
    networks,
    outside,
    quotas,
    rbac,
    rollouts,
    routes,
    runbook_services,
    scaling,
    schedules,
    security,
    timetable,
    tls,
    workloads,
)
from policies.model import Rule

ALL: Final[tuple[Rule, ...]] = (
    *namespaces.RULES,
    *coverage.RULES,
    *quotas.RULES,
    *workloads.RULES,
    *rollouts.RULES,
    *runbook_services.RULES,
    *scaling.RULES,
    *autoscaling.RULES,
    *connections.RULES,
    *security.RULES,
    *accounts.RULES,
    *rbac.RULES,
    *networks.RULES,
    *outside.RULES,
    *ingresses.RULES,
    *tls.RULES,
    *schedules.RULES,
    *timetable.RULES,
    *backups.RULES,
    *buckets.RULES,
    *documents.RULES,
    *data.RULES,
    *datastores.RULES,
    *alerting.RULES,
    *routes.RULES,
    *monitors.RULES,
)
BY_NAME: Final = {rule.meta.name: rule for rule in ALL}
