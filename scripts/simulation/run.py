"""Causes incidents side by side, waits until each alert has arrived, ends them, and waits until each is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from runbook import simulations
from runbook.alerting import routing
from runbook.ops_settings import OpsSettings
from runbook.simulations import Simulation
from scripts import log
from scripts.backup.units import duration
from scripts.clients import kubernetes, prometheus
from scripts.exits import Exit, UsageError
from scripts.output import Outcome
from scripts.simulation import faults, pace
from scripts.simulation.place import MONITORING, Place, ask, find

if TYPE_CHECKING:
    from rich.console import Console

_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 1.0
# What the fault itself takes to show (a rollout, a leak), and a busy machine.
_SLACK_SECONDS: Final = 150.0


@dataclass
class Seen:
    """What was seen of an alert, in seconds since its fault began or ended; None for what did not come in time."""

    name: str
    alert: str
    fired: float | None = None
    notified: float | None = None
    receiver: str | None = None
    summary: str | None = None
    resolved: float | None = None

    @property
    def well(self) -> bool:
        """Whether it came to somebody, and ended."""
        return None not in (self.fired, self.notified, self.resolved)


def run(settings: OpsSettings, names: Sequence[str], *, speed: int, dry_run: bool) -> Outcome:
    """Simulate these incidents.

    Raises:
        UsageError: an unknown name, or another cluster than the embedded one.
    """
    unknown = [name for name in names if name not in simulations.BY_NAME]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no simulation: give any of {', '.join(simulations.BY_NAME)}")
    chosen = [simulations.BY_NAME[name] for name in dict.fromkeys(names)]
    with kubernetes.connect(_SECONDS) as cluster:
        place = find(cluster, settings)
        seen = [Seen(item.name, item.alert.name) for item in chosen]
        if not dry_run:
            with pace.pace(cluster, settings.namespace, MONITORING, speed):
                _await_pace(place, speed)
                _simulate(place, chosen, seen, speed)
    return _outcome(seen, speed, dry_run=dry_run)


def _simulate(place: Place, chosen: Sequence[Simulation], seen: Sequence[Seen], speed: int) -> None:
    # The slowest of them, and what there is of noise.
    began = time.time()
    longest = max(routing.detection_seconds(item.alert) for item in chosen)
    with ExitStack() as stack:
        for item in chosen:
            stack.enter_context(faults.ALL[item.name](place))
            log.info(f"{item.name}: {item.meaning}", alert=item.alert.name)
        # A fault may have brought a new target.
        pace.nudger(place.cluster, MONITORING)()
        _watch(lambda: _arrived(place, chosen, seen, began), longest / speed + _SLACK_SECONDS)
    ended = time.time()
    log.info("the faults are over; waiting for the ends of their alerts")
    slowest = max(_interval(item) for item in chosen) + longest
    _watch(lambda: _over(place, chosen, seen, ended), slowest / speed + _SLACK_SECONDS)


def _interval(item: Simulation) -> int:
    receiver = routing.receiver_of(item.alert.severity)
    return next(route.interval for route in routing.ROUTES if route.receiver == receiver)


def _watch(look: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not look() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _arrived(place: Place, chosen: Sequence[Simulation], seen: Sequence[Seen], began: float) -> bool:
    """Notes what fires and what was told; whether that is all."""
    firing = _firing(place)
    told = ask("GET", place.notifications)
    for item, noted in zip(chosen, seen, strict=True):
        if noted.fired is None and any(_is(item, labels) for labels in firing):
            noted.fired = round(time.time() - began, 1)
            log.info(f"{item.alert.name} fires", after=noted.fired)
        found = _first_told(item, told, began) if noted.notified is None else None
        if found is not None:
            noted.notified = round(time.time() - began, 1)
            noted.receiver, noted.summary = found
            log.info(f"{noted.receiver} is told of {item.alert.name}", after=noted.notified, summary=noted.summary)
    return all(noted.fired is not None and noted.notified is not None for noted in seen)


def _over(place: Place, chosen: Sequence[Simulation], seen: Sequence[Seen], ended: float) -> bool:
    firing = _firing(place)
    told = ask("GET", place.notifications)
    for item, noted in zip(chosen, seen, strict=True):
        if noted.resolved is None and noted.notified is not None and is_over(item, firing, told):
            noted.resolved = round(time.time() - ended, 1)
            log.info(f"{item.alert.name} is over", after=noted.resolved)
    # Who was never told is not told of the end.
    return all(noted.resolved is not None or noted.notified is None for noted in seen)


def _firing(place: Place) -> list[Mapping[str, str]]:
    with prometheus.connect(place.settings, _SECONDS) as server:
        return [sample.labels for sample in server.query('ALERTS{alertstate="firing"}')]


def _is(item: Simulation, labels: Mapping[str, str]) -> bool:
    wanted = {"alertname": item.alert.name, **dict(item.labels)}
    return wanted.items() <= labels.items()


def is_over(item: Simulation, firing: Sequence[Mapping[str, str]], told: Sequence[Any]) -> bool:
    """Whether Prometheus no longer has the alert, and the last that its receiver was told of it is its end.

    The end may come before that of the fault: where a scrape fails on a busy machine, the alert lapses. ``firing`` are
    the labels of the alerts that fire, ``told`` what the sink of notifications has, the oldest first.
    """
    statuses = [alert["status"] for _, alert in _told_of(item, told)]
    return statuses[-1:] == ["resolved"] and not any(_is(item, labels) for labels in firing)


def _first_told(item: Simulation, told: Sequence[Any], since: float) -> tuple[str, str] | None:
    """Receiver and summary of the first notification that the alert fires, since then."""
    from datetime import datetime

    for entry, alert in _told_of(item, told):
        if alert["status"] == "firing" and datetime.fromisoformat(entry["at"]).timestamp() >= since:
            return _receiver(entry), str(alert["annotations"]["summary"])
    return None


def _told_of(item: Simulation, told: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The entries in which the alert's receiver was told of it, each with what it was told."""
    for entry in told:
        if _receiver(entry) == routing.receiver_of(item.alert.severity).name:
            yield from ((entry, alert) for alert in entry["notification"]["alerts"] if _is(item, alert["labels"]))


