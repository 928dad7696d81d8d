"""Ends processes at random moments."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable

from tests.services.ops_process import OpsProcess


def interrupted(process: OpsProcess, number: signal.Signals, seconds: float) -> tuple[int, bool]:
    """Send the signal after so long, unless it has ended before; its exit code, and whether it reported success."""
    try:
        told, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
    return process.wait(), '"exit": 0' in told


def moments(count: int) -> list[float]:
    """Random moments of a run whose length is 1, one in each equal part of it."""
    dice = random.Random(f"{count} moments")  # noqa: S311 - not a secret
    return [(number + dice.random()) / count for number in range(count)]


def timed(run: Callable[[], object]) -> float:
    """How long it takes (seconds)."""
    begin = time.monotonic()
    run()
    return time.monotonic() - begin
