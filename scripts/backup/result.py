"""What a trial of a backup found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that came out right: ``method`` says into what, ``counts`` what came back, ``compared`` what was equal.

    ``digests`` are those of the proof; ``seconds`` is how long it took.
    """

    method: str
    counts: Mapping[str, int]
    compared: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
