"""Selectors select what the API server's do, and nothing for sure while a part is not yet known.

Nothing here takes a fixture: the mutation of what the rules share asks each of these, too.
"""

from __future__ import annotations

from policies.model import Resource
from policies.plain import MISSING, SECRET, UNKNOWN, Node, Plain
from policies.selection import NOTHING, Labelled, Selector, equal_selector, label_selector


def _fits(labels: Plain, *expressions: Plain, equal: Plain = MISSING) -> bool | None:
    """Whether a selector of ``matchExpressions`` and ``matchLabels`` selects what has the labels."""
    return label_selector(Node({"matchLabels": equal, "matchExpressions": [*expressions]})).fits(Node(labels))


def _asks(operator: Plain, *values: Plain, key: Plain = "tier") -> Plain:
    return {"key": key, "operator": operator, "values": [*values]}


def test_each_operator_means_what_the_api_server_means_by_it() -> None:
    wanted = {
        # The label is one of the values, another, or not there.
        "In": (True, False, False),
        "NotIn": (False, True, True),
        "Exists": (True, True, False),
        "DoesNotExist": (False, False, True),
    }
    for operator, expected in wanted.items():
        pods: list[Plain] = [{"tier": "a"}, {"tier": "c"}, {"x": "a"}]
        found = [_fits(labels, _asks(operator, "a", "b")) for labels in pods]
        assert tuple(found) == expected, operator


def test_all_conditions_must_hold() -> None:
    assert _fits({"app": "x", "tier": "a"}, _asks("In", "a"), equal={"app": "x"}) is True
    assert _fits({"app": "y", "tier": "a"}, _asks("In", "a"), equal={"app": "x"}) is False
    assert _fits({"app": "x", "tier": "b"}, _asks("In", "a"), equal={"app": "x"}) is False
    assert _fits({"tier": "a"}, _asks("In", "a"), _asks("NotIn", "a")) is False


def test_a_selector_without_conditions_selects_everything_and_one_that_is_not_there_nothing() -> None:
    selectors: list[Plain] = [
        {},
        {"matchLabels": {}},
        {"matchExpressions": []},
        {"matchLabels": {}, "matchExpressions": []},
    ]
    for empty in selectors:
        assert label_selector(Node(empty)) == Selector()
    assert Selector().fits(Node({})) is True
    assert Selector().fits(Node(MISSING)) is True
    assert Selector().fits(Node(UNKNOWN)) is True
    assert label_selector(Node(MISSING)) == NOTHING
    pods: list[Plain] = [{}, {"": ""}, {"app": "x"}]
    assert [NOTHING.fits(Node(labels)) for labels in pods] == [False] * 3


def test_what_the_api_server_refuses_selects_nothing() -> None:
    assert _fits({"tier": "a"}, _asks("Equals", "a")) is False
    assert _fits({"tier": "a"}, _asks(MISSING, "a")) is False
    assert _fits({"tier": "a"}, _asks("In")) is False
    assert _fits({"tier": "1"}, equal={"tier": 1}) is False


def test_the_map_of_a_service_selects_nothing_where_it_is_empty() -> None:
    assert equal_selector(Node({})) == equal_selector(Node(MISSING)) == NOTHING
    assert equal_selector(Node({"app": "x"})).fits(Node({"app": "x"})) is True
    assert equal_selector(Node({"app": "x"})).fits(Node({"app": "y"})) is False
    assert equal_selector(Node(UNKNOWN)).fits(Node({"app": "y"})) is None


def test_what_is_not_yet_known_decides_nothing_unless_the_rest_does() -> None:
    labels: Plain = {"app": "x", "tier": "a"}
    for marker in (UNKNOWN, SECRET):
        assert label_selector(Node(marker)).fits(Node(labels)) is None
        assert _fits(labels, equal=marker) is None
        assert _fits(marker, equal={"app": "x"}) is None
        assert _fits(labels, equal={"app": marker}) is None
        assert _fits({}, equal={"app": marker}) is False
        assert _fits(labels, equal={"app": "y", "tier": marker}) is False
        assert _fits({"app": marker}, equal={"app": "x"}) is None
        assert _fits({"app": marker, "tier": "b"}, _asks("In", "a"), equal={"app": "x"}) is False
        assert _fits({"tier": marker}, _asks("Exists")) is True
        assert _fits({"tier": marker}, _asks("DoesNotExist")) is False
        assert _fits(labels, _asks(marker, "a")) is None
        assert _fits(labels, _asks("In", "a", key=marker)) is None
        assert _fits(labels, _asks("In", marker)) is None
        assert _fits({}, _asks("In", "a", marker)) is False
        assert _fits({}, _asks("NotIn", marker)) is None
        assert _fits(labels, marker) is None


def test_a_selector_names_something_only_by_a_label_that_is_asked_for() -> None:
    def names(*expressions: Plain, equal: Plain = MISSING) -> bool | None:
        return label_selector(Node({"matchLabels": equal, "matchExpressions": [*expressions]})).names

    assert names(equal={"app": "x"}) is True
    assert names(_asks("In", "a")) is True
    assert names(_asks("Exists")) is True
    assert names() is False
    assert names(_asks("NotIn", "a"), _asks("DoesNotExist")) is False
    # Every namespace has it.
    assert names(_asks("Exists", key="kubernetes.io/metadata.name")) is False
    assert names(_asks("In", "crypto", key="kubernetes.io/metadata.name")) is True
    assert names(equal=UNKNOWN) is None
    assert names(equal={"app": UNKNOWN}) is True


def test_what_is_selected_is_found_however_the_selector_asks_for_it() -> None:
    def pod(name: str, namespace: str | None, **labels: Plain) -> tuple[Resource, Node]:
        metadata: dict[str, Plain] = {"namespace": namespace}
        return Resource("kubernetes:core/v1:Pod", name, name, {"metadata": metadata}), Node(labels)

    labelled = Labelled(
        [
            pod("web", "here", app="web", tier="a"),
            pod("worker", "here", app="worker", tier="a"),
            pod("elsewhere", "there", app="web"),
            pod("anywhere", None, app="web", tier="b"),
            pod("unclear", "here", app=UNKNOWN),
        ]
    )

    def selected(*expressions: Plain, space: str | None = "here", **equal: Plain) -> list[str]:
        selector = label_selector(Node({"matchLabels": {**equal}, "matchExpressions": [*expressions]}))
        return sorted(found.urn for found, _ in labelled.selected(selector, space).members)

    assert selected() == ["anywhere", "unclear", "web", "worker"]
    assert selected(space="there") == ["anywhere", "elsewhere"]
    assert selected(space=None) == ["anywhere", "elsewhere", "unclear", "web", "worker"]
    assert selected(app="web") == ["anywhere", "unclear", "web"]
    assert selected(_asks("In", "web", "worker", key="app")) == ["anywhere", "unclear", "web", "worker"]
    assert selected(_asks("In", "web", "worker", key="app"), tier="a") == ["web", "worker"]
    assert selected(_asks("DoesNotExist")) == ["unclear"]
    assert selected(_asks("NotIn", "web", key="app")) == ["unclear", "worker"]
    assert selected(app="nothing") == ["unclear"]
