"""Ends processes at random moments."""

from __future__ import annotations

import math
import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from tests.services.ops_process import OpsProcess

_Result = TypeVar("_Result")


class Length:
    """How long a run takes: as long as the fastest that was seen, because others had a busy neighbour."""

    def __init__(self) -> None:
        self._seconds = math.inf

    def timed(self, run: Callable[[], _Result]) -> _Result:
        """Runs it once, from its beginning to its end, and returns what it returns."""
        begin = time.monotonic()
        result = run()
        self._seconds = min(self._seconds, time.monotonic() - begin)
        return result

    def interrupted(self, process: OpsProcess, number: signal.Signals, part: float) -> tuple[int, bool]:
        """Sends the signal after this part of the length; the exit code, and whether success was reported.

        A run that ends before its signal is the new length.
        """
        begin = time.monotonic()
        try:
            told, _ = process.communicate(timeout=part * self._seconds)
            self._seconds = min(self._seconds, time.monotonic() - begin)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            told, _ = process.communicate(timeout=60)
        return process.wait(), '"exit": 0' in told


def moments(count: int) -> list[float]:
    """Random moments of a run whose length is 1, one in each equal part of it."""
    dice = random.Random(f"{count} moments")  # noqa: S311 - not a secret
    return [(number + dice.random()) / count for number in range(count)]
