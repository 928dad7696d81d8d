"""The arithmetic of disruption budgets is the controller's.

Nothing here takes a fixture: the mutation of what the rules share asks each of these, too.
"""

from __future__ import annotations

from policies import disruption, owners
from policies.index import StackIndex
from policies.model import Resource
from policies.plain import MISSING, UNKNOWN, Node, Plain
from policies.selection import NOTHING, Selector
from policies.values import UnreadableValueError


def _refused(value: Plain) -> bool:
    try:
        disruption.share(value, 4)
    except UnreadableValueError:
        return True
    return False


def test_a_percentage_of_pods_is_rounded_up() -> None:
    shares = {"0%": 0, "1%": 1, "25%": 1, "26%": 2, "75%": 3, "76%": 4, "100%": 4, "050%": 2}
    assert {text: disruption.share(text, 4) for text in shares} == shares
    assert [disruption.share(number, 4) for number in (0, 3, 5)] == [0, 3, 5]


def test_what_is_no_number_of_pods_is_refused_as_the_api_server_does() -> None:
    wrong: list[Plain] = ["101%", "-1%", "1", "", "%", "1.5%", "50 %", -1, 1.5, True, MISSING, [], "9" * 20 + "%"]
    for value in wrong:
        assert _refused(value), value


def test_as_many_pods_may_leave_as_the_budget_leaves_over() -> None:
    def leave(pods: int, most: Plain = MISSING, least: Plain = MISSING) -> int:
        return disruption.evictions(Node(most), Node(least), pods)

    assert [leave(3, most=value) for value in (0, 1, 2, "10%", "34%", "0%", "100%")] == [0, 1, 2, 1, 2, 0, 3]
    assert [leave(3, least=value) for value in (0, 1, 3, 4, "0%", "67%", "34%", "100%")] == [3, 2, 0, -1, 3, 0, 1, 0]
    assert leave(3, most=9) == 3


def test_a_message_tells_the_number_of_pods_where_it_is_known() -> None:
    assert disruption.allowed(3).startswith("a number or a percentage that lets 1 pod of 3 go,")
    assert disruption.allowed(disruption.MANY).startswith("a number or a percentage that lets 1 pod go,")


def _object(kind: str, name: Plain, urn: str, **spec: Plain) -> Resource:
    metadata: dict[str, Plain] = {"name": name, "namespace": "crypto"}
    return Resource(f"kubernetes:{kind}", urn, urn, {"metadata": metadata, "spec": {**spec}})


def test_the_fewest_pods_are_those_of_the_autoscaler_else_of_the_workload() -> None:
    def fewest(kind: str, replicas: Plain = MISSING, *autoscalers: Resource) -> int | None:
        workload = _object(kind, "web", "web", replicas=replicas)
        return owners.fewest_pods(StackIndex([workload, *autoscalers]), workload)

    def hpa(least: Plain = MISSING, name: Plain = "web", kind: Plain = "Deployment") -> Resource:
        target: Plain = {"kind": kind, "name": name}
        return _object(
            "autoscaling/v2:HorizontalPodAutoscaler", "h", f"h{least}", minReplicas=least, scaleTargetRef=target
        )

    assert fewest("apps/v1:Deployment") == 1
    assert fewest("apps/v1:Deployment", 0) == 0
    assert fewest("apps/v1:StatefulSet", 3) == 3
    assert fewest("apps/v1:Deployment", UNKNOWN) is None
    assert fewest("apps/v1:Deployment", 5, hpa(3)) == 3
    assert fewest("apps/v1:Deployment", 5, hpa()) == 1
    assert fewest("apps/v1:Deployment", 5, hpa(3), hpa(2)) == 2
    assert fewest("apps/v1:Deployment", 5, hpa(UNKNOWN)) is None
    assert fewest("apps/v1:Deployment", 5, hpa(3, name=UNKNOWN)) is None
    assert fewest("apps/v1:Deployment", 5, hpa(3, name="other"), hpa(2, kind="StatefulSet")) == 5
    assert fewest("batch/v1:Job", 5) == 1


def test_an_empty_selector_of_a_budget_is_every_pod_since_its_first_stable_version() -> None:
    def selector(version: str, given: Plain) -> Selector:
        return owners.selector_of(_object(f"policy/{version}:PodDisruptionBudget", "b", "b", selector=given))

    assert selector("v1", {}) == Selector()
    assert selector("v1", MISSING) == selector("v1beta1", {}) == NOTHING
    assert selector("v1beta1", {"matchLabels": {"app": "a"}}) == selector("v1", {"matchLabels": {"app": "a"}})


def test_a_network_policy_without_a_selector_is_for_every_pod() -> None:
    assert owners.selector_of(_object("networking.k8s.io/v1:NetworkPolicy", "n", "n")) == Selector()
