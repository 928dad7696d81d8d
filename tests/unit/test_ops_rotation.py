"""The rotation's phases and decisions, without any API."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.ops_settings import JwtTarget
from scripts.exits import CheckFailedError, UsageError
from scripts.rotation import state as states
from scripts.rotation.decision import Action, decide
from scripts.rotation.state import AGE, OVERLAP, Phase, State

_TARGET = JwtTarget(secret="jwt-secret", services=("api-gateway",))
_NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def _secret(phase: str | None = None, *, previous: str | None = None, **notes: str) -> dict[str, Any]:
    annotations = {f"crypto.analytics/jwt-{name.replace('_', '-')}": value for name, value in notes.items()}
    annotations |= {} if phase is None else {states.PHASE: phase}
    data = {"secret": "b2xk"} | ({} if previous is None else {"previous": previous})
    return {
        "metadata": {"resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": annotations},
        "data": data,
    }


def _state(*, previous: bool = False, age: timedelta = timedelta(), **changes: Any) -> State:
    values: dict[str, Any] = {"phase": Phase.RESTING, "undone": None, "since": _NOW - age, "rotated": _NOW - age}
    return State("7", "b2xk", "bmV3" if previous else None, **(values | changes))


def test_a_secret_that_was_never_rotated_rests_since_it_was_created() -> None:
    state = states.parse(_secret(), _TARGET)

    assert (state.phase, state.previous, state.overlap_end) == (Phase.RESTING, None, None)
    assert state.rotated == datetime(2026, 1, 1, tzinfo=UTC)
    assert state.due == state.rotated + timedelta(days=90)


@pytest.mark.parametrize(
    ("secret", "error", "words"),
    [
        ({**_secret(), "data": {}}, UsageError, "has no key 'secret'"),
        (_secret("asleep"), CheckFailedError, "jwt-phase='asleep'"),
        (_secret(rotated="lately"), CheckFailedError, "jwt-rotated='lately'"),
        (_secret(rotated="0001-01-01T00:00:00+14:00"), CheckFailedError, "jwt-rotated='0001"),
        (_secret(rotated="9999-12-31T23:59:59Z"), CheckFailedError, "jwt-rotated='9999"),
        (_secret("switched"), CheckFailedError, "is switched and has no key 'previous'"),
    ],
)
def test_a_secret_that_cannot_be_rotated_is_named_with_what_is_wrong(
    secret: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        states.parse(secret, _TARGET)

    assert "b2xk" not in str(caught.value)


def test_a_state_never_shows_its_keys() -> None:
    assert "b2xk" not in repr(_state(previous=True))
    assert "bmV3" not in repr(_state(previous=True))


@pytest.mark.parametrize(
    ("state", "if_due", "action"),
    [
        (_state(age=AGE - _SECOND), True, Action.NOTHING),
        (_state(age=AGE), True, Action.ROTATE),
        (_state(age=timedelta(days=1)), False, Action.ROTATE),
        (_state(previous=True, age=OVERLAP - _SECOND), True, Action.NOTHING),
        (_state(previous=True, age=OVERLAP), True, Action.FINISH),
        (_state(previous=True, age=OVERLAP), False, Action.ROTATE),
        (_state(previous=True, age=AGE), True, Action.ROTATE),
        (_state(phase=Phase.ANNOUNCED, previous=True), True, Action.GO_ON),
        (_state(phase=Phase.FINISHING), False, Action.GO_ON),
        (_state(age=AGE, undone=_NOW - OVERLAP), True, Action.ROTATE),
        (_state(age=AGE, undone=_NOW - _SECOND), False, Action.ROTATE),
    ],
)
def test_what_is_due_is_decided_by_the_age_and_by_the_overlap(state: State, if_due: bool, action: Action) -> None:
    assert decide(state, _NOW, if_due=if_due, finish=False).action is action


def test_nothing_to_do_says_when_there_will_be() -> None:
    resting, overlapping = _state(age=timedelta(days=2)), _state(previous=True, age=timedelta(hours=1))

    assert decide(resting, _NOW, if_due=True, finish=False).next == resting.rotated + AGE
    assert decide(overlapping, _NOW, if_due=True, finish=False).next == overlapping.since + OVERLAP
    assert decide(resting, _NOW, if_due=False, finish=True).action is Action.NOTHING


@pytest.mark.parametrize("finish", [True, False])
def test_an_overlap_is_never_cut_short(finish: bool) -> None:
    with pytest.raises(CheckFailedError, match=r"still verifies until 2026-03-02 02:00 UTC"):
        decide(_state(previous=True, age=timedelta(hours=1)), _NOW, if_due=False, finish=finish)


def test_a_schedule_does_not_repeat_a_failure_by_itself_within_the_overlap() -> None:
    with pytest.raises(CheckFailedError, match="was undone; look why"):
        decide(_state(age=AGE, undone=_NOW - OVERLAP + _SECOND), _NOW, if_due=True, finish=False)


class _Server:
    """What the API makes of the changes."""

    def __init__(self) -> None:
        self.secret = _secret()

    @property
    def state(self) -> State:
        return states.parse(self.secret, _TARGET)

    def apply(self, change: Any) -> None:
        assert change["metadata"]["resourceVersion"] == self.secret["metadata"]["resourceVersion"]
        self.secret["metadata"]["resourceVersion"] += "1"
        for old, new in (
            (self.secret["data"], change.get("data", {})),
            (self.secret["metadata"]["annotations"], change["metadata"]["annotations"]),
        ):
            old.update(new)
            for key in [key for key, value in new.items() if value is None]:
                del old[key]

    @property
    def keys(self) -> set[str]:
        return set(self.secret["data"].values())


@given(st.lists(st.sampled_from(["advance", "undo", "begin", "finish"]), max_size=30))
def test_whatever_happens_a_key_signs_only_when_every_pod_knew_it_before(steps: list[str]) -> None:
    """Pods have read the Secret as it was after the last phase that was followed, or as it is now."""
    server, now, number = _Server(), _NOW, 0
    before = server.keys
    for step in steps:
        state = server.state
        now += OVERLAP
        if step == "advance" and state.phase is not Phase.RESTING:
            # Every pod was rolled: it knows the Secret as it is.
            before = server.keys
            server.apply(states.advance(state, _TARGET, now))
        elif step == "undo" and (back := states.undo(state, _TARGET, now)) is not None:
            server.apply(back)
        elif step == "begin" and state.phase is Phase.RESTING:
            number += 1
            before = server.keys
            server.apply(states.announce(state, _TARGET, now, base64.b64encode(f"new{number}".encode()).decode()))
        elif step == "finish" and state.phase is Phase.RESTING and state.previous is not None:
            before = server.keys
            server.apply(states.finish(state, _TARGET, now))
        assert server.state.current in before


@given(st.lists(st.sampled_from(["advance", "undo", "begin", "finish", "replace"]), max_size=30))
def test_whatever_happens_a_key_that_was_replaced_never_comes_back(steps: list[str]) -> None:
    server, now, leaked = _Server(), _NOW, set[str]()
    for number, step in enumerate(steps):
        state, new = server.state, base64.b64encode(f"new{number}".encode()).decode()
        now += OVERLAP
        if step == "replace":
            leaked |= server.keys
            server.apply(states.replace(state, _TARGET, now, new))
            assert server.keys == {new}
        elif step == "advance" and state.phase is not Phase.RESTING:
            server.apply(states.advance(state, _TARGET, now))
        elif step == "undo" and (back := states.undo(state, _TARGET, now)) is not None:
            server.apply(back)
        elif step == "begin" and state.phase is Phase.RESTING:
            server.apply(states.announce(state, _TARGET, now, new))
        elif step == "finish" and state.phase is Phase.RESTING and state.previous is not None:
            server.apply(states.finish(state, _TARGET, now))
        assert not server.keys & leaked


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (_state(), Action.REPLACE),
        (_state(previous=True, age=timedelta(hours=1)), Action.REPLACE),
        (_state(undone=_NOW), Action.REPLACE),
        *((_state(phase=phase, previous=True), Action.REPLACE) for phase in Phase if phase is not Phase.REPLACED),
        (_state(phase=Phase.REPLACED), Action.GO_ON),
    ],
)
def test_a_key_that_leaked_is_replaced_in_any_state(state: State, action: Action) -> None:
    assert decide(state, _NOW, if_due=False, finish=False, compromised=True).action is action


def test_a_whole_rotation_keeps_the_old_key_as_the_previous_one_and_notes_the_time() -> None:
    server = _Server()
    server.apply(states.announce(server.state, _TARGET, _NOW, "bmV3"))
    announced = dict(server.secret["data"])
    server.apply(states.advance(server.state, _TARGET, _NOW))
    server.apply(states.advance(server.state, _TARGET, _NOW))

    assert announced == {"secret": "b2xk", "previous": "bmV3"}
    assert server.secret["data"] == {"secret": "bmV3", "previous": "b2xk"}
    assert server.state.rotated == _NOW
    assert server.state.phase is Phase.RESTING
    assert server.state.overlap_end == _NOW + timedelta(hours=24)
