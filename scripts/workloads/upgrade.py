"""``ops upgrade``: a new image, judged while it comes up, and undone when it does not do (section 8.3).

The image from before is kept on the Deployment until the new one has proved itself: a run that was killed is gone on
with, and can still be undone.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Final

from runbook.ops_settings import OpsSettings, ServiceTarget
from runbook.units import duration
from scripts import log
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, ConflictError
from scripts.exits import CheckFailedError, OpsError, Stop, TemporaryError, UsageError
from scripts.output import Outcome, Screen
from scripts.workloads import budget, deployments, rollout, serving
from scripts.workloads.errors import ErrorRate

BEFORE: Final = "crypto.analytics/upgraded-from"
_SECONDS: Final = 30.0
_TRIES: Final = 10
_IMAGE: Final = re.compile(r"[a-z0-9][\w.:/-]*(?:@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: the rollout may take ``timeout`` seconds, and the service is judged for ``watch`` more.

    ``health_only`` leaves the error rate out of the judgement.
    """

    service: str
    image: str
    watch: float
    timeout: float
    dry_run: bool = False
    health_only: bool = False


def run(settings: OpsSettings, request: Request) -> Outcome:
    """Set the image, and keep it only if the rollout finishes, the service stays healthy and its requests succeed.

    Raises:
        UsageError: there is no such service, the image is no reference, or the settings name no Prometheus.
        CheckFailedError: the image did not do; the one from before runs again (or the line says that it does not).
        TemporaryError: somebody else changed the Deployment in the meantime.
    """
    service = serving.target(settings, request.service)
    if not _IMAGE.fullmatch(request.image):
        raise UsageError(f"{request.image!r} is no image; write it like REGISTRY/NAME@sha256:DIGEST")
    pinned = "@sha256:" in request.image
    if not pinned:
        log.warning("the image is named by a tag, which can point elsewhere tomorrow", image=request.image)
    start = time.monotonic()
    errors = None if request.health_only else ErrorRate(settings, request.service, request.watch)
    with kubernetes.connect(_SECONDS) as cluster:
        upgrade = _Upgrade(cluster, settings.namespace, service, request, errors)
        before, told = upgrade.perform()
    took = time.monotonic() - start
    data: dict[str, object] = {
        "service": request.service,
        "image": request.image,
        "before": before,
        "pinned": pinned,
        "result": told,
        "dryRun": request.dry_run,
        "took": round(took, 1),
        "errorRate": None if errors is None else errors.plain(),
    }

    def show(screen: Screen) -> None:
        hint = "" if pinned else " (named by a tag: a digest cannot change under you)"
        screen.line(f"{request.service}: {told} after {duration(took)}{hint}")
        if errors is not None and not request.dry_run:
            screen.line(f"error rate: {errors}")
        if not request.dry_run:
            screen.line("set the same image in the stack, or the next deployment takes it back")

    return Outcome(data, show)


class _Upgrade:
    def __init__(
        self, cluster: Cluster, namespace: str, service: ServiceTarget, request: Request, errors: ErrorRate | None
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._service = service
        self._request = request
        self._errors = errors

    def perform(self) -> tuple[str, str]:
        """The image from before, and what was done."""
        name, image = self._service.name, self._request.image
        deployment = deployments.read(self._cluster, self._namespace, name)
        running, last_good = _image(deployment, name), _last_good(deployment)
        if running == image and last_good is None:
            return running, f"{image} runs already"
        before = last_good or running
        if self._errors is not None and last_good is None:
            self._errors.note_before()
        if self._request.dry_run:
            self._set(deployment, image, before, dry_run=True)
            return before, f"would go from {before} to {image}"
        if last_good is None and not (progress := rollout.judge(deployment)).done:
            raise CheckFailedError(f"not begun: {name} is not rolled out ({progress.text}); nothing was changed")
        if last_good is None:
            budget.check(self._cluster, self._namespace, deployment)
        if running != image:
            self._set(deployment, image, before)
        return before, self._prove(before)

    def _prove(self, before: str) -> str:
        image = self._request.image
        try:
            self._judge(self._request.watch)
        except (CheckFailedError, UsageError) as error:
            # What may no longer be looked at is no more proved than what does not come up.
            self._undo(before, str(error))
        except Stop as stop:
            reason = str(stop).partition(";")[0]
            raise Stop(f"{reason}; {image} is set and not yet proved: run the same again, it goes on") from None
        self._forget()
        return f"{image} runs"

    def _judge(self, watch: float) -> None:
        rollout.watch(self._cluster, self._namespace, [self._service.name], self._request.timeout)
        serving.await_healthy([self._service])
        errors = self._errors if watch else None
        serving.keep_watching(self._service, watch, also=errors.look if errors else lambda: None)
        if errors is not None:
            errors.conclude()

    def _undo(self, before: str, reason: str) -> None:
        """Back to the image from before; proved like the new one, and always an error."""
        name, image = self._service.name, self._request.image
        log.warning("undoing the upgrade", deployment=name, image=image, reason=reason)
        deployment = deployments.read(self._cluster, self._namespace, name)
        if _image(deployment, name) != image:
            raise CheckFailedError(f"{image} did not do: {reason}; somebody else has set another image meanwhile")
        self._set(deployment, before, before)
        try:
            self._judge(0)
        except (CheckFailedError, UsageError) as error:
            raise CheckFailedError(
                f"{image} did not do: {reason}; and {before}, set again, does not come up either: {error}"
            ) from None
        try:
            self._forget()
        except OpsError as error:
            # The note names what runs: the next upgrade goes back to the same.
            log.warning("the note of the image from before is left", deployment=name, reason=str(error))
        raise CheckFailedError(f"{image} did not do: {reason}; undone: {before} runs again and answers")

    def _set(self, deployment: Any, image: str, before: str, *, dry_run: bool = False) -> None:
        name = self._service.name
        expected = _image(deployment, name)
        for _ in range(_TRIES):
            change = {
                "metadata": {
                    "resourceVersion": deployment["metadata"]["resourceVersion"],
                    "annotations": {BEFORE: before},
                },
                "spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}},
            }
            try:
                self._cluster.patch(deployments.path(self._namespace, name), change, strategic=True, dry_run=dry_run)
            except ConflictError:
                # The autoscaler and the rollout itself change a Deployment all the time; only its image is ours.
                deployment = deployments.read(self._cluster, self._namespace, name)
                if _image(deployment, name) != expected:
                    break
            else:
                return
        raise TemporaryError(f"{name} was changed by somebody else in the meantime; run it again")

    def _forget(self) -> None:
        change = {"metadata": {"annotations": {BEFORE: None}}}
        self._cluster.patch(deployments.path(self._namespace, self._service.name), change)


def _image(deployment: Any, name: str) -> str:
    found = {item["name"]: str(item["image"]) for item in deployment["spec"]["template"]["spec"]["containers"]}
    if name not in found:
        raise UsageError(f"the Deployment {name} has no container {name}, only {', '.join(sorted(found))}")
    return found[name]


def _last_good(deployment: Any) -> str | None:
    notes: Any = deployment["metadata"].get("annotations") or {}
    return notes.get(BEFORE)
