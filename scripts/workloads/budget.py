"""Disruption budgets and rolling updates.

A budget binds drains and evictions; a rolling update does not ask it. So the update's own limit is compared with the
budget before anything is begun: what a drain may not do, a restart does not do either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scripts.clients.kubernetes import Cluster
from scripts.exits import CheckFailedError


class BudgetError(CheckFailedError):
    """A rolling update would leave fewer pods than a disruption budget demands."""


def check(cluster: Cluster, namespace: str, deployment: Any) -> None:
    """Compare a Deployment's rolling update with the budgets of its pods.

    Raises:
        BudgetError: it could take more pods at once than they can spare.
    """
    problem = judge(deployment, cluster.items(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"))
    if problem is not None:
        raise BudgetError(f"not begun: {problem}; nothing was changed")


def judge(deployment: Any, budgets: Iterable[Any]) -> str | None:
    """Why the Deployment's rolling update would break a budget, or None where it would not."""
    name, spec = deployment["metadata"]["name"], deployment["spec"]
    pods = int(spec.get("replicas", 1))
    labels: dict[str, str] = spec["template"]["metadata"].get("labels") or {}
    taken = _taken(spec.get("strategy") or {}, pods)
    for budget in budgets:
        if not selects(budget["spec"].get("selector"), labels):
            continue
        status: Any = budget.get("status") or {}
        # A budget may bind pods of others, too: the controller counts them.
        spare = _spare(budget["spec"], max(pods, int(status.get("expectedPods") or 0)))
        if taken > spare:
            return (
                f"a rolling update of {name} may take {taken} of its {pods} pods at once, and the budget"
                f" {budget['metadata']['name']} spares {spare}: lower maxUnavailable, or run more pods"
            )
    return None


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a label selector of policy/v1 matches: an empty one matches every pod, and None matches none."""
    if selector is None:
        return False
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    expressions: list[Any] = selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(_holds(expression, labels) for expression in expressions)


def _holds(expression: Any, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    answers = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers[expression["operator"]]


def _taken(strategy: Any, pods: int) -> int:
    """How many pods an update may take before new ones are ready."""
    if strategy.get("type") == "Recreate":
        return pods
    rolling: Any = strategy.get("rollingUpdate") or {}
    return _count(rolling.get("maxUnavailable", "25%"), pods, up=False)


def _spare(spec: Any, pods: int) -> int:
    """How many pods a budget lets go; Kubernetes rounds both of its shares up."""
    if "maxUnavailable" in spec:
        return _count(spec["maxUnavailable"], pods, up=True)
    # One that names neither lets no pod go.
    return max(0, pods - _count(spec.get("minAvailable", "100%"), pods, up=True))


def _count(value: int | str, pods: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * pods
    return -(-share // 100) if up else share // 100
