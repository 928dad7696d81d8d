"""What a run of the rotation is to do, from the Secret's state and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scripts.exits import CheckFailedError
from scripts.rotation.state import OVERLAP, Phase, State


class Action(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    ROTATE = "rotate"
    GO_ON = "go on"
    FINISH = "finish"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, why, and where it is nothing, when there will be something."""

    action: Action
    reason: str
    next: datetime | None = None


def decide(state: State, now: datetime, *, if_due: bool, finish: bool, compromised: bool = False) -> Decision:
    """The decision.

    Raises:
        CheckFailedError: what was asked for must not be done yet, or the last try failed and nobody has looked.
    """
    if compromised and state.phase is not Phase.REPLACED:
        return Decision(Action.REPLACE, "a key is compromised: every session ends, and users sign in again")
    if state.phase is not Phase.RESTING:
        return Decision(Action.GO_ON, f"an earlier run left off ({state.phase} since {_shown(state.since)})")
    if if_due and state.undone is not None and now < state.undone + OVERLAP:
        raise CheckFailedError(
            f"the rotation of {_shown(state.undone)} was undone; look why, then run: ops rotate jwt"
            f" (the next try by itself is after {_shown(state.undone + OVERLAP)})"
        )
    end = state.overlap_end
    if end is not None and now < end:
        return _within(end, if_due=if_due)
    if finish or (if_due and now < state.due):
        if end is not None:
            return Decision(Action.FINISH, f"the overlap ended at {_shown(end)}")
        told = "there is no overlap to end" if finish else "the secret is not old enough"
        return Decision(Action.NOTHING, f"{told}: last rotated {_shown(state.rotated)}", state.due)
    asked = f"it is due since {_shown(state.due)}" if now >= state.due else "it was asked for"
    return Decision(Action.ROTATE, asked)


def _within(end: datetime, *, if_due: bool) -> Decision:
    line = f"the previous key still verifies until {_shown(end)}"
    if if_due:
        return Decision(Action.NOTHING, line, end)
    raise CheckFailedError(
        f"{line}: dropping it now would log people out; run again after that,"
        " or end a key that leaked by: ops rotate jwt --compromised"
    )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
