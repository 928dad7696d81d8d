"""The two objectives of the API as service levels: what is recorded of them, and the alerts on a budget that burns.

Availability: fewer than 0.5% of the requests fail. Latency: a 95th percentile below 200 ms is that fewer than 5% take
longer. Each alert compares a long window, which says that it matters, and a short one, which says that it still goes on
(Google's SRE Workbook). Long windows are averages of what is recorded for five minutes, weighted by the requests: three
days of raw series would be read at each evaluation otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook import practices, services, thresholds
from runbook.alerting import expressions
from runbook.alerting.model import NAMESPACE, WINDOW, Alert, Comparison, Limit, Recording, Team, number
from runbook.alerting.recordings import RATE_SECONDS, REQUESTS
from runbook.sections import Section
from runbook.severities import P2, P3, P4, Severity
from runbook.thresholds import Threshold
from runbook.units import prometheus_duration

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_GATEWAY: Final = f'{{namespace="{NAMESPACE}", job="{services.API_GATEWAY.name}"}}'


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows (seconds): the budget burns too fast over both. ``held`` is the ``for`` of the alert."""

    long: int
    short: int
    held: int


HOUR: Final = Burn(_HOUR, 5 * _MINUTE, 2 * _MINUTE)
SIX_HOURS: Final = Burn(6 * _HOUR, 30 * _MINUTE, 15 * _MINUTE)
DAY: Final = Burn(_DAY, 2 * _HOUR, _HOUR)
THREE_DAYS: Final = Burn(3 * _DAY, 6 * _HOUR, 3 * _HOUR)
_BURNS: Final = (HOUR, SIX_HOURS, DAY, THREE_DAYS)
_WINDOWS: Final = sorted({seconds for burn in _BURNS for seconds in (burn.long, burn.short)} - {RATE_SECONDS})


@dataclass(frozen=True, slots=True)
class Level:
    """A service level: ``bad`` requests a second are recorded under ``name``; ``objective`` is their greatest share."""

    name: str
    bad: Recording
    objective: Threshold

    def ratio(self, seconds: int) -> Recording:
        """The share of bad requests in a window."""
        name = f"job:http_request_{self.name}:ratio_rate{prometheus_duration(seconds)}"
        return Recording(name, self._share(f"[{WINDOW}]"), seconds)

    @property
    def short_ratio(self) -> Recording:
        """The share of the last five minutes."""
        name = f"job:http_request_{self.name}:ratio_rate{prometheus_duration(RATE_SECONDS)}"
        return Recording(name, f"{_recorded(self.bad)} / ({_recorded(REQUESTS)} > 0)", RATE_SECONDS)

    @property
    def budget(self) -> Recording:
        """What is left of the budget (ratio): 1 while nothing was bad, below 0 once it is spent."""
        share = self._share(f"[{WINDOW}]")
        spent = f"({share}) / {number(self.objective)}"
        return Recording(f"job:slo_{self.name}_budget:remaining30d", f"1 - {spent}", _period())

    def _share(self, window: str) -> str:
        bad, every = (f"sum_over_time({_recorded(item)}{window})" for item in (self.bad, REQUESTS))
        return f"{bad} / ({every} > 0)"


def _recorded(rule: Recording) -> str:
    return f"{rule.name}{_GATEWAY}"


def _period() -> int:
    return practices.SLO_PERIOD.count * _DAY


FAILED: Final = Recording("job:http_request_failures:rate5m", expressions.failures(NAMESPACE, WINDOW), RATE_SECONDS)
SLOW: Final = Recording("job:http_request_slow:rate5m", expressions.slow(NAMESPACE, WINDOW), RATE_SECONDS)
# An hour's requests, for the question whether there are enough of them to judge by.
TRAFFIC: Final = Recording(
    "job:http_requests:increase1h",
    f"sum by (job) (increase({expressions.REQUESTS}{expressions.users(NAMESPACE)}[{WINDOW}]))",
    _HOUR,
)
AVAILABILITY: Final = Level("errors", FAILED, thresholds.SLO_ERROR_RATIO)
LATENCY: Final = Level("slow", SLOW, practices.SLO_SLOW_RATIO)
LEVELS: Final = (AVAILABILITY, LATENCY)

# In the group of what they are divided by: groups are evaluated at different moments, and one would be a sample ahead.
RATES: Final[tuple[Recording, ...]] = (FAILED, SLOW)
# The share of failures of the last five minutes is among the other recordings already.
RECORDINGS: Final[tuple[Recording, ...]] = (
    TRAFFIC,
    LATENCY.short_ratio,
    *(level.ratio(seconds) for level in LEVELS for seconds in _WINDOWS),
    *(level.budget for level in LEVELS),
)


def _alert(level: Level, burn: Burn, threshold: Threshold, severity: Severity, words: tuple[str, str]) -> Alert:
    long, short = (
        level.short_ratio if seconds == RATE_SECONDS else level.ratio(seconds) for seconds in (burn.long, burn.short)
    )
    name, what = words
    window = prometheus_duration(burn.long)
    limit = number(threshold)
    return Alert(
        f"{name}{window}",
        Limit(
            _recorded(long),
            Comparison.ABOVE,
            threshold,
            but=f"and {_recorded(short)} > {limit} and {_recorded(TRAFFIC)} >= {number(practices.LEAST_TRAFFIC)}",
        ),
        burn.held,
        severity,
        Team.SERVICES,
        Section.DASHBOARD_CHECK,
        f"The API's budget of requests that {what} burns: {{{{ $value | humanizePercentage }}}} in {window}",
        f"In the last {window} {{{{ $value | humanizePercentage }}}} of the requests to the API {what}; the limit is "
        f"<limit>, and the budget of {practices.SLO_PERIOD.count} days does not last at that rate.",
        window_seconds=burn.long,
        # How much of the long window must be a total failure before its share is above the limit.
        window_share=threshold.value,
        guards=(practices.LEAST_TRAFFIC,),
        diagnosis=("ops slo", "ops logs", "ops diagnose"),
        remedies=("ops restart api-gateway",) if level is AVAILABILITY else ("ops scale peak",),
    )


_ERRORS: Final = ("ErrorBudgetBurn", "fail")
_LATENCY: Final = ("LatencyBudgetBurn", "are slow")
ERROR_BURN_1H: Final = _alert(AVAILABILITY, HOUR, practices.ERROR_BURN_1H, P2, _ERRORS)
ERROR_BURN_6H: Final = _alert(AVAILABILITY, SIX_HOURS, practices.ERROR_BURN_6H, P2, _ERRORS)
ERROR_BURN_1D: Final = _alert(AVAILABILITY, DAY, practices.ERROR_BURN_1D, P3, _ERRORS)
ERROR_BURN_3D: Final = _alert(AVAILABILITY, THREE_DAYS, practices.ERROR_BURN_3D, P4, _ERRORS)
LATENCY_BURN_1H: Final = _alert(LATENCY, HOUR, practices.LATENCY_BURN_1H, P3, _LATENCY)
LATENCY_BURN_6H: Final = _alert(LATENCY, SIX_HOURS, practices.LATENCY_BURN_6H, P4, _LATENCY)
LATENCY_BURN_1D: Final = _alert(LATENCY, DAY, practices.LATENCY_BURN_1D, P4, _LATENCY)
LATENCY_BURN_3D: Final = _alert(LATENCY, THREE_DAYS, practices.LATENCY_BURN_3D, P4, _LATENCY)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
