"""``ops rotate jwt``: drives the Secret and the services from phase to phase."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from runbook.ops_settings import JwtTarget, OpsSettings
from scripts import log, notify, redact
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, ConflictError, ForbiddenError
from scripts.exits import CheckFailedError, OpsError, Stop, TemporaryError, UsageError
from scripts.output import Outcome, confirm, say
from scripts.progress import Waiting
from scripts.rotation import state as states
from scripts.rotation.decision import Action, Decision, decide
from scripts.rotation.state import Phase, State
from scripts.workloads import deployments, rollout, serving

# On the pods of each service; the value is the phase that they follow.
ANNOTATION: Final = "crypto.analytics/jwt-phase"
_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 1.0
# 384 bits, more than HS256 can use, in characters that every service reads alike.
_KEY_BYTES: Final = 48


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; each rollout may take ``seconds``."""

    if_due: bool = False
    finish: bool = False
    compromised: bool = False
    confirmed: bool = False
    dry_run: bool = False
    silent: bool = False
    seconds: float = rollout.SECONDS


def run(settings: OpsSettings, request: Request) -> Outcome:
    """Rotate the secret, end an overlap, replace a key that leaked, or go on with what an earlier run left off.

    Raises:
        UsageError: the settings or the Secret do not allow it; nothing was changed.
        CheckFailedError: it must not be done yet, or it failed and was undone.
        TemporaryError: another run is at work, or the API does not answer; run again.
    """
    target = settings.jwt
    if target is None:
        raise UsageError("the settings name no JWT secret: add jwt.secret and jwt.services")
    options = {"--if-due": request.if_due, "--finish": request.finish, "--compromised": request.compromised}
    if len(given := [name for name, value in options.items() if value]) > 1:
        raise UsageError(f"give {' or '.join(given)}, and only one of them")
    with kubernetes.connect(_SECONDS) as cluster:
        rotation = _Rotation(cluster, settings, target, request.seconds)
        state = rotation.read(whatever_it_says=request.compromised)
        asked = {"if_due": request.if_due, "finish": request.finish, "compromised": request.compromised}
        decision = decide(state, datetime.now(UTC), **asked)
        if decision.action is Action.NOTHING or request.dry_run:
            return _outcome(target, decision, state, dry_run=request.dry_run)
        if decision.action is Action.REPLACE and not request.confirmed:
            question = "Replace the JWT key now? Every session ends, and all users sign in again."
            confirm("ends every session: all users sign in again", question)
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

    def read(self, *, whatever_it_says: bool) -> State:
        """The Secret; its keys never appear in anything that is written from now on.

        ``whatever_it_says`` takes one that cannot be read for one that rests.
        """
        read = states.salvaged if whatever_it_says else states.parse
        state = read(self._cluster.get(self._path), self._target)
        _hide(state.current)
        _hide(state.previous)
        return state

    def perform(self, state: State, action: Action) -> State:
        """Begin what is to be done, and go from phase to phase until the Secret rests."""
        if action is Action.REPLACE:
            self._check_rights()
        elif action is not Action.GO_ON:
            self._check_services()
        try:
            if action is Action.REPLACE:
                new = _new_key()
                state = self._write(state, lambda now: states.replace(state, self._target, now, new))
            elif action is Action.ROTATE:
                new = _new_key()
                state = self._write(state, lambda now: states.announce(state, self._target, now, new))
            elif action is Action.FINISH:
                state = self._write(state, lambda now: states.finish(state, self._target, now))
            return self._go(state)
        except Stop as stop:
            reason = str(stop).partition(";")[0]
            leaked = Action.REPLACE is action or state.phase is Phase.REPLACED
            known = "pods from before may take the leaked key" if leaked else "what signs verifies everywhere"
            raise Stop(
                f"{reason}; the Secret {self._target.secret} says how far the rotation is, and {known}: run it again"
                " and it goes on"
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
                        f"{_explained(cause)}{error}; the Secret is {state.phase}: {self._again(state)}"
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

    def _again(self, state: State) -> str:
        if state.phase is not Phase.REPLACED:
            return _AGAIN
        services = ", ".join(self._target.services)
        return (
            "its old keys are gone and do not come back, and pods that started before may take them until they end:"
            f" `kubectl -n {self._namespace} delete pods -l 'app in ({services})'` ends those; {_AGAIN}"
        )

    def _advance(self, state: State) -> State:
        return self._write(state, lambda now: states.advance(state, self._target, now))

    def _follow(self, state: State) -> None:
        """Have every pod of the services read the Secret as it is, and the services answer."""
        if state.phase is Phase.REPLACED:
            self._forget(state)
            return
        for name in self._target.services:
            deployments.annotate(self._cluster, self._namespace, name, ANNOTATION, state.stamp)
        rollout.watch(self._cluster, self._namespace, self._target.services, self._seconds)
        serving.await_healthy(self._services)

    def _forget(self, state: State) -> None:
        """Have one service after the other forget the leaked key; one that does not come back keeps no other from it.

        Raises:
            OpsError: some service may still take the leaked key.
        """
        problems: list[OpsError] = []
        for service in self._services:
            try:
                deployments.annotate(self._cluster, self._namespace, service.name, ANNOTATION, state.stamp)
                rollout.watch(self._cluster, self._namespace, [service.name], self._seconds)
                self._await_end_of_old_pods(service.name, state.stamp)
                serving.await_healthy([service])
            except OpsError as error:
                log.warning("a service may still take the leaked key", service=service.name, reason=str(error))
                problems.append(error)
        if problems:
            temporary = all(isinstance(problem, TemporaryError) for problem in problems)
            raise (TemporaryError if temporary else CheckFailedError)("; ".join(map(str, problems)))

    def _await_end_of_old_pods(self, name: str, stamp: str) -> None:
        """Wait for pods that are being ended: a rollout does not, and they may take the old key until their end."""
        end = time.monotonic() + self._seconds
        with Waiting("waiting for the end of old pods") as line:
            while old := self._old_pods(name, stamp):
                if time.monotonic() + _POLL_SECONDS > end:
                    raise CheckFailedError(
                        f"pods of {name} from before have not ended: {', '.join(old)}"
                        f" (kubectl -n {self._namespace} delete pod --force {' '.join(old)})"
                    )
                line.tell(", ".join(old))
                time.sleep(_POLL_SECONDS)

    def _old_pods(self, name: str, stamp: str) -> list[str]:
        pods = self._cluster.items(f"/api/v1/namespaces/{self._namespace}/pods", {"labelSelector": f"app={name}"})
        nothing: Any = {}
        return sorted(
            str(pod["metadata"]["name"])
            for pod in pods
            if (pod["metadata"].get("annotations") or nothing).get(ANNOTATION) != stamp
            and (pod.get("status") or nothing).get("phase") not in ("Succeeded", "Failed")
        )

    def _check_rights(self) -> None:
        """Only what this account may do counts: a service that is not well keeps no leaked key alive.

        Raises:
            ForbiddenError: this account may not roll a service; nothing was changed.
        """
        for name in self._target.services:
            try:
                deployments.annotate(self._cluster, self._namespace, name, ANNOTATION, "dry-run", dry_run=True)
            except ForbiddenError:
                raise
            except OpsError as error:
                log.warning("a service is not well", service=name, reason=str(error))

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
    Action.REPLACE: "key replaced, every session ended",
    Action.NOTHING: "nothing to do",
}


def _explained(cause: str) -> str:
    return f"the rotation failed ({cause}) and could not be undone: " if cause else ""


def _new_key() -> str:
    """A key that never appears in anything that is written (base64)."""
    made = base64.b64encode(secrets.token_urlsafe(_KEY_BYTES).encode()).decode()
    _hide(made)
    return made


def _hide(key: str | None) -> None:
    if key:
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
