"""What the rules share, where no rule's case would notice: text for people, caches, what is not declared yet.

Nothing here takes a fixture or a parameter: the mutation of what the rules share asks each of these, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from policies import environment, kinds, plain, pods, values
from policies.index import StackIndex, refers
from policies.judging import Panel
from policies.model import (
    PASSED,
    Finding,
    Judgement,
    Meta,
    Outcome,
    Parameters,
    Resource,
    ResourceRule,
    Severity,
    StackRule,
    Verdict,
)
from policies.plain import MISSING, UNKNOWN, Node, to_plain
from policies.selection import Labelled, Selector, label_selector
from runbook.sections import Section

_META = Meta("a-rule", "Something holds.", Severity.LOW, next(iter(Section)), "Mend it.")


def _resource(kind: str, properties: Any, urn: str = "urn", **links: tuple[str, ...]) -> Resource:
    group, _, name = kind.partition("/")
    return Resource(f"kubernetes:{group}/v1:{name}", "in-the-program", urn, properties, links=links)


def _finding(outcome: Outcome) -> Finding:
    return Finding(_META, "Pod a", "urn", Judgement(outcome, "spec.replicas", "3", "4"))


def _refused(read: Callable[[plain.Plain], object], value: plain.Plain) -> bool:
    try:
        read(value)
    except values.UnreadableValueError:
        return True
    return False


def test_a_truth_or_a_list_is_no_quantity() -> None:
    assert _refused(values.number_of_bytes, True)
    assert _refused(values.number_of_bytes, [])


def test_a_number_of_endless_digits_is_not_read() -> None:
    assert values.counted("9" * 59) == 10**59 - 1
    assert _refused(values.counted, "9" * 60)


def test_an_empty_duration_is_none() -> None:
    assert _refused(values.seconds, "")
    assert values.seconds("1h30m") == 5400
    assert values.seconds("1s" * 29) == 29
    assert _refused(values.seconds, "1s" * 30)


def test_a_named_container_is_found_behind_others_and_a_lone_one_whatever_its_name() -> None:
    pod = _resource("core/Pod", {"spec": {"containers": [{"name": "proxy"}, {"name": "own"}, {"name": "shipper"}]}})
    assert [node.path for node in pods.named_container(pod, "own")] == ["spec.containers[own]"]
    assert [node.path for node in pods.named_container(pod, "gone")] == ["spec.containers[proxy]"]


def _labels(labels: dict[str, plain.Plain]) -> Selector:
    return label_selector(Node({"matchLabels": labels}))


def test_equal_selectors_share_one_selection_and_others_do_not() -> None:
    labelled = Labelled([(_resource("core/Pod", {}), Node({"app": "a", "tier": "b"}))])
    first = labelled.selected(_labels({"app": "a"}), "crypto")
    assert first.tally.sure == 1
    assert labelled.selected(_labels({"app": "a"}), "crypto") is first
    assert labelled.selected(_labels({"app": "a", "tier": UNKNOWN}), "crypto").tally.perhaps == 1
    assert labelled.selected(_labels({"app": "a"}), "crypto").tally.sure == 1


def test_a_selector_selects_in_its_own_namespace_and_while_that_is_not_known_in_any() -> None:
    def pod(namespace: str) -> Resource:
        return _resource("core/Pod", {"metadata": {"namespace": namespace}}, namespace)

    known, unknown = Node({"app": "a"}), Node({"app": UNKNOWN})
    labelled = Labelled([(pod("here"), known), (pod("there"), known), (pod("there"), unknown), (pod("here"), unknown)])

    def selected(namespace: str | None) -> list[tuple[str, bool | None]]:
        return [(found.urn, sure) for found, sure in labelled.selected(_labels({"app": "a"}), namespace).members]

    assert selected("here") == [("here", True), ("here", None)]
    assert selected(None) == [("here", True), ("there", True), ("there", None), ("here", None)]


def test_of_what_refers_to_a_bucket_only_that_is_looked_at_which_may_mean_it() -> None:
    bucket = Resource("aws:s3/bucket:Bucket", "b", "urn-b", {"bucket": "mine"})
    unnamed = Resource("aws:s3/bucket:Bucket", "c", "urn-c", {"bucket": UNKNOWN})
    mine, other, unclear = (
        Resource("aws:s3/bucketPolicy:BucketPolicy", name, name, {"bucket": value})
        for name, value in (("mine", "mine"), ("other", "another"), ("unclear", UNKNOWN))
    )
    index = StackIndex([bucket, unnamed, mine, other, unclear])
    assert [found.urn for found in index.attached(mine.kind, bucket)] == ["mine", "unclear"]
    assert [found.urn for found in index.attached(mine.kind, unnamed)] == ["mine", "other", "unclear"]


def test_the_engines_record_joins_what_is_not_yet_known() -> None:
    target = _resource("core/ConfigMap", {"metadata": {"name": UNKNOWN}}, "urn-t")
    name = target.at("metadata", "name")
    linked = _resource("core/Pod", {"ref": UNKNOWN, "deep": {"ref": UNKNOWN}}, ref=("urn-t",), deep=("urn-t",))
    elsewhere = _resource("core/Pod", {"ref": UNKNOWN}, ref=("urn-x",))
    assert refers(linked, linked.at("ref"), target, name) is True
    assert refers(linked, linked.at("deep", "ref"), target, name) is True
    assert refers(elsewhere, elsewhere.at("ref"), target, name) is None
    plainly = _resource("core/Pod", {"deep": {"ref": "a"}}, deep=("urn-t",))
    called = _resource("core/ConfigMap", {"metadata": {"name": "b"}}, "urn-t")
    assert refers(plainly, plainly.at("deep", "ref"), called, called.at("metadata", "name")) is False


def test_a_file_may_come_from_a_config_map_whose_name_is_not_yet_known() -> None:
    pod = _resource(
        "core/Pod", {"metadata": {"namespace": "crypto"}, "spec": {"volumes": [{"configMap": {"name": "settings"}}]}}
    )

    def read(*names: plain.Plain) -> list[plain.Plain]:
        found = [
            _resource("core/ConfigMap", {"metadata": {"namespace": "crypto", "name": name}, "data": {"f": f"{name}"}})
            for name in names
        ]
        return [node.value for node in environment.files(StackIndex([pod, *found]), pod)]

    assert read("settings") == ["settings"]
    assert read("settings", UNKNOWN) == ["settings"]
    assert read("others") == []
    assert read("others", UNKNOWN) == [UNKNOWN]


def test_a_message_says_what_its_outcome_means() -> None:
    assert "is 3; allowed: 4." in _finding(Outcome.VIOLATED).message
    assert _finding(Outcome.VIOLATED).message.endswith("Mend it.")
    assert "is not yet known" in _finding(Outcome.UNKNOWN).message
    assert "the rule itself failed (3)" in _finding(Outcome.FAILED).message


def test_findings_are_told_apart_by_their_outcome() -> None:
    violated, unknown = _finding(Outcome.VIOLATED), _finding(Outcome.UNKNOWN)
    assert Verdict(2, (violated, unknown)).of(Outcome.UNKNOWN) == (unknown,)


def test_a_rule_is_asked_about_its_kinds_alone_each_time() -> None:
    def judge(_resource: Resource, _parameters: Parameters) -> Iterable[Judgement]:
        yield PASSED

    panel = Panel([ResourceRule(_META, kinds.one_of("core/Pod"), judge)])
    asked = [[verdict.matched for _, verdict in panel.of_resource(_resource(kind, {}))] for kind in _KINDS]
    assert asked == [[1], [], [1], []]


_KINDS = ("core/Pod", "core/Service", "core/Pod", "core/Service")


def test_a_rule_that_breaks_names_the_resource_that_it_looked_at_by_its_own_name() -> None:
    def judge(index: StackIndex, _parameters: Parameters) -> Iterable[tuple[Resource, Judgement]]:
        for looked_at in index.of("core/Pod"):
            yield looked_at, PASSED
            raise RuntimeError

    def told(properties: dict[str, plain.Plain]) -> list[str]:
        index = StackIndex([_resource("core/Pod", properties)])
        return [
            found.resource
            for _, verdict in Panel([StackRule(_META, judge)]).of_stack(index)
            for found in verdict.findings
        ]

    assert told({"metadata": {"name": "stated"}}) == ["Pod stated"]
    assert told({"metadata": {"name": UNKNOWN}}) == ["Pod in-the-program"]


def test_bytes_are_no_list() -> None:
    assert to_plain(b"ab") == "<bytes>"
    assert to_plain((1, 2)) == [1, 2]


def test_a_secret_is_marked_only_where_there_is_something() -> None:
    assert plain.mark_secrets([1], [(1,)]) == [1]
    assert plain.mark_secrets([1], [(0,)]) == [plain.SECRET]
    assert plain.mark_secrets({"a": 1}, [("b",)]) == {"a": 1}
    assert plain.mark_secrets(["x"], [("b",)]) == ["x"]
    assert plain.mark_secrets({"a": 1}, [(0,)]) == {"a": 1}


def test_a_value_is_shown_on_one_line_that_ends() -> None:
    assert plain.show(None) == plain.show(MISSING) == "missing"
    assert plain.show(UNKNOWN) == UNKNOWN.value
    assert plain.show("x" * 120) == f'"{"x" * 120}"'
    assert plain.show("x" * 121) == f'"{"x" * 120}..."'


def test_a_place_is_written_as_people_write_it() -> None:
    root = Node({"spec": {"list": [{"name": "a"}, 1], "gone": UNKNOWN}})
    assert root.path == ""
    assert [node.path for node in root.at("spec", "list").elements()] == ["spec.list[a]", "spec.list[1]"]
    assert [node.path for node in root.at("spec").at("gone").elements()] == ["spec.gone[*]"]


def test_a_patch_is_of_the_kind_that_it_changes() -> None:
    token = "kubernetes:apps/v1:"
    names = ("DeploymentPatch", "Deployment", "Patch")
    assert [kinds.kind_of(token + name) for name in names] == ["apps/Deployment", "apps/Deployment", "apps/Patch"]
    assert [kinds.is_patch(token + name) for name in names] == [True, False, False]
    assert not kinds.is_patch("aws:ssm/patch:DeploymentPatch")


def test_what_a_patch_leaves_out_is_not_known_but_for_whose_it_is() -> None:
    properties = {"metadata": {}, "spec": {"list": [{"a": 1}]}}
    patch = Resource("kubernetes:apps/v1:DeploymentPatch", "p", "urn", to_plain_map(properties))
    assert patch.at("spec", "replicas").value is UNKNOWN
    assert patch.at("spec", "list").elements()[0].at("a").value == 1
    assert patch.at("spec", "list").elements()[0].at("b").value is UNKNOWN
    assert patch.at("metadata", "name").value is MISSING
    assert patch.at("metadata").at("namespace").value is MISSING
    assert [node.value for node in patch.at("spec", "other").elements()] == [UNKNOWN]


def to_plain_map(value: Any) -> dict[str, plain.Plain]:
    """A map as plain data."""
    found = to_plain(value)
    assert isinstance(found, dict)
    return found


def test_of_a_patch_only_what_it_states_is_told() -> None:
    def told(kind: str, outcome: Outcome) -> int:
        def judge(_resource: Resource, _parameters: Parameters) -> Iterable[Judgement]:
            yield Judgement(outcome, "spec", "a", "b")

        panel = Panel([ResourceRule(_META, kinds.one_of("apps/Deployment"), judge)])
        shown = Resource(f"kubernetes:apps/v1:{kind}", "p", "urn", {})
        return sum(len(verdict.findings) for _, verdict in panel.of_resource(shown))

    assert [told(kind, Outcome.UNKNOWN) for kind in ("Deployment", "DeploymentPatch")] == [1, 0]
    assert [told(kind, Outcome.VIOLATED) for kind in ("Deployment", "DeploymentPatch")] == [1, 1]
