"""``ops rotate jwt``: drives the Secret and the services from phase to phase."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from runbook.ops_settings import JwtTarget, OpsSettings
from scripts import log, notify, redact
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, ConflictError
from scripts.exits import CheckFailedError, Stop, TemporaryError, UsageError
from scripts.output import Outcome, say
from scripts.rotation import state as states
from scripts.rotation.decision import Action, Decision, decide
from scripts.rotation.state import Phase, State
from scripts.workloads import deployments, rollout, serving

# On the pods of each service; the value is the phase that they follow.
ANNOTATION: Final = "crypto.analytics/jwt-phase"
_SECONDS: Final = 30.0
# 384 bits, more than HS256 can use, in characters that every service reads alike.
_KEY_BYTES: Final = 48


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; each rollout may take ``seconds``."""

    if_due: bool = False
    finish: bool = False
    dry_run: bool = False
    silent: bool = False
    seconds: float = rollout.SECONDS


def run(settings: OpsSettings, request: Request) -> Outcome:
    """Rotate the secret, end an overlap or go on with what an earlier run left off.

    Raises:
        UsageError: the settings or the Secret do not allow it; nothing was changed.
        CheckFailedError: it must not be done yet, or it failed and was undone.
        TemporaryError: another run is at work, or the API does not answer; run again.
    """
    target = settings.jwt
    if target is None:
        raise UsageError("the settings name no JWT secret: add jwt.secret and jwt.services")
    if request.if_due and request.finish:
        raise UsageError("give --if-due or --finish, not both")
    with kubernetes.connect(_SECONDS) as cluster:
        rotation = _Rotation(cluster, settings, target, request.seconds)
        state = rotation.read()
        decision = decide(state, datetime.now(UTC), if_due=request.if_due, finish=request.finish)
        if decision.action is Action.NOTHING or request.dry_run:
            return _outcome(target, decision, state, dry_run=request.dry_run)
        try:
            state = rotation.perform(state, decision.action)
        except CheckFailedError as error:
            _tell(settings, request, f"JWT rotation ({target.secret}): {decision.action} failed", str(error))
            raise
    told = _tell(settings, request, f"JWT rotation ({target.secret}): {_DID[decision.action]}", decision.reason)
    return _outcome(target, decision, state, notified=told)


