"""Faults that are switched on at run time through /faults."""

import random
import threading
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from .errors import HttpError
from .workers import Stop

_MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class FaultSettings:
    """What can be switched.

    `errors`: share of requests answered with 500 (0..1); `latency_ms`: added to each request; `memory_mb`: MiB of
    memory that the process keeps; `lag`: the consumer stops consuming; `pool`: database connections taken and not given
    back; `burst`: messages that market data produces at once.
    """

    errors: float = 0.0
    latency_ms: float = 0.0
    memory_mb: int = 0
    lag: bool = False
    pool: int = 0
    burst: int = 0


_LIMITS: Final[dict[str, float]] = {
    "errors": 1.0,
    "latency_ms": 60_000.0,
    "memory_mb": 10_000.0,
    "pool": 1000,
    "burst": 1_000_000,
}


def changed(settings: FaultSettings, body: object) -> FaultSettings:
    """`settings` with the fields of a JSON object replaced.

    Raises:
        HttpError: 400 for anything but an object of known fields in their ranges.
    """
    known = [field.name for field in fields(FaultSettings)]
    if not isinstance(body, dict):
        raise HttpError(400, f"give a JSON object with any of {', '.join(known)}")
    for name, value in body.items():  # pyright: ignore[reportUnknownVariableType]
        if name not in known:
            raise HttpError(400, f"unknown fault {name!r}: give any of {', '.join(known)}")
        _check(str(name), value)  # pyright: ignore[reportUnknownArgumentType]
    return replace(settings, **body)  # pyright: ignore[reportUnknownArgumentType]


def _check(name: str, value: object) -> None:
    if name == "lag":
        if not isinstance(value, bool):
            raise HttpError(400, f"lag={value!r}: give true or false")
        return
    whole = name in ("memory_mb", "pool", "burst")
    allowed = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not 0 <= value <= _LIMITS[name]:
        kind = "a whole number" if whole else "a number"
        raise HttpError(400, f"{name}={value!r}: give {kind} from 0 to {_LIMITS[name]:g}")


class Faults:
    """The faults that are on now."""

    def __init__(self, seed: int | None = None) -> None:
        self._settings = FaultSettings()
        self._guard = threading.Lock()
        self._kept = bytearray()
        self._random = random.Random(seed)  # noqa: S311

    @property
    def settings(self) -> FaultSettings:
        """What is on."""
        return self._settings

    @property
    def kept_bytes(self) -> int:
        """Memory that the fault keeps."""
        return len(self._kept)

    def change(self, body: object) -> dict[str, object]:
        """Switch faults; returns all of them."""
        with self._guard:
            self._settings = changed(self._settings, body)
            self._keep(self._settings.memory_mb * _MEBIBYTE)
        return asdict(self._settings)

    def clear(self) -> dict[str, object]:
        """Switch everything off and give the memory back."""
        with self._guard:
            self._settings = FaultSettings()
            self._keep(0)
        return asdict(self._settings)

    def take_burst(self) -> int:
        """The messages to produce at once; they are asked for only once."""
        with self._guard:
            burst = self._settings.burst
            if burst:
                self._settings = replace(self._settings, burst=0)
            return burst

    def strike(self, stop: Stop) -> None:
        """What a request suffers.

        Raises:
            HttpError: 500 by the share of `errors`.
        """
        settings = self._settings
        if settings.latency_ms:
            stop.wait(settings.latency_ms / 1000)
        if settings.errors and self._random.random() < settings.errors:
            raise HttpError(500, "injected fault")

    def _keep(self, size: int) -> None:
        if size != len(self._kept):
            # Written, because untouched pages are not resident.
            self._kept = bytearray(b"\1") * size
