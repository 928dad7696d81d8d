"""What the JWT Secret says about its own rotation, and every change of it.

A key is known to every pod before the first one signs with it, and for an overlap after the last one did. The Secret
itself says how far a rotation is, so that one that was killed goes on where it stood:

    resting --announce--> announced --switch--> switched --complete--> resting, with an overlap --finish--> finishing
                              |                     |                                                          |
                          withdraw                revert                                                     settle
                              v                     v                                                          v
                          withdrawn             reverted --settle--> resting                                resting

A key that leaked has no overlap. From every phase a new one replaces both keys, and there is no way back:

    any --replace--> replaced --complete--> resting

In every phase but resting the services have to be rolled before the next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from runbook import formats, practices
from runbook.ops_settings import JwtTarget
from scripts.exits import CheckFailedError, OpsError, UsageError

PHASE: Final = "crypto.analytics/jwt-phase"
SINCE: Final = "crypto.analytics/jwt-phase-since"
ROTATED: Final = "crypto.analytics/jwt-rotated"
UNDONE: Final = "crypto.analytics/jwt-undone"

OVERLAP: Final = timedelta(seconds=practices.JWT_OVERLAP.value)
AGE: Final = timedelta(days=practices.JWT_AGE.value)


class Phase(StrEnum):
    """How far a rotation is."""

    # One key, or two while an overlap lasts; nothing is under way.
    RESTING = "resting"
    # The new key verifies everywhere soon; the old one signs.
    ANNOUNCED = "announced"
    # The new key signs; the old one verifies.
    SWITCHED = "switched"
    # The overlap is over: the old key is being forgotten.
    FINISHING = "finishing"
    # Undone before the new key signed anything, so it is forgotten.
    WITHDRAWN = "withdrawn"
    # Undone after the new key signed: the old one signs again, and the new one verifies for an overlap.
    REVERTED = "reverted"
    # A new key alone signs and verifies; pods from before still take the leaked one.
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class State:
    """The Secret. Keys are base64, as the API gives them; ``version`` is the only one that may be changed."""

    version: str
    current: str = field(repr=False)
    previous: str | None = field(repr=False)
    phase: Phase
    since: datetime
    rotated: datetime
    undone: datetime | None

    @property
    def overlap_end(self) -> datetime | None:
        """When the previous key may go; None where there is none."""
        return None if self.previous is None else self.since + OVERLAP

    @property
    def due(self) -> datetime:
        """When the key is to be replaced."""
        return self.rotated + AGE

    @property
    def stamp(self) -> str:
        """What the pods of this phase carry: the same for every run, so that going on rolls nothing twice."""
        return f"{self.phase}-{_text(self.since)}"


def parse(secret: Any, target: JwtTarget) -> State:
    """The state that a Secret is in; one that was never rotated rests since it was created.

    Raises:
        UsageError: it has no key to sign with.
        CheckFailedError: an annotation is not what this program writes.
    """
    metadata: Any = secret["metadata"]
    data: Mapping[str, str] = secret.get("data") or {}
    notes: Mapping[str, str] = metadata.get("annotations") or {}
    if not data.get(target.key):
        raise UsageError(f"the Secret {target.secret} has no key {target.key!r}: put a first secret there")

    def moment(name: str) -> datetime | None:
        return _moment(target, name, notes[name]) if name in notes else None

    created = _moment(target, "creationTimestamp", str(metadata["creationTimestamp"]))
    rotated = moment(ROTATED) or created
    try:
        phase = Phase(notes.get(PHASE, Phase.RESTING))
    except ValueError:
        raise _wrong(target, PHASE, notes[PHASE]) from None
    if phase in (Phase.ANNOUNCED, Phase.SWITCHED, Phase.REVERTED) and not data.get(target.previous_key):
        raise CheckFailedError(
            f"the Secret {target.secret} is {phase} and has no key {target.previous_key!r}: somebody took it away;"
            f" remove its annotation {PHASE} and rotate again"
        )
    return State(
        metadata["resourceVersion"],
        data[target.key],
        data.get(target.previous_key) or None,
        phase,
        moment(SINCE) or rotated,
        rotated,
        moment(UNDONE),
    )


def salvaged(secret: Any, target: JwtTarget) -> State:
    """The state of a Secret whose keys are to be replaced; one that cannot be read counts as resting."""
    try:
        return parse(secret, target)
    except OpsError:
        data: Mapping[str, str] = secret.get("data") or {}
        now = datetime.now(UTC)
        keys = data.get(target.key, ""), data.get(target.previous_key) or None
        return State(secret["metadata"]["resourceVersion"], *keys, Phase.RESTING, now, now, None)


def replace(state: State, target: JwtTarget, now: datetime, new: str) -> dict[str, object]:
    """``new`` (base64) signs and verifies from now on, and no other key does."""
    notes = {ROTATED: _text(now), UNDONE: None}
    return _change(state, {target.key: new, target.previous_key: None}, Phase.REPLACED, now, notes)


def announce(state: State, target: JwtTarget, now: datetime, new: str) -> dict[str, object]:
    """``new`` (base64) is to verify everywhere before it signs anything."""
    return _change(state, {target.previous_key: new}, Phase.ANNOUNCED, now)


def switch(state: State, target: JwtTarget, now: datetime) -> dict[str, object]:
    """The announced key signs from now on, and the old one verifies."""
    return _change(state, _swapped(state, target), Phase.SWITCHED, now)


def complete(state: State, now: datetime) -> dict[str, object]:
    """Every pod signs with the new key: the overlap begins, where there is a key from before."""
    return _change(state, {}, Phase.RESTING, now, {ROTATED: _text(now), UNDONE: None})


def finish(state: State, target: JwtTarget, now: datetime) -> dict[str, object]:
    """The overlap is over: the previous key verifies nothing any more."""
    return _change(state, {target.previous_key: None}, Phase.FINISHING, now)


def settle(state: State, now: datetime) -> dict[str, object]:
    """Every pod has followed the last step."""
    return _change(state, {}, Phase.RESTING, now)


def undo(state: State, target: JwtTarget, now: datetime) -> dict[str, object] | None:
    """The way back from the phase, or None where there is none."""
    notes = {UNDONE: _text(now)}
    if state.phase is Phase.ANNOUNCED:
        return _change(state, {target.previous_key: None}, Phase.WITHDRAWN, now, notes)
    if state.phase is Phase.SWITCHED:
        return _change(state, _swapped(state, target), Phase.REVERTED, now, notes)
    return None


def advance(state: State, target: JwtTarget, now: datetime) -> dict[str, object]:
    """The step that follows once every pod has followed the phase."""
    if state.phase is Phase.ANNOUNCED:
        return switch(state, target, now)
    return complete(state, now) if state.phase in (Phase.SWITCHED, Phase.REPLACED) else settle(state, now)


def _swapped(state: State, target: JwtTarget) -> dict[str, str | None]:
    return {target.key: state.previous, target.previous_key: state.current}


def _change(
    state: State,
    data: Mapping[str, str | None],
    phase: Phase,
    now: datetime,
    more: Mapping[str, str | None] | None = None,
) -> dict[str, object]:
    notes = {PHASE: str(phase), SINCE: _text(now), **(more or {})}
    change: dict[str, object] = {"metadata": {"resourceVersion": state.version, "annotations": notes}}
    return change | ({"data": dict(data)} if data else {})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(target: JwtTarget, name: str, text: str) -> datetime:
    try:
        return formats.moment(datetime.fromisoformat(text)).astimezone(UTC)
    except ValueError:
        raise _wrong(target, name, text) from None


def _wrong(target: JwtTarget, name: str, value: str) -> CheckFailedError:
    return CheckFailedError(
        f"the Secret {target.secret} has {name}={value!r}, which this program never writes; mend or remove it"
    )
