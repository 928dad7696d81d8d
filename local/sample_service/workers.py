"""Background work that repeats, waits out failures and ends when told."""

import threading
from collections.abc import Callable
from typing import Final

from .errors import first_line
from .log import Log

Stop = threading.Event

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 0.5, 1, 2 ... 15."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10))


class Workers:
    """The threads of one service."""

    def __init__(self, log: Log) -> None:
        self.stop = Stop()
        self._log = log
        self._threads: list[threading.Thread] = []

    def every(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        """Run `work` now and then every `seconds`, after failures with growing pauses; a streak is logged once."""
        self.thread(name, lambda: self._repeat(seconds, name, work))

    def thread(self, name: str, body: Callable[[], None]) -> None:
        """Run `body` once in a thread; it must watch `stop`."""
        thread = threading.Thread(target=body, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self, seconds: float) -> bool:
        """Tell all to stop and wait; False when one did not within `seconds` each."""
        self.stop.set()
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _repeat(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        failures = 0
        while not self.stop.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - background work survives whatever happens
                failures += 1
                if failures == 1:
                    self._log.warning(f"{name} failed, trying again", reason=first_line(error))
                self.stop.wait(backoff(failures))
            else:
                if failures:
                    self._log.info(f"{name} works again", failures=failures)
                failures = 0
                self.stop.wait(seconds)
