"""Whether services answer on their health pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from runbook.ops_settings import OpsSettings, ServiceTarget
from runbook.units import duration
from scripts.exits import CheckFailedError, TemporaryError, UsageError
from scripts.health import services
from scripts.progress import Waiting

# What a service that is rolled out may take until it answers through its Service.
_SETTLE_SECONDS: Final = 60.0
# One answer that is lost on its way does not condemn a service; so many in a row do.
_STRIKES: Final = 3
_POLL_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 5.0


class UnhealthyError(CheckFailedError):
    """A service does not answer as it should."""


def target(settings: OpsSettings, name: str) -> ServiceTarget:
    """The service of this name.

    Raises:
        UsageError: the settings know none.
    """
    known = {service.name: service for service in settings.services}
    if name not in known:
        if not known:
            raise UsageError(f"{name!r} is no service of the settings, which name none; list them under services")
        raise UsageError(f"{name!r} is no service of the settings: give one of {', '.join(sorted(known))}")
    return known[name]


def problem(service: ServiceTarget) -> str | None:
    """Why the health page does not answer 200, or None when it does."""
    try:
        code = services.answer(service, _ANSWER_SECONDS)
    except TemporaryError as error:
        return f"{service.name} does not answer at {error}"
    return None if code == services.OK else f"{service.name} answers {code} at {service.health_url}"


def await_healthy(targets: Sequence[ServiceTarget]) -> None:
    """Wait until each service answers.

    Raises:
        UnhealthyError: one does not within a minute.
    """
    end = time.monotonic() + _SETTLE_SECONDS
    with Waiting("waiting for answers") as line:
        for service in targets:
            while (reason := problem(service)) is not None:
                if time.monotonic() + _POLL_SECONDS > end:
                    raise UnhealthyError(reason)
                line.tell(reason)
                time.sleep(_POLL_SECONDS)


def keep_watching(service: ServiceTarget, seconds: float, also: Callable[[], None] = lambda: None) -> None:
    """Ask again and again for ``seconds``, and until the last answer is clear; each time ``also`` is called.

    Raises:
        UnhealthyError: three answers in a row were not what they should be.
    """
    end = time.monotonic() + seconds
    strikes = 0
    with Waiting(f"watching {service.name}") as line:
        while strikes or time.monotonic() < end:
            reason = problem(service)
            strikes = 0 if reason is None else strikes + 1
            if reason is not None and strikes >= _STRIKES:
                raise UnhealthyError(f"{reason}, {strikes} times in a row")
            also()
            line.tell(reason or f"it answers; {duration(max(0.0, end - time.monotonic()))} left")
            time.sleep(_POLL_SECONDS if strikes else max(0.0, min(_POLL_SECONDS, end - time.monotonic())))
