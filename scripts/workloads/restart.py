"""``ops restart``: replaces a service's pods one after the other."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts import log
from scripts.clients import kubernetes
from scripts.output import Outcome, say
from scripts.workloads import budget, deployments, rollout, serving

# kubectl's own, so that `kubectl rollout` and people know it.
ANNOTATION: Final = "kubectl.kubernetes.io/restartedAt"
_SECONDS: Final = 30.0


def run(settings: OpsSettings, name: str, *, seconds: float, dry_run: bool) -> Outcome:
    """Restart a service and wait until its new pods serve, ``seconds`` at most.

    A rollout that is under way already is waited for and not begun anew: a second run changes nothing more.

    Raises:
        UsageError: there is no such service, or this account may not restart it.
        BudgetError: a rolling update would take more pods at once than the service can spare; nothing was changed.
        RolloutError: the new pods do not become ready; the old ones serve on.
    """
    service = serving.target(settings, name)
    start = time.monotonic()
    with kubernetes.connect(_SECONDS) as cluster:
        deployment = deployments.read(cluster, settings.namespace, name)
        under_way = not rollout.judge(deployment).done
        if not under_way:
            budget.check(cluster, settings.namespace, deployment)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            deployments.annotate(cluster, settings.namespace, name, ANNOTATION, now, dry_run=dry_run)
        if not dry_run:
            log.info("waiting for the rollout", deployment=name, begun_before=under_way)
            rollout.watch(cluster, settings.namespace, [name], seconds)
            serving.await_healthy([service])
    took = time.monotonic() - start
    told = "is being rolled out already" if under_way else "would be restarted" if dry_run else "is restarted"
    if not dry_run:
        told = f"{'was being rolled out already, and is ready' if under_way else told} after {duration(took)}"

    data = {"service": name, "dryRun": dry_run, "underWay": under_way, "took": round(took, 1)}
    return Outcome(data, say(f"{name} {told}"))
