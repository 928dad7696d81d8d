"""The loop that waits for pods: names the missing ones, and gives up with the reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from local.errors import LocalError
from local.patience import Patience

POLL_SECONDS = 0.5
STILL_SECONDS = 300.0
IN_ALL_SECONDS = 3600.0
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not there yet: a line for people, and a state that changes while it moves.

    One part may wait for another without a sign, so they are given up as a whole. What is ``stuck`` waits for nothing
    in the cluster and has a time of its own. ``hopeless`` ends the wait at once. ``log`` has its last lines.
    """

    name: str
    line: str
    state: Hashable
    stuck: bool = False
    hopeless: bool = False
    log: Callable[[], Sequence[str]] = field(default=tuple, compare=False)


def patience() -> Patience:
    """For pods."""
    return Patience(STILL_SECONDS, IN_ALL_SECONDS)


def await_all(
    look: Callable[[], Sequence[Missing]],
    say: Callable[[str], None],
    where: str,
    patience: Patience,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Waits until ``look`` finds nothing missing; ``where`` are kubectl's words for the namespaces.

    Raises:
        LocalError: something does not come; the message names it and says why, and has the last lines of its log.
    """
    said = ""
    while found := _tried(look):
        hopeless = next((item for item in found if item.hopeless), None)
        if hopeless:
            raise LocalError(f"{hopeless.line}{_advice(where)}").with_log(hopeless.log())
        states = {_ALL: tuple((item.name, item.state) for item in found)}
        given_up = patience.look(states | {item.name: item.state for item in found if item.stuck})
        if given_up:
            named = next((item for item in found if item.name == given_up.name), _likeliest(found))
            raise LocalError(f"{named.line}; this {given_up.reason}{_advice(where)}", passing=not named.stuck).with_log(
                named.log()
            )
        summary = f"waiting for {len(found)} more, the first: {found[0].line}"
        if summary != said:
            say(summary)
            said = summary
        pause(POLL_SECONDS)


def _tried(look: Callable[[], Sequence[Missing]]) -> Sequence[Missing]:
    try:
        return look()
    except LocalError as error:
        # An API server that has no processor does not answer in time; the next look may find it again.
        return [Missing("API server", str(error), None)]


def _likeliest(found: Sequence[Missing]) -> Missing:
    return next((item for item in found if item.stuck), found[0])


def _advice(where: str) -> str:
    return f"; look with: kubectl get pods {where}"
