"""``ops rotate jwt`` against an API that answers like Kubernetes', healthy, refusing, and killed on its way."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.clients.kubernetes import Cluster
from tests.services import kube_api, ops_runs, sinks
from tests.services.kube_api import Fault, KubeApi, Object
from tests.services.ops_environment import Answer, finish
from tests.services.ops_runs import Page, Runs

pytestmark = pytest.mark.timeout(180)
_SERVICES = ("api-gateway", "user-service")
_OLD = "old-Geheim-of-the-tests"
_PHASE = "crypto.analytics/jwt-phase"


@dataclass
class System:
    runs: Runs
    page: Page
    outputs: list[str]

    @property
    def api(self) -> KubeApi:
        return self.runs.api

    @property
    def keys(self) -> dict[str, str]:
        return self.api.decoded("jwt-secret")

    @property
    def notes(self) -> dict[str, str]:
        return self.content["metadata"]["annotations"]

    @property
    def content(self) -> Object:
        return self.api.objects["/api/v1/namespaces/crypto/secrets/jwt-secret"]

    def rotate(self, *options: str) -> Answer:
        answer = self.runs.ops("rotate", "jwt", "--timeout", "1", *options)
        self.outputs += [answer.stdout, answer.stderr]
        return answer

    def age(self, **by: float) -> None:
        """Let time pass for the Secret."""
        metadata = self.content["metadata"]
        for name, text in list(metadata["annotations"].items()):
            if name != _PHASE:
                metadata["annotations"][name] = (datetime.fromisoformat(text) - timedelta(**by)).isoformat()

    def stamps(self) -> set[str]:
        """What the pods of the services follow."""
        return {
            self.api.objects[f"/apis/apps/v1/namespaces/crypto/deployments/{name}"]["spec"]["template"]["metadata"]
            .get("annotations", {})
            .get(_PHASE, "")
            for name in _SERVICES
        }

    def story(self) -> list[str]:
        """What happened to the Secret and the Deployments, in order."""
        told: list[str] = []
        for item in self.api.history:
            template = item.get("spec", {}).get("template")
            notes = (item if template is None else template)["metadata"]["annotations"]
            told.append(f"{item['metadata']['name']} {notes[_PHASE].partition('-')[0]}")
        return told


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    with kube_api.serving() as api, ops_runs.health_page() as page:
        runs = ops_runs.prepared(api, tmp_path, monkeypatch)
        runs.hurry()
        for name in _SERVICES:
            api.deployment(name)
        api.secret("jwt-secret", {"secret": _OLD})
        runs.configure(
            services=[{"name": name, "healthUrl": page.url} for name in _SERVICES],
            jwt={"secret": "jwt-secret", "services": _SERVICES},
        )
        runs.as_job("jwt-rotation")
        system = System(runs, page, [])
        yield system
        # Whatever happened, no key is in anything that was written.
        written = "".join(system.outputs) + "".join(
            path.read_text() for path in tmp_path.iterdir() if path.name not in ("config.json", "kubeconfig")
        )
        for item in [*api.history, system.content]:
            for key in item.get("data", {}).values():
                assert key not in written
                assert base64.b64decode(key).decode() not in written


def test_the_new_key_is_known_everywhere_before_it_signs_and_the_old_one_stays_valid(system: System) -> None:
    answer = system.rotate("--json")

    assert answer.code == 0, answer.stderr
    keys = system.keys
    assert keys["previous"] == _OLD
    assert keys["secret"] != _OLD
    assert len(keys["secret"]) >= 64
    assert answer.json["phase"] == "resting"
    assert answer.json["overlapUntil"] is not None
    assert datetime.now(UTC) - datetime.fromisoformat(system.notes["crypto.analytics/jwt-rotated"]) < timedelta(hours=1)
    assert system.story() == [
        "jwt-secret announced",
        "api-gateway announced",
        "user-service announced",
        "jwt-secret switched",
        "api-gateway switched",
        "user-service switched",
        "jwt-secret resting",
    ]


def test_the_overlap_is_ended_by_a_later_run_and_not_before(system: System) -> None:
    system.rotate()
    new = system.keys["secret"]
    early = [system.rotate("--if-due", "--json"), system.rotate("--finish"), system.rotate()]
    kept = system.keys
    system.age(hours=24, seconds=1)
    ended = system.rotate("--if-due", "--json")
    again = system.rotate("--if-due", "--json")

    assert [answer.code for answer in early] == [0, 1, 1]
    assert early[0].json["action"] == "nothing"
    assert "still verifies until" in early[0].json["reason"]
    assert kept == {"secret": new, "previous": _OLD}
    assert (ended.code, ended.json["action"]) == (0, "finish")
    assert system.keys == {"secret": new}
    assert system.stamps().pop().startswith("finishing")
    assert (again.code, again.json["action"]) == (0, "nothing")


def test_if_due_rotates_once_the_secret_is_old_enough(system: System) -> None:
    first = system.rotate("--if-due", "--json")
    system.age(days=89)
    young = system.rotate("--if-due", "--json")
    system.age(days=1, seconds=1)
    old = system.rotate("--if-due", "--json")

    assert [answer.json["action"] for answer in (first, young, old)] == ["rotate", "finish", "rotate"]
    assert first.json["reason"].startswith("it is due since")


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(system: System) -> None:
    answer = system.rotate("--dry-run")

    assert answer.code == 0
    assert "would rotate" in answer.stdout
    assert system.api.history == []


def _breaks_in(phase: str) -> Callable[[Object], str | None]:
    def broken(template: Object) -> str | None:
        stamp = template["metadata"].get("annotations", {}).get(_PHASE, "")
        return "CrashLoopBackOff" if stamp.startswith(phase) else None

    return broken


@pytest.mark.parametrize(("phase", "back"), [("announced", "withdrawn"), ("switched", "reverted")])
def test_services_that_do_not_come_back_have_it_undone(system: System, phase: str, back: str) -> None:
    system.api.broken = _breaks_in(phase)
    answer = system.rotate("--json")

    assert answer.code == 1
    assert "api-gateway CrashLoopBackOff after 0 restarts" in answer.error
    assert "undone: the old key signs" in answer.error
    assert system.keys["secret"] == _OLD
    # What the new key signed in between verifies for an overlap; if it signed nothing, it is forgotten.
    assert ("previous" in system.keys) is (phase == "switched")
    assert all(stamp.startswith(back) for stamp in system.stamps())
    assert system.notes[_PHASE] == "resting"


def test_services_that_roll_out_and_do_not_answer_have_it_undone(system: System) -> None:
    system.api.changed = lambda _path: setattr(system.page, "code", 503 if "switched" in system.story()[-1] else 200)
    answer = system.rotate()

    assert answer.code == 1
    assert "answers 503" in answer.error
    assert system.keys["secret"] == _OLD
    assert system.notes[_PHASE] == "resting"


def test_a_schedule_reports_an_undone_rotation_until_somebody_looked(system: System) -> None:
    system.api.broken = _breaks_in("announced")
    system.rotate("--if-due")
    system.api.broken = lambda _template: None
    before = len(system.api.history)
    repeated = system.rotate("--if-due")
    unchanged = len(system.api.history)
    by_hand = system.rotate()

    assert repeated.code == 1
    assert "was undone; look why" in repeated.error
    assert before == unchanged
    assert by_hand.code == 0
    assert system.keys["previous"] == _OLD


def test_a_service_that_is_not_well_before_is_never_blamed_on_the_rotation(system: System) -> None:
    system.page.code = 503
    sick = system.rotate()
    system.page.code = 200
    system.api.broken = lambda _template: "ImagePullBackOff"
    system.api.deployment("user-service")
    rolling = system.rotate()

    assert (sick.code, rolling.code) == (1, 1)
    assert "not begun: api-gateway answers 503" in sick.error
    assert "not begun: user-service is not rolled out" in rolling.error
    assert system.api.history == []


@pytest.mark.parametrize(("path", "words"), [("deployments", "not permitted to change"), ("secrets", "not permitted")])
def test_missing_rights_are_found_before_anything_is_changed(system: System, path: str, words: str) -> None:
    system.api.rights = [
        replace(right, verbs=("get", "list")) if path in right.resources else right for right in system.api.rights or ()
    ]
    answer = system.rotate()

    assert answer.code == 2
    assert words in answer.error
    assert system.api.history == []


def test_a_secret_that_somebody_else_changes_is_not_overwritten(system: System) -> None:
    system.api.faults.append(Fault("PATCH", "/secrets/", 409))
    answer = system.rotate()
    again = system.rotate()

    assert answer.code == 75
    assert "changed by somebody else" in answer.error
    assert again.code == 0
    assert system.keys["previous"] == _OLD


@pytest.mark.parametrize("code", [500, 0])
def test_an_api_that_is_away_for_a_moment_does_not_end_the_watch(system: System, code: int) -> None:
    def fail(_path: str) -> None:
        if "announced" in system.story()[-1] and not system.api.faults:
            system.api.faults.append(Fault("GET", "/deployments/", code, times=3))

    system.api.changed = fail
    answer = system.rotate()

    assert answer.code == 0, answer.stderr
    assert system.api.faults[0].times == 0


def test_a_server_that_repeats_what_it_was_sent_does_not_get_a_key_into_the_output(system: System) -> None:
    system.api.faults.append(Fault("PATCH", "/secrets/", 422))
    answer = system.rotate()

    assert answer.code == 1
    assert "422: fault of the test" in answer.error
    new = json.loads(system.api.refused[0])["data"]["previous"]
    assert len(new) >= 64
    assert new not in answer.stderr + answer.stdout
    assert system.keys == {"secret": _OLD}


class _Killed(BaseException):
    """The process is gone."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool) -> None:
    genuine = Cluster.patch
    count = 0

    def patch(self: Cluster, path: str, change: Any, *, strategic: bool = False, dry_run: bool = False) -> Any:
        nonlocal count
        count += not dry_run
        if count == number and not after and not dry_run:
            raise _Killed
        answer = genuine(self, path, change, strategic=strategic, dry_run=dry_run)
        if count == number and after and not dry_run:
            raise _Killed
        return answer

    monkeypatch.setattr(Cluster, "patch", patch)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 8))
