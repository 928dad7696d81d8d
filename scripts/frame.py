"""The frame in which every command runs: the options that all share, the settings, limits, result and exit code.

A command is a plain function: it takes the settings and options of its own, and returns its outcome.
"""

from __future__ import annotations

import getpass
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, NoReturn, TypeVar

import typer

from runbook.ops_settings import OpsSettings
from scripts import config as settings_file
from scripts import durations, first_week, guard, output, unforeseen
from scripts.exits import Exit, OpsError, Stop, TemporaryError
from scripts.output import Outcome

Config = Annotated[
    str | None,
    typer.Option("--config", help="Settings file [default: $OPS_CONFIG, else /etc/ops/config.json].", metavar="FILE"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, say what would happen, change nothing.")]
Scratch = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        help="Folder with the sockets of throwaway servers [default: start the programs that are installed here].",
        metavar="DIR",
    ),
]
Silent = Annotated[bool, typer.Option("--silent", help="Send nothing by mail or chat.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as exactly one line of JSON.")]

_Command = TypeVar("_Command", bound=Callable[Concatenate[OpsSettings, ...], Outcome])


def seconds(flag: str, text: str, least: float = 0.1) -> Any:
    """An option that takes seconds, with this help."""
    return typer.Option(flag, min=least, max=durations.YEAR, help=text, metavar="SECONDS")


def _shared(
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Annotated[float | None, seconds("--deadline", "Give up after so many seconds (exit 75).")] = None,
    as_json: _AsJson = False,
) -> None:
    """The shared options; their order is that of ``--help``, where they follow a command's own."""


_SHARED: Final = inspect.signature(_shared, eval_str=True).parameters


def app(group: str | None = None) -> typer.Typer:
    """Where a module registers its one command, or the commands of its group, which has the help text ``group``."""
    made = typer.Typer(help=group, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
    if group is not None:
        # With a callback, one command alone is a group, too.
        made.callback()(lambda: None)
    return made


def command(to: typer.Typer, name: str, example: str) -> Callable[[_Command], _Command]:
    """Register a function as the command ``ops NAME``; ``example`` is what stands behind that in its help.

    A function with ``dry_run`` or ``config`` gets what was given; ``--dry-run`` is an option of no other.
    """

    def register(function: _Command) -> _Command:
        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        taken = {parameter.name for parameter in own}
        parameters = [parameter for parameter in own if parameter.name not in _SHARED]
        parameters += [option for option in _SHARED.values() if option.name != "dry_run" or "dry_run" in taken]

        def start(**given: Any) -> None:
            def action() -> Outcome:
                values = {key: value for key, value in given.items() if key in taken}
                return function(settings_file.load(given["config"]), **values)

            run(name, action, as_json=given["as_json"], deadline=given["deadline"])

        # What typer makes options of.
        start.__dict__["__signature__"] = inspect.Signature(parameters)
        start.__doc__ = function.__doc__
        to.command(name.rpartition(" ")[2], epilog=f"Example: ops {name} {example}".rstrip())(start)
        return function

    return register


def user() -> str:
    """The name of the account that runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container's user need not have a name.
        return "ops"


def run(name: str, action: Callable[[], Outcome], *, as_json: bool, deadline: float | None) -> NoReturn:
    """Run ``action`` within its limits, report its outcome or its error, and end with the matching code."""
    try:
        with guard.limits(deadline) as done:
            reason = first_week.skipped(os.environ, lambda: settings_file.load().time_zone)
            outcome = action() if reason is None else first_week.outcome(reason)
            done()
            output.report(name, outcome, as_json=as_json)
    except (OpsError, Stop) as error:
        _fail(name, error.code, str(error), as_json=as_json)
    except MemoryError:
        _fail(name, TemporaryError.code, "out of memory", as_json=as_json)
    except Exception as error:  # noqa: BLE001 - one line and no traceback
        unforeseen.report(name, error, as_json=as_json)
        raise typer.Exit(int(Exit.DEFECT)) from None
    raise typer.Exit(int(outcome.code))


def _fail(name: str, code: Exit, message: str, *, as_json: bool) -> NoReturn:
    output.report_error(name, code, message, as_json=as_json)
    raise typer.Exit(int(code))
