"""Alerts and recording rules as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runbook.alerting.durations import SCRAPE_SECONDS
from runbook.printed_values import value
from runbook.sections import Section
from runbook.severities import Severity
from runbook.thresholds import Threshold, Unit
from runbook.units import prometheus_duration

# Marks in queries and texts, filled in by the rendering. None is PromQL, so that a forgotten one does not parse.
NAMESPACE: Final = "<namespace>"
WINDOW: Final = "<window>"
LIMIT: Final = "<limit>"

# A rate over fewer scrapes than these has gaps where one scrape is late.
SCRAPES_IN_WINDOW: Final = 4
_DAY: Final = 86_400
_ALERT_NAME: Final = re.compile(r"([A-Z][a-z0-9]+)+")
_RECORD_NAME: Final = re.compile(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+")


class Team(StrEnum):
    """Who mends it: those who write the services, or those who run what the services stand on."""

    SERVICES = "services"
    PLATFORM = "platform"


class Comparison(StrEnum):
    """How a query's value stands to a threshold when something is wrong."""

    ABOVE = ">"
    BELOW = "<"


@dataclass(frozen=True, slots=True)
class Limit:
    """True while ``query`` is beyond ``threshold``; the query's value is in the threshold's base unit (seconds, bytes).

    ``but`` narrows it by a set operator, such as ``unless on (cronjob) ...``.
    """

    query: str
    comparison: Comparison
    threshold: Threshold
    but: str = ""

    @property
    def expression(self) -> str:
        """PromQL, with the marks still in it."""
        return f"{self.query} {self.comparison} {number(self.threshold)} {self.but}".rstrip()


@dataclass(frozen=True, slots=True)
class State:
    """True while ``query`` has any result: something is there that must not be, or the other way round."""

    query: str

    @property
    def expression(self) -> str:
        """PromQL, with the marks still in it."""
        return self.query


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody must know of.

    ``for_seconds`` is how long the condition must hold and ``window_seconds`` how far back it looks: both pass before
    anybody is told, so that together they must stay below the severity's response time. ``description`` may use the
    mark ``<limit>`` and Prometheus's own templates. ``diagnosis`` are commands that only look, ``remedies`` commands of
    ``ops`` that mend. ``window_share`` is how much of the window a total failure fills before the condition holds: less
    than all of it where the limit is a small share of a long window. ``guards`` are further limits in the query.
    """

    name: str
    condition: Limit | State
    for_seconds: int
    severity: Severity
    team: Team
    section: Section
    summary: str
    description: str
    window_seconds: int = 0
    diagnosis: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    window_share: float = 1.0
    guards: tuple[Threshold, ...] = ()

    def __post_init__(self) -> None:
        if not _ALERT_NAME.fullmatch(self.name):
            raise ValueError(f"alert {self.name!r}: a name is PascalCase")
        check_window(self.name, self.condition.expression, self.window_seconds)
        response = self.severity.response_seconds
        if response is not None and self.delay_seconds >= response:
            raise ValueError(
                f"alert {self.name}: window {self.window_seconds * self.window_share:g} s and for {self.for_seconds} s "
                f"are not below the {response} s within which somebody answers a {self.severity.name}"
            )
        if isinstance(self.condition, State) and LIMIT in self.description:
            raise ValueError(f"alert {self.name}: the description names a limit, and the condition has none")

    @property
    def anchor(self) -> str:
        """The alert's anchor in the printed runbook."""
        return f"alert-{self.name.lower()}"

    @property
    def delay_seconds(self) -> float:
        """What passes from a failure until the alert fires, beside the waits of the machinery."""
        return self.window_seconds * self.window_share + self.for_seconds

    @property
    def threshold(self) -> Threshold | None:
        """The limit that the alert watches, where it watches one."""
        return self.condition.threshold if isinstance(self.condition, Limit) else None


@dataclass(frozen=True, slots=True)
class Recording:
    """A query that is computed ahead, under a name of the form ``level:metric:operations``."""

    name: str
    query: str
    window_seconds: int = 0

    def __post_init__(self) -> None:
        if not _RECORD_NAME.fullmatch(self.name):
            raise ValueError(f"recording rule {self.name!r}: a name is level:metric:operations")
        check_window(self.name, self.query, self.window_seconds)
        if self.window_seconds and not self.name.endswith(prometheus_duration(self.window_seconds)):
            window = prometheus_duration(self.window_seconds)
            raise ValueError(f"recording rule {self.name}: its window is {window}; say so at the end")


@dataclass(frozen=True, slots=True)
class Absence:
    """A metric without which some alert is silently dead: ``selector`` must match something, or somebody is told.

    ``metric`` is its name; ``selector`` what stands between the braces.
    """

    metric: str
    selector: str = f'namespace="{NAMESPACE}"'

    @property
    def query(self) -> str:
        """PromQL with one result, labelled with the metric's name, while nothing matches."""
        return f'label_replace(absent({self.metric}{{{self.selector}}}), "metric", "{self.metric}", "", "")'


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in this order."""

    name: str
    rules: tuple[Recording | Alert, ...]


def check_window(name: str, query: str, seconds: int) -> None:
    """Raises ValueError where a query looks back without a stated window, or over too few scrapes.

    A window without the mark is that of the recording rule which the query reads.
    """
    if WINDOW in query and seconds <= 0:
        raise ValueError(f"rule {name}: its query has the mark {WINDOW}; say window_seconds")
    if 0 < seconds < SCRAPES_IN_WINDOW * SCRAPE_SECONDS:
        raise ValueError(f"rule {name}: a window of {seconds} s holds fewer than {SCRAPES_IN_WINDOW} scrapes")


def kubectl(words: str) -> str:
    """A command of kubectl on the system's namespace, whatever namespace the shell's context has."""
    return f"kubectl -n {NAMESPACE} {words}"


def description(alert: Alert) -> str:
    """The alert's description with the limit as people write it; Prometheus's templates stay in it."""
    return alert.description if alert.threshold is None else alert.description.replace(LIMIT, value(alert.threshold))


def number(threshold: Threshold) -> str:
    """A threshold's value as PromQL writes it, in the base unit that metrics use: ratio, seconds, bytes, count."""
    factors = {Unit.DAYS: float(_DAY), Unit.MILLISECONDS: 0.001}
    return f"{threshold.value * factors.get(threshold.unit, 1.0):.15g}"