def test_killed_at_any_change_and_run_again_it_ends_well(system: System, number: int, after: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _kill_at(patch, number, after=after)
        with pytest.raises(_Killed):
            system.rotate()
    assert len(system.api.history) == number - (not after)
    killed = system.keys
    again = system.rotate("--if-due", "--json")

    assert again.code == 0, again.stderr
    assert _OLD in killed.values()
    keys = system.keys
    assert keys["previous"] == _OLD
    assert system.notes[_PHASE] == "resting"
    # Nothing that was done before is done again.
    assert len(system.api.history) == 7
    assert len(system.story()) == len(set(system.story()))


@pytest.mark.parametrize("number", range(1, 11))
def test_killed_while_it_is_undone_the_next_run_ends_the_undoing(system: System, number: int) -> None:
    system.api.broken = _breaks_in("switched")
    with pytest.MonkeyPatch.context() as patch:
        _kill_at(patch, number, after=True)
        with pytest.raises(_Killed):
            system.rotate()
    again = system.rotate()
    while "left off" in again.stdout:
        again = system.rotate()

    assert again.code == 1
    assert system.keys["secret"] == _OLD
    assert system.notes[_PHASE] == "resting"
    assert all(stamp.startswith("reverted") for stamp in system.stamps())


def _leak(system: System, state: str) -> set[str]:
    """Bring the rotation into a state, and give the keys of that moment."""
    if state == "overlap":
        system.rotate()
    elif state in ("announced", "switched"):
        system.api.broken = _breaks_in(state)
        with pytest.MonkeyPatch.context() as patch:
            _kill_at(patch, 2 if state == "announced" else 5, after=True)
            with pytest.raises(_Killed):
                system.rotate()
        system.api.broken = lambda _template: None
    elif state == "unreadable":
        system.notes[_PHASE] = "asleep"
    elif state == "torn":
        system.notes[_PHASE] = "switched"
    keys = set(system.keys.values())
    system.api.history.clear()
    return keys


_REPLACED = ["jwt-secret replaced", "api-gateway replaced", "user-service replaced", "jwt-secret resting"]


@pytest.mark.parametrize("state", ["resting", "overlap", "announced", "switched", "unreadable", "torn"])
def test_a_key_that_leaked_ends_now_whatever_the_rotation_is_at(system: System, state: str) -> None:
    leaked = _leak(system, state)
    answer = system.rotate("--compromised", "--yes")

    assert answer.code == 0, answer.stderr
    assert list(system.keys) == ["secret"]
    assert not set(system.keys.values()) & leaked
    # What verifies forgets the key before what signs does.
    assert system.story() == _REPLACED
    assert "every session ended" in answer.stdout
    assert system.rotate("--if-due", "--json").json["action"] == "nothing"


def test_people_are_asked_before_every_session_ends(system: System) -> None:
    unasked, dry = system.rotate("--compromised"), system.rotate("--compromised", "--dry-run")

    assert (unasked.code, dry.code) == (2, 0)
    assert "this ends every session: all users sign in again; confirm it with --yes" in unasked.error
    assert "would replace, because a key is compromised: every session ends" in dry.stdout
    assert system.api.history == []


def test_a_service_that_does_not_come_back_brings_no_leaked_key_back(system: System) -> None:
    system.api.broken = _breaks_in("replaced")
    failed = system.rotate("--compromised", "--yes")
    keys, stamps = system.keys, system.stamps()
    system.api.broken = lambda _template: None
    for name in _SERVICES:
        found = system.api.objects[f"/apis/apps/v1/namespaces/crypto/deployments/{name}"]
        system.api.deployment(name)["spec"]["template"] = found["spec"]["template"]
    _follow(system)
    again = system.rotate("--json")

    assert failed.code == 1
    assert "CrashLoopBackOff" in failed.error
    assert "do not come back" in failed.error
    assert "kubectl -n crypto delete pods -l 'app in (api-gateway, user-service)'" in failed.error
    assert _OLD not in keys.values()
    assert all(stamp.startswith("replaced") for stamp in stamps), "the second did not wait for the first"
    assert (again.code, again.json["action"], again.json["phase"]) == (0, "go on", "resting")
    assert system.keys == keys


def _follow(system: System) -> None:
    """Have the pods that run carry what their Deployment says."""
    for path, item in system.api.objects.items():
        if "/pods/" in path:
            name = item["metadata"]["labels"]["app"]
            template = system.api.objects[f"/apis/apps/v1/namespaces/crypto/deployments/{name}"]["spec"]["template"]
            item["metadata"]["annotations"] = dict(template["metadata"]["annotations"])


def test_a_service_that_is_ill_keeps_no_leaked_key_alive(system: System) -> None:
    system.page.code = 503
    answer = system.rotate("--compromised", "--yes")

    assert answer.code == 1
    assert "answers 503" in answer.error
    assert list(system.keys) == ["secret"]
    assert _OLD not in system.keys.values()


def test_a_pod_that_still_ends_is_waited_for_and_named(system: System) -> None:
    metadata = {"labels": {"app": "user-service"}, "deletionTimestamp": "2026-01-01T00:00:00Z"}
    stuck = "/api/v1/namespaces/crypto/pods/lost-node"
    system.api.add(stuck, {"metadata": metadata, "status": {"phase": "Running"}})
    waited = system.rotate("--compromised", "--yes")
    del system.api.objects[stuck]
    again = system.rotate()

    assert waited.code == 1
    assert "pods of user-service from before have not ended: lost-node" in waited.error
    assert again.code == 0
    assert _OLD not in system.keys.values()


@pytest.mark.parametrize(
    ("number", "after"), [(number, after) for number in range(1, 5) for after in (False, True)][:-1]
)
def test_killed_while_a_leaked_key_is_replaced_the_next_run_ends_it(system: System, number: int, after: bool) -> None:
    _leak(system, "overlap")
    with pytest.MonkeyPatch.context() as patch:
        _kill_at(patch, number, after=after)
        with pytest.raises(_Killed):
            system.rotate("--compromised", "--yes")
    again = system.rotate("--compromised", "--yes")

    assert again.code == 0, again.stderr
    assert list(system.keys) == ["secret"]
    assert system.story() == _REPLACED


def test_without_the_rights_to_roll_the_services_no_key_is_replaced(system: System) -> None:
    system.api.rights = [
        replace(right, verbs=("get", "list")) if "deployments" in right.resources else right
        for right in system.api.rights or ()
    ]
    answer = system.rotate("--compromised", "--yes")

    assert answer.code == 2
    assert system.keys == {"secret": _OLD}


def test_a_process_that_is_really_killed_leaves_what_the_next_run_goes_on_with(system: System) -> None:
    reached, release = threading.Event(), threading.Event()

    def hold(_path: str) -> None:
        if not reached.is_set() and system.story()[-1] == "jwt-secret switched":
            reached.set()
            release.wait(60)

    system.api.changed = hold
    process = system.runs.start("rotate", "jwt", "--json")
    try:
        assert reached.wait(60)
    finally:
        process.kill()
        release.set()
    killed = finish(process)
    system.outputs += [killed.stdout, killed.stderr]
    again = system.rotate("--json")

    assert killed.code == -9
    assert (again.code, again.json["action"]) == (0, "go on")
    assert system.keys["previous"] == _OLD


def test_a_process_that_is_told_to_end_leaves_a_line_that_says_it_goes_on(system: System) -> None:
    reached = threading.Event()
    system.api.broken = _breaks_in("announced")
    system.api.changed = lambda _path: reached.set() if len(system.story()) == 3 else None
    process = system.runs.start("rotate", "jwt")
    assert reached.wait(60)
    process.terminate()
    stopped = finish(process)
    system.outputs += [stopped.stdout, stopped.stderr]
    system.api.broken = lambda _template: None
    for name in _SERVICES:
        template = system.api.objects[f"/apis/apps/v1/namespaces/crypto/deployments/{name}"]["spec"]["template"]
        system.api.deployment(name)["spec"]["template"] = template
    again = system.rotate()

    assert stopped.code == 75
    assert "run it again and it goes on" in stopped.error
    assert again.code == 0
    assert system.keys["previous"] == _OLD


def test_people_are_told_what_was_done_and_what_failed_and_never_a_key(system: System) -> None:
    with sinks.mail_server() as server:
        mail = {"host": "127.0.0.1", "port": server.port, "sender": "ops@example.com", "recipients": ["a@example.com"]}
        system.runs.configure(mail={**mail, "tls": False})
        done = system.rotate("--json")
        system.rotate("--if-due")
        system.age(days=91)
        system.api.broken = _breaks_in("announced")
        system.rotate()
        system.rotate("--silent")

    assert done.json["notified"] == [{"sink": "mail", "sent": True}]
    assert [mail["Subject"] for mail in server.received] == [
        "JWT rotation (jwt-secret): rotated",
        "JWT rotation (jwt-secret): rotate failed",
    ]
    system.outputs += [mail.as_string() for mail in server.received]
    assert "CrashLoopBackOff" in str(server.received[1].get_body(("plain",)))


def test_wrong_settings_and_options_are_wrong_usage(system: System) -> None:
    both = system.rotate("--if-due", "--finish")
    system.runs.configure(jwt={"secret": "jwt-secret", "services": ["api-gatewai"]})
    unknown = system.rotate()
    system.runs.configure(jwt=None)
    none = system.rotate()

    assert (both.code, unknown.code, none.code) == (2, 2, 2)
    assert "give --if-due or --finish, and only one of them" in both.error
    assert "'api-gatewai' is no service of the settings: give one of api-gateway, user-service" in unknown.error
    assert json.dumps(system.keys) == json.dumps({"secret": _OLD})
