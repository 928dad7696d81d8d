"""Options that all commands share, and the frame in which each of them runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from scripts import first_week, guard, log, output
from scripts.exits import Exit, OpsError, Stop, TemporaryError
from scripts.output import Outcome

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as exactly one line of JSON.")]
Config = Annotated[
    str | None,
    typer.Option("--config", help="Settings file [default: $OPS_CONFIG, else /etc/ops/config.json].", metavar="FILE"),
]
Deadline = Annotated[
    float | None,
    typer.Option("--deadline", min=0.1, help="Give up after so many seconds (exit 75).", metavar="SECONDS"),
]
Silent = Annotated[bool, typer.Option("--silent", help="Send nothing by mail or chat.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, say what would happen, change nothing.")]


def run(command: str, action: Callable[[], Outcome], *, as_json: bool, deadline: float | None) -> NoReturn:
    """Run ``action`` within its limits, report its outcome or its error, and end with the matching code."""
    try:
        with guard.limits(deadline) as done:
            reason = first_week.skipped(os.environ, _time_zone)
            outcome = action() if reason is None else first_week.outcome(reason)
            done()
            output.report(command, outcome, as_json=as_json)
    except (OpsError, Stop) as error:
        _fail(command, error.code, str(error), as_json=as_json)
    except MemoryError:
        _fail(command, TemporaryError.code, "out of memory", as_json=as_json)
    except Exception as error:  # noqa: BLE001 - one line and no traceback
        # A traceback can hold secrets in its lines; where it happened is enough to find the defect.
        log.error("unexpected error", kind=type(error).__name__, where=_where(error))
        _fail(
            command,
            Exit.DEFECT,
            f"unexpected {type(error).__name__}: {error}; this is a defect of ops",
            as_json=as_json,
        )
    raise typer.Exit(int(outcome.code))


def _time_zone() -> str:
    from scripts import config

    return config.load().time_zone


def _fail(command: str, code: Exit, message: str, *, as_json: bool) -> NoReturn:
    output.report_error(command, code, message, as_json=as_json)
    raise typer.Exit(int(code))


def _where(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}"
