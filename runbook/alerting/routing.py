"""Who gets which notification, and when (sections 2.1, 2.4 and 8.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from runbook import cron, practices, schedules, severities
from runbook.alerting import datastores, infrastructure, objectives, services
from runbook.alerting.durations import EVALUATION_SECONDS, SCRAPE_SECONDS
from runbook.alerting.model import Alert
from runbook.alerting.watching import WATCHDOG
from runbook.schedules import Schedule
from runbook.sections import Section
from runbook.severities import P1, P2, P3, P4, Severity

# Alerts of one name are one notification. A group that exists already does not wait again: were it broader, a new
# alert would fall into an old group and escalate at once.
GROUP_BY: Final = ("alertname", "namespace")
# Alertmanager reads the sign of life more often than its receiver loses patience.
HEARTBEAT: Final = "heartbeat"
HEARTBEAT_SECONDS: Final = 5 * 60


class Channel(Enum):
    """A way to reach somebody."""

    PAGER = auto()
    CHAT = auto()
    HEARTBEAT = auto()


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is told, and by which ways; ``severity`` None for the sign of life, ``role`` whom an escalation calls."""

    name: str
    channels: tuple[Channel, ...]
    severity: Severity | None = None
    role: str | None = None

    @property
    def hears_of_the_end(self) -> bool:
        """Whether it is told when an alert is over: an escalation's role hears that from the severity's receiver."""
        return self.severity is not None and self.role is None


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts with these labels go to this receiver. Times in seconds.

    ``wait`` passes before the first notification of a group, ``interval`` before one of what changed in it, ``repeat``
    before the same is said again while it still fires. ``proceed`` lets later routes see the alert, too.
    """

    matchers: tuple[tuple[str, str], ...]
    receiver: Receiver
    wait: int
    interval: int
    repeat: int
    proceed: bool = False
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of ``source`` fires, those of ``targets`` with the same labels ``equal`` are silent."""

    source: Severity
    targets: tuple[Severity, ...]
    equal: tuple[str, ...] = GROUP_BY


@dataclass(frozen=True, slots=True)
class Cause:
    """While ``source`` fires, the alerts that only tell what follows from it are silent, where ``equal`` agree."""

    source: Alert
    targets: tuple[Alert, ...]
    equal: tuple[str, ...] = ("namespace",)


@dataclass(frozen=True, slots=True)
class Window:
    """A recurring time in UTC in which nobody is told of less than a P1. Both days of the month, where given, count."""

    name: str
    weekday: str
    start_minute: int
    end_minute: int
    days_of_month: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Pace:
    wait: int
    interval: int
    repeat: int


# Said again when the time to answer is over and it still fires; a P4 once a day. The wait gathers what fires together
# and is a small part of the response time. `repeat` is a multiple of `interval`: Alertmanager rounds up to it.
_PACES: Final = {
    P1: _Pace(10, 60, 15 * 60),
    P2: _Pace(30, 5 * 60, 30 * 60),
    P3: _Pace(60, 10 * 60, 2 * 3600),
    P4: _Pace(5 * 60, 3600, 86_400),
}
_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def receiver_of(severity: Severity) -> Receiver:
    """Who is told of an alert of this severity."""
    channels = (Channel.PAGER, Channel.CHAT) if severity.pages else (Channel.CHAT,)
    return Receiver(severity.name.lower(), channels, severity)


def _route(severity: Severity) -> Route:
    pace = _PACES[severity]
    return Route(
        (("severity", severity.name),),
        receiver_of(severity),
        pace.wait,
        pace.interval,
        pace.repeat,
        muted=severity is not P1,
    )


def escalations(severity: Severity) -> list[Route]:
    """Routes that wait: a group which still fires after the response time is told to the next role, and so on.

    Alertmanager knows nothing of acknowledgements, PagerDuty does and escalates by its own policy: so these only speak
    in the chat. They are sound where a group is one alert's name, because only a new group waits. All three roles hear
    of a P1; of a P2 only the first, because nobody wakes the CTO for a feature. A restart of Alertmanager does not
    begin the wait anew: it counts from the alert's own start.
    """
    if not severity.pages or severity.response_seconds is None:
        return []
    roles = severities.ESCALATION if severity is P1 else severities.ESCALATION[:1]
    pace = _PACES[severity]
    return [
        Route(
            (("severity", severity.name),),
            Receiver(f"{severity.name.lower()}-{role.lower().replace(' ', '-')}", (Channel.CHAT,), severity, role),
            severity.response_seconds * step,
            pace.interval,
            86_400,
            proceed=True,
            muted=severity is not P1,
        )
        for step, role in enumerate(roles, start=1)
    ]