def _receiver(entry: Any) -> str:
    return str(entry["notification"]["receiver"]).rpartition("/")[2]


def _await_pace(place: Place, speed: int) -> None:
    """Waits until Prometheus has the rules in their present form, and its targets have been asked."""
    if speed == 1:
        return
    interval = f"{pace.faster('30s', speed)}".removesuffix("s")
    nudge = pace.nudger(place.cluster, MONITORING)

    def ready() -> bool:
        nudge()
        url = (place.settings.prometheus.url if place.settings.prometheus else "").rstrip("/")
        groups = ask("GET", f"{url}/api/v1/rules")["data"]["groups"]
        own = [group for group in groups if group["name"].startswith("crypto-")]
        return bool(own) and all(float(group["interval"]) == float(interval) for group in own)

    _watch(ready, _SLACK_SECONDS)


def _outcome(seen: Sequence[Seen], speed: int, *, dry_run: bool) -> Outcome:
    good = dry_run or all(item.well for item in seen)

    def show(console: Console) -> None:
        for item in seen:
            told = "would be simulated" if dry_run else _told(item)
            console.print(f"{item.name}: {item.alert} {told}", highlight=False, markup=False)

    data = {"speed": speed, "dryRun": dry_run, "simulations": [asdict(item) for item in seen]}
    return Outcome(data, show, Exit.DONE if good else Exit.FAILED)


def _told(item: Seen) -> str:
    if item.notified is None:
        return "did not arrive" if item.fired is None else "fired, and nobody was told"
    end = "did not end" if item.resolved is None else f"was over {duration(item.resolved)} after its fault"
    return f"reached {item.receiver} after {duration(item.notified)} ({item.summary}), and {end}"
