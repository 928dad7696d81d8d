"""The result of a command: text for people, one JSON line for machines, and a container's termination message."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scripts import redact
from scripts.exits import Exit

if TYPE_CHECKING:
    from rich.console import Console

# What the kubelet keeps of a termination message.
TERMINATION_BYTES: Final = 4096
TERMINATION_VARIABLE: Final = "OPS_TERMINATION_LOG"
_TERMINATION_PATH: Final = "/dev/termination-log"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command found or did: plain ``data`` for machines, ``show`` prints it for people."""

    data: Mapping[str, object]
    show: Callable[[Console], None]
    code: Exit = Exit.DONE


def report(command: str, outcome: Outcome, *, as_json: bool) -> None:
    """Write the outcome to stdout and, in a container, to the termination message."""
    payload = {"command": command, "exit": int(outcome.code), **outcome.data}
    _terminate(payload)
    if as_json:
        print(_line(payload), flush=True)
        return
    from rich.console import Console

    outcome.show(Console(file=sys.stdout, soft_wrap=not sys.stdout.isatty()))


def report_error(command: str, code: Exit, message: str, *, as_json: bool) -> None:
    """Write why the command ended: one line on stderr, and the JSON line where one was asked for."""
    text = one_line(redact.clean(message))
    payload = {"command": command, "exit": int(code), "error": text}
    _terminate(payload)
    if as_json:
        print(_line(payload), flush=True)
    print(f"ops {command}: {text}".replace("ops :", "ops:"), file=sys.stderr, flush=True)


def one_line(message: str) -> str:
    """``message`` with every run of white space as one space."""
    return " ".join(message.split())


def shortened(payload: Mapping[str, object], limit: int = TERMINATION_BYTES) -> str:
    """``payload`` as JSON of at most ``limit`` bytes.

    The largest values are left out first and named in ``left_out``.
    """
    kept = dict(payload)
    left_out: list[str] = []
    while len(_line(kept).encode()) > limit:
        largest = max(
            (key for key in kept if key not in ("command", "exit", "left_out")), key=lambda key: len(_line(kept[key]))
        )
        value = kept.pop(largest)
        if isinstance(value, str):
            kept[largest] = value[: limit // 8]
            if len(value) <= limit // 8:
                del kept[largest]
        left_out.append(largest)
        kept["left_out"] = sorted(set(left_out))
    return _line(kept)


def _line(value: object) -> str:
    return json.dumps(redact.plain(value), ensure_ascii=False)


def _terminate(payload: Mapping[str, object]) -> None:
    path = Path(os.environ.get(TERMINATION_VARIABLE, _TERMINATION_PATH))
    try:
        if path.exists():
            path.write_text(shortened(payload), encoding="utf-8")
    except OSError:
        # The message is a convenience: the exit code and stdout already say it all.
        return
