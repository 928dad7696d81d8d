"""Causes incidents side by side: a fault lasts until its receiver is told, then the end of its alert is awaited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from runbook import simulations
from runbook.alerting import routing
from runbook.ops_settings import OpsSettings
from runbook.simulations import Simulation
from runbook.units import duration
from scripts import log
from scripts.clients import kubernetes, prometheus
from scripts.exits import Exit, TemporaryError, UsageError
from scripts.output import Outcome, Screen
from scripts.simulation import faults, pace
from scripts.simulation.place import MONITORING, Place, ask, find

_Answer = TypeVar("_Answer")
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
    incidents = [_Incident(simulations.BY_NAME[name]) for name in dict.fromkeys(names)]
    with kubernetes.connect(_SECONDS) as cluster:
        place = find(cluster, settings)
        if not dry_run:
            with pace.pace(cluster, settings.namespace, MONITORING, speed), place.afterwards:
                _await_pace(place, speed)
                _simulate(place, incidents, speed)
    return _outcome([incident.seen for incident in incidents], speed, dry_run=dry_run)


class _Incident:
    """One fault, and what is seen of its alert."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.seen = Seen(simulation.name, simulation.alert.name)
        self._fault = ExitStack()
        self._began = 0.0
        self._ended: float | None = None

    @property
    def ended(self) -> bool:
        """Whether its fault has ended."""
        return self._ended is not None

    @property
    def over(self) -> bool:
        """Whether no more is to be seen of it: whom nobody told of the alert is not told of its end."""
        return self.ended and (self.seen.resolved is not None or self.seen.notified is None)

    def begin(self, place: Place) -> None:
        """Causes the fault."""
        self._began = time.time()
        self._fault.enter_context(faults.ALL[self.simulation.name](place))
        log.info(f"{self.simulation.name}: {self.simulation.meaning}", alert=self.seen.alert)

    def end(self) -> None:
        """Ends the fault; the second call does nothing."""
        if self._ended is None:
            self._fault.close()
            self._ended = time.time()

    def look(self, firing: Sequence[Mapping[str, str]], told: Sequence[Any]) -> None:
        """Notes what there is of its alert, and ends the fault when its receiver was told."""
        seen = self.seen
        if self._ended is not None:
            if not self.over and is_over(self.simulation, firing, told):
                seen.resolved = round(time.time() - self._ended, 1)
                log.info(f"{seen.alert} is over", after=seen.resolved)
            return
        if seen.fired is None and any(_is(self.simulation, labels) for labels in firing):
            seen.fired = round(time.time() - self._began, 1)
            log.info(f"{seen.alert} fires", after=seen.fired)
        found = _first_told(self.simulation, told, self._began) if seen.notified is None else None
        if found is not None:
            seen.notified = round(time.time() - self._began, 1)
            seen.receiver, seen.summary = found
            log.info(f"{seen.receiver} is told of {seen.alert}", after=seen.notified, summary=seen.summary)
        if seen.fired is not None and seen.notified is not None:
            self.end()


def _simulate(place: Place, incidents: Sequence[_Incident], speed: int) -> None:
    # The slowest of them, and what there is of noise.
    longest = max(routing.detection_seconds(incident.simulation.alert) for incident in incidents)
    slowest = max(_interval(incident.simulation) for incident in incidents) + longest

    def look() -> None:
        answers = answered(lambda: (_firing(place), ask("GET", place.notifications)))
        if answers is not None:
            for incident in incidents:
                incident.look(*answers)

    def arrived() -> bool:
        look()
        return all(incident.ended for incident in incidents)

    def over() -> bool:
        look()
        return all(incident.over for incident in incidents)

    with ExitStack() as ends:
        for incident in incidents:
            ends.callback(incident.end)
            incident.begin(place)
        # A fault may have brought a new target.
        pace.nudger(place.cluster, MONITORING)()
        _watch(arrived, longest / speed + _SLACK_SECONDS)
    _watch(over, slowest / speed + _SLACK_SECONDS)


def _interval(item: Simulation) -> int:
    receiver = routing.receiver_of(item.alert.severity)
    return next(route.interval for route in routing.ROUTES if route.receiver == receiver)


def _watch(done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def answered(question: Callable[[], _Answer]) -> _Answer | None:
    """The answer, or None where none comes now: a server under load, or one that starts anew, is asked again later."""
    try:
        return question()
    except TemporaryError as error:
        log.warning(f"{error}; asking again")
        return None


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
    interval = pace.interval("30s", speed).removesuffix("s")
    nudge = pace.nudger(place.cluster, MONITORING)

    def ready() -> bool:
        nudge()
        url = (place.settings.prometheus.url if place.settings.prometheus else "").rstrip("/")
        answer = answered(lambda: ask("GET", f"{url}/api/v1/rules"))
        own = [group for group in (answer["data"]["groups"] if answer else ()) if group["name"].startswith("crypto-")]
        return bool(own) and all(float(group["interval"]) == float(interval) for group in own)

    _watch(ready, _SLACK_SECONDS)


def _outcome(seen: Sequence[Seen], speed: int, *, dry_run: bool) -> Outcome:
    good = dry_run or all(item.well for item in seen)

    def show(screen: Screen) -> None:
        for item in seen:
            told = "would be simulated" if dry_run else _told(item)
            screen.line(f"{item.name}: {item.alert} {told}")

    data = {"speed": speed, "dryRun": dry_run, "simulations": [asdict(item) for item in seen]}
    return Outcome(data, show, Exit.DONE if good else Exit.FAILED)


def _told(item: Seen) -> str:
    if item.notified is None:
        return "did not arrive" if item.fired is None else "fired, and nobody was told"
    end = "did not end" if item.resolved is None else f"was over {duration(item.resolved)} after its fault"
    return f"reached {item.receiver} after {duration(item.notified)} ({item.summary}), and {end}"
