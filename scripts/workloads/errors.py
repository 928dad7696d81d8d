"""The share of a service's requests that fail, before an upgrade and after it (sections 3.1 and 8.3)."""

from __future__ import annotations

import math
import time
from typing import Final

from runbook import services, slo, thresholds
from runbook.alerting.durations import SCRAPE_SECONDS
from runbook.alerting.model import SCRAPES_IN_WINDOW
from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.clients import prometheus
from scripts.exits import CheckFailedError, TemporaryError, UsageError

# One request that is lost on its way condemns no image; so many do.
_LEAST_FAILED: Final = 3
_SHORTEST_WINDOW: Final = SCRAPES_IN_WINDOW * SCRAPE_SECONDS
_EVERY_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 5.0
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 2.0


class ErrorRate:
    """Judges what a service answers. A service without requests has no rate, which is no fault of its image."""

    def __init__(self, settings: OpsSettings, name: str, watch: float) -> None:
        """For ``watch`` seconds after a rollout.

        Raises:
            UsageError: the settings name no Prometheus, or the runbook no such service.
        """
        if settings.prometheus is None:
            raise UsageError(
                "the settings name no Prometheus, so that nobody would see the error rate: give prometheus.url, or"
                " --health-only; nothing was changed"
            )
        if name not in services.BY_NAME:
            raise UsageError(f"{name!r} is no service of the runbook: judge it by --health-only; nothing was changed")
        self._settings = settings
        self._service = services.BY_NAME[name]
        self._window = f"{max(math.ceil(watch), _SHORTEST_WINDOW)}s"
        self._next = 0.0
        self.before: float | None = None
        self.after: float | None = None

    @property
    def limit(self) -> float:
        """The greatest ratio that is no reason to undo: the runbook's, or what it was before where that was worse."""
        return max(thresholds.API_ERROR_RATIO.value, self.before or 0.0)

    def note_before(self) -> None:
        """Remember what it is without the new image.

        Raises:
            TemporaryError: Prometheus does not answer; nothing was changed.
        """
        self.before, _ = self._ask()

    def look(self) -> None:
        """Ask now and then; a Prometheus that does not answer is asked again.

        Raises:
            CheckFailedError: too many requests fail.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        try:
            self._judge()
        except TemporaryError as error:
            log.warning("no error rate for now", reason=str(error))

    def conclude(self) -> None:
        """The last word.

        Raises:
            CheckFailedError: too many requests fail, or nobody could look.
        """
        for attempt in range(_TRIES):
            try:
                self._judge()
            except TemporaryError as error:
                if attempt + 1 == _TRIES:
                    raise CheckFailedError(f"nobody could see its error rate: {error}") from None
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def plain(self) -> dict[str, float | None]:
        """As data for machines; None stands for no requests."""
        return {"before": self.before, "after": self.after, "limit": self.limit}

    def __str__(self) -> str:
        before, after = ("no requests" if each is None else f"{each:.2%}" for each in (self.before, self.after))
        return f"{after} (before: {before}; limit {self.limit:.2%})"

    def _judge(self) -> None:
        self.after, failed = self._ask()
        if self.after is not None and self.after > self.limit and failed >= _LEAST_FAILED:
            raise CheckFailedError(
                f"{self.after:.2%} of its requests fail, more than {self.limit:.2%} ({failed:.0f} in {self._window})"
            )

    def _ask(self) -> tuple[float | None, float]:
        namespace = self._settings.namespace
        ratio = slo.api_error_ratio(namespace, self._window, of=self._service)
        count = slo.failed_requests(namespace, self._window, of=self._service)
        with prometheus.connect(self._settings, _ANSWER_SECONDS) as server:
            ratios, counts = server.query(ratio), server.query(count)
        found = ratios[0].value if ratios else math.nan
        return (None if math.isnan(found) else found), (counts[0].value if counts else 0.0)
