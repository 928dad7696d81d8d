"""``ops scale`` against an API that answers like Kubernetes'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import kube_api, ops_runs
from tests.services.kube_api import Fault
from tests.services.ops_runs import Runs

_SCALING: list[dict[str, Any]] = [
    {"name": "api-gateway", "normal": 3, "peak": 10},
    {"name": "analytics", "normal": 3, "peak": 8},
    {"name": "sentiment", "normal": 2, "peak": 5},
]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    with kube_api.serving() as api:
        for target in _SCALING:
            api.autoscaler(target["name"], target["normal"], target["peak"])
        prepared = ops_runs.prepared(api, tmp_path, monkeypatch)
        prepared.configure(scaling=_SCALING)
        prepared.as_job("peak-start")
        yield prepared


def _least(runs: Runs) -> dict[str, int | None]:
    found = {path.rpartition("/")[2]: item["spec"].get("minReplicas") for path, item in runs.api.objects.items()}
    return {target["name"]: found[target["name"]] for target in _SCALING}


def test_peak_and_normal_set_the_least_replicas_with_the_rights_of_the_job(runs: Runs) -> None:
    peak = runs.ops("scale", "peak", "--json")
    at_peak = _least(runs)
    runs.as_job("peak-end")
    normal = runs.ops("scale", "normal", "--json")

    assert (peak.code, normal.code) == (0, 0)
    assert at_peak == {"api-gateway": 10, "analytics": 8, "sentiment": 5}
    assert _least(runs) == {"api-gateway": 3, "analytics": 3, "sentiment": 2}
    assert peak.json["autoscalers"][0] == {"name": "api-gateway", "found": 3, "wanted": 10, "changed": True}
    assert not runs.api.patches("/deployments")


def test_a_second_run_changes_nothing_and_says_so(runs: Runs) -> None:
    runs.ops("scale", "peak")
    before = len(runs.api.patches())
    again = runs.ops("scale", "peak")

    assert again.code == 0
    assert len(runs.api.patches()) == before == 3
    assert again.stdout.splitlines() == [
        "api-gateway: at least 10 already",
        "analytics: at least 8 already",
        "sentiment: at least 5 already",
    ]


def test_an_autoscaler_without_a_minimum_has_kubernetes_own(runs: Runs) -> None:
    runs.api.autoscaler("sentiment", None, 5)

    assert "sentiment: changed from 1 to 2" in runs.ops("scale", "normal").stdout


def test_check_compares_and_changes_nothing(runs: Runs) -> None:
    different = runs.ops("scale", "peak", "--check")
    same = runs.ops("scale", "normal", "--check", "--json")

    assert (different.code, same.code) == (1, 0)
    assert "api-gateway: is 3, to be 10" in different.stdout
    assert runs.api.patches() == []


def test_a_dry_run_is_checked_by_the_server_and_keeps_nothing(runs: Runs) -> None:
    before = _least(runs)
    good = runs.ops("scale", "peak", "--dry-run")
    runs.api.rights = [right for right in runs.api.rights or () if False]
    forbidden = runs.ops("scale", "peak", "--dry-run")

    assert (good.code, forbidden.code) == (0, 2)
    assert "api-gateway: would change from 3 to 10" in good.stdout
    assert _least(runs) == before


def test_more_than_an_autoscalers_maximum_is_refused_before_anything_is_changed(runs: Runs) -> None:
    runs.api.autoscaler("sentiment", 2, 4)
    answer = runs.ops("scale", "peak", "--json")

    assert answer.code == 2
    assert answer.error == (
        "ops scale peak: autoscaler sentiment: 5 replicas at least are wanted, and its maxReplicas allows 4;"
        " raise maxReplicas in the stack or lower the number; nothing was changed"
    )
    assert runs.api.patches() == []


def test_the_end_of_a_peak_does_not_wait_for_an_autoscaler_with_a_lower_maximum(runs: Runs) -> None:
    runs.ops("scale", "peak")
    runs.api.autoscaler("sentiment", 1, 1)
    answer = runs.ops("scale", "normal")

    assert answer.code == 2
    assert _least(runs) == {"api-gateway": 3, "analytics": 3, "sentiment": 1}
    assert "sentiment: not changed: autoscaler sentiment: 2 replicas at least are wanted" in answer.stdout


def test_an_autoscaler_that_may_go_to_zero_is_not_taken_for_one_with_a_pod(runs: Runs) -> None:
    runs.configure(scaling=[{"name": "sentiment", "normal": 1, "peak": 5}])
    runs.api.autoscaler("sentiment", 0, 5)

    assert "sentiment: changed from 0 to 1" in runs.ops("scale", "normal").stdout


@pytest.mark.parametrize(("code", "ends"), [(403, 2), (404, 1), (409, 75), (429, 75), (500, 75), (0, 75)], ids=str)
def test_an_autoscaler_in_trouble_does_not_keep_the_others_from_the_peak(runs: Runs, code: int, ends: int) -> None:
    runs.api.faults.append(Fault("PATCH", "analytics", code))
    first = runs.ops("scale", "peak")
    after = _least(runs)
    second = runs.ops("scale", "peak", "--json")

    assert first.code == ends
    assert after == {"api-gateway": 10, "analytics": 3, "sentiment": 5}
    assert "analytics: not changed: " in first.stdout
    assert (second.code, _least(runs)["analytics"]) == (0, 8)
    assert [step["changed"] for step in second.json["autoscalers"]] == [False, True, False]


def test_a_missing_autoscaler_is_named_and_the_others_are_scaled(runs: Runs) -> None:
    gone = next(path for path in runs.api.objects if path.endswith("/analytics"))
    del runs.api.objects[gone]
    answer = runs.ops("scale", "peak", "--json")

    assert answer.code == 1
    assert "404" in answer.json["autoscalers"][1]["problem"]
    assert runs.api.objects[gone.replace("analytics", "sentiment")]["spec"]["minReplicas"] == 5


def test_settings_without_an_autoscaler_are_wrong_settings(runs: Runs) -> None:
    runs.configure(scaling=[])
    answer = runs.ops("scale", "peak")

    assert answer.code == 2
    assert "name no autoscaler" in answer.error