class _Rotation:
    def __init__(self, cluster: Cluster, settings: OpsSettings, target: JwtTarget, seconds: float) -> None:
        self._cluster = cluster
        self._namespace = settings.namespace
        self._target = target
        self._seconds = seconds
        self._services = [serving.target(settings, name) for name in target.services]

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}/secrets/{self._target.secret}"

    def read(self) -> State:
        """The Secret; its keys never appear in anything that is written from now on."""
        state = states.parse(self._cluster.get(self._path), self._target)
        _hide(state.current)
        _hide(state.previous)
        return state

    def perform(self, state: State, action: Action) -> State:
        """Begin what is to be done, and go from phase to phase until the Secret rests."""
        if action is not Action.GO_ON:
            self._check_services()
        try:
            if action is Action.ROTATE:
                new = base64.b64encode(secrets.token_urlsafe(_KEY_BYTES).encode()).decode()
                _hide(new)
                state = self._write(state, lambda now: states.announce(state, self._target, now, new))
            elif action is Action.FINISH:
                state = self._write(state, lambda now: states.finish(state, self._target, now))
            return self._go(state)
        except Stop as stop:
            reason = str(stop).partition(";")[0]
            raise Stop(
                f"{reason}; the Secret {self._target.secret} says how far the rotation is, and what signs verifies"
                " everywhere: run it again and it goes on"
            ) from None

    def _go(self, state: State) -> State:
        cause = "" if state.phase not in _UNDOING else "an earlier run could not roll the services"
        while state.phase is not Phase.RESTING:
            undoing = state.phase in _UNDOING
            try:
                self._follow(state)
            except CheckFailedError as error:
                back = states.undo(state, self._target, datetime.now(UTC))
                if back is None:
                    raise CheckFailedError(
                        f"{_explained(cause)}{error}; the Secret is {state.phase}: {_AGAIN}"
                    ) from None
                cause = str(error)
                log.warning("undoing the rotation", phase=str(state.phase), reason=cause)
                state = self._patch(back)
                continue
            state = self._advance(state)
            if undoing:
                raise CheckFailedError(
                    f"the JWT secret was not rotated: {cause}; undone: the old key signs, and"
                    f" {', '.join(self._target.services)} run with it"
                )
        return state

    def _advance(self, state: State) -> State:
        return self._write(state, lambda now: states.advance(state, self._target, now))

    def _follow(self, state: State) -> None:
        """Have every pod of the services read the Secret as it is, and the services answer."""
        for name in self._target.services:
            deployments.annotate(self._cluster, self._namespace, name, ANNOTATION, state.stamp)
        rollout.watch(self._cluster, self._namespace, self._target.services, self._seconds)
        serving.await_healthy(self._services)

    def _check_services(self) -> None:
        """Everything must be well and allowed before anything is changed: nothing else is blamed on the rotation.

        Raises:
            CheckFailedError: a service is being rolled out, or does not answer.
            UsageError: this account may not roll one.
        """
        for name in self._target.services:
            progress = rollout.judge(deployments.read(self._cluster, self._namespace, name))
            if not progress.done:
                raise CheckFailedError(f"not begun: {name} is not rolled out ({progress.text}); nothing was changed")
            deployments.annotate(self._cluster, self._namespace, name, ANNOTATION, "dry-run", dry_run=True)
        for service in self._services:
            if reason := serving.problem(service):
                raise CheckFailedError(f"not begun: {reason}; nothing was changed")

    def _write(self, state: State, change: Callable[[datetime], dict[str, object]]) -> State:
        written = self._patch(change(datetime.now(UTC)))
        log.info("rotation", name=self._target.secret, was=str(state.phase), phase=str(written.phase))
        return written

    def _patch(self, change: dict[str, object]) -> State:
        try:
            return states.parse(self._cluster.patch(self._path, change), self._target)
        except ConflictError:
            raise TemporaryError(
                f"the Secret {self._target.secret} was changed by somebody else in the meantime; run it again"
            ) from None


_UNDOING: Final = (Phase.WITHDRAWN, Phase.REVERTED)
_AGAIN: Final = "mend the services and run it again, it goes on from there"
_DID: Final = {
    Action.ROTATE: "rotated",
    Action.GO_ON: "brought to its end",
    Action.FINISH: "overlap ended",
    Action.NOTHING: "nothing to do",
}


def _explained(cause: str) -> str:
    return f"the rotation failed ({cause}) and could not be undone: " if cause else ""


def _hide(key: str | None) -> None:
    if key is not None:
        redact.hide(key)
        redact.hide(base64.b64decode(key).decode("utf-8", "replace").strip())


def _tell(settings: OpsSettings, request: Request, subject: str, text: str) -> list[notify.Delivery]:
    return [] if request.silent else notify.send(settings, notify.Message(subject, text))


def _outcome(
    target: JwtTarget,
    decision: Decision,
    state: State,
    *,
    dry_run: bool = False,
    notified: list[notify.Delivery] | None = None,
) -> Outcome:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    data: dict[str, object] = {
        # Not called "secret": what is written under that name is masked.
        "name": target.secret,
        "action": str(decision.action),
        "reason": decision.reason,
        "dryRun": dry_run,
        "phase": str(state.phase),
        "rotated": text(state.rotated),
        "overlapUntil": text(state.overlap_end),
        "next": text(decision.next or state.overlap_end or state.due),
        "notified": notify.plain(notified or []),
    }

    would = dry_run and decision.action is not Action.NOTHING
    told = f"would {decision.action}" if would else _DID[decision.action]
    return Outcome(
        data, say(f"JWT rotation ({target.secret}): {told}, because {decision.reason}", f"next: {data['next']}")
    )