def detection_seconds(alert: Alert) -> int:
    """From a total failure to the first notification: scrape, window, ``for``, evaluations and the group's wait."""
    # A recording rule is one evaluation old when the alert reads it.
    machinery = SCRAPE_SECONDS + 2 * EVALUATION_SECONDS + _PACES[alert.severity].wait
    return math.ceil(alert.delay_seconds) + machinery


def _windows() -> tuple[Window, ...]:
    planned = [schedule for schedule in schedules.ALL if schedule.section is Section.MAINTENANCE_WINDOWS]
    return tuple(_window(schedule) for schedule in planned)


def _window(schedule: Schedule) -> Window:
    times = schedule.times
    weekly = len(times.of_day) == len(times.weekdays) == 1 and not times.either
    if not weekly or times.months != cron.EVERY_MONTH or schedule.time_zone != "UTC":
        raise ValueError(f"maintenance {schedule.name}: {schedule.cron!r} is no weekly time in UTC")
    (start,), (weekday,) = times.of_day, times.weekdays
    end = start + practices.MAINTENANCE_WINDOW.count // 60
    days = (1, 7) if schedule.first_week else None
    return Window(schedule.name, _WEEKDAYS[weekday], start, end, days)


SIGN_OF_LIFE: Final = Route(
    (("alertname", WATCHDOG.name),),
    Receiver(HEARTBEAT, (Channel.HEARTBEAT,)),
    wait=0,
    interval=60,
    repeat=HEARTBEAT_SECONDS,
)
# An escalation stands before the route of its severity and lets it see the alert, too.
ROUTES: Final[tuple[Route, ...]] = (
    SIGN_OF_LIFE,
    *(route for severity in severities.ALL for route in (*escalations(severity), _route(severity))),
)
RECEIVERS: Final[tuple[Receiver, ...]] = tuple(dict.fromkeys(route.receiver for route in ROUTES))
# What no route knows (an alert of somebody else in this namespace, without a severity of ours) is a P3.
FALLBACK: Final = receiver_of(P3)
INHIBITIONS: Final[tuple[Inhibition, ...]] = tuple(
    Inhibition(severity, severities.ALL[rank + 1 :]) for rank, severity in enumerate(severities.ALL[:-1])
)
_API_SUFFERS: Final = (services.API_GATEWAY_ERRORS, services.API_GATEWAY_LATENCY, *objectives.ALL)


def _faster_burns() -> list[Cause]:
    """A budget that burns fast burns slowly, too."""
    by_level = (objectives.ALL[:4], objectives.ALL[4:])
    return [
        Cause(fast, burns[rank + 1 :], ("namespace", "job"))
        for burns in by_level
        for rank, fast in enumerate(burns[:-1])
    ]


# No alert silences a worse one.
CAUSES: Final[tuple[Cause, ...]] = (
    Cause(services.API_GATEWAY_DOWN, _API_SUFFERS),
    Cause(
        datastores.DATABASE_DOWN,
        (*_API_SUFFERS, datastores.CONNECTIONS, services.PRICES_NOT_UPDATED, services.SENTIMENT_NOT_PROCESSED),
    ),
    Cause(datastores.REDIS_DOWN, (services.API_GATEWAY_LATENCY, datastores.REDIS_MEMORY)),
    Cause(datastores.CONSUMERS_MISSING, (datastores.CONSUMER_LAG,)),
    Cause(services.SENTIMENT_MODEL, (services.SENTIMENT_NOT_PROCESSED,)),
    Cause(infrastructure.DISK_USAGE, (infrastructure.VOLUME_FILLING,), ("namespace", "persistentvolumeclaim")),
    Cause(services.SERVICE_MEMORY, (services.SERVICE_LEAK,), ("namespace", "pod", "container")),
    *_faster_burns(),
)
WINDOWS: Final[tuple[Window, ...]] = _windows()
