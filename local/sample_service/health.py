"""What the health path answers: the state of each dependency as the last check saw it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from .errors import first_line
from .workers import Workers

_CHECK_SECONDS: Final = 10.0


@dataclass(frozen=True)
class State:
    """The last check of one dependency."""

    up: bool
    detail: str


class Health:
    """Dependencies are checked in the background, so that a probe is answered at once however slow they are."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._service = service
        self._needed: dict[str, bool] = {}
        self._states: dict[str, State] = {}
        self._guard = threading.Lock()
        self._stopping = False
        text = "1 when the last check of a dependency succeeded."
        self._gauge = Gauge("dependency_up", text, ["dependency"], registry=registry)

    def watch(self, name: str, check: Callable[[], None], workers: Workers, *, needed: bool = True) -> None:
        """Check a dependency now and every ten seconds, sooner while it is down."""
        self._needed[name] = needed
        self._record(name, State(False, "not checked yet"))

        def judged() -> None:
            try:
                check()
            except Exception as error:
                self._record(name, State(False, first_line(error)))
                raise
            self._record(name, State(True, "ok"))

        workers.every(_CHECK_SECONDS, f"check of {name}", judged)

    def stopping(self) -> None:
        """From now on the answer is 503, so that no new work arrives."""
        self._stopping = True

    def answer(self) -> tuple[int, dict[str, object]]:
        """HTTP status and body: 200 "ok" or "degraded" (an optional one is down), 503 "unavailable" or "stopping"."""
        with self._guard:
            states = dict(self._states)
        down = {name for name, state in states.items() if not state.up}
        broken = any(self._needed[name] for name in down)
        status = "stopping" if self._stopping else "unavailable" if broken else "degraded" if down else "ok"
        body: dict[str, object] = {
            "service": self._service,
            "status": status,
            "dependencies": {
                name: {"up": state.up, "needed": self._needed[name], "detail": state.detail}
                for name, state in states.items()
            },
        }
        return (503 if status in ("stopping", "unavailable") else 200), body

    def _record(self, name: str, state: State) -> None:
        with self._guard:
            self._states[name] = state
        self._gauge.labels(name).set(state.up)
