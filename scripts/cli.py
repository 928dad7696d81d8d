"""The console command ``ops``."""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any, Final, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from scripts import output, unforeseen
from scripts.exits import MEANINGS, Exit

_EXIT_CODES: Final = "\n\n".join(f"{int(code)}  {meaning}" for code, meaning in MEANINGS.items())
# What wrong usage raises: typer ships its own copy of click in newer releases, so that the class has no public name.
_UsageError: Final = cast("type[Exception]", typer.BadParameter.__base__)

# How many new objects Python lets come together before it looks for garbage. Nearly all that a start makes stays, and
# to look through it after each 700 is an eighth of a start; so many hold a few MB at most.
_YOUNG_OBJECTS: Final = 50_000

# Each command or group is the module of scripts/commands of its name, which is loaded when it is asked for; the line is
# the first sentence of its own help.
COMMANDS: Final = {
    "certificates": "Check how long the namespace's certificates still live, as cert-manager says.",
    "diagnose": "Gather logs, events, descriptions, usage and metrics in one file, without secrets.",
    "drill": "Restore everything from the bucket alone into scratch places; measure RPO and RTO; "
    "leave a signed report.",
    "health": "Check everything at once, from the cluster to the backups and certificates.",
    "logs": "Group the errors of all pods by pattern, new ones first.",
    "restart": "Replace a service's pods one after the other and wait until the new ones serve.",
    "slo": "Check the figures of the dashboards: latency, errors, nodes, prices, sentiment.",
    "updates": "Collect the agenda of the monthly maintenance: images, restarts, CronJobs without a success.",
    "upgrade": "Roll a new image out and judge it; when it does not do, the one from before is set again and proved.",
    "access": "Look at who can do what.",
    "backup": "Save data into the backup bucket.",
    "backups": "Look at the backups in the bucket, prove them, and end old ones.",
    "db": "Look after PostgreSQL.",
    "incident": "Incidents: tickets, reminders, RCAs, review.",
    "kafka": "Look into Kafka.",
    "maintenance": "Maintenance: a page for users, jobs that wait.",
    "redis": "Look into Redis and clear it.",
    "restore": "Bring a backup back.",
    "rotate": "Replace secrets.",
    "scale": "Set the least replicas of the autoscaled services.",
}


class _Lazy(TyperGroup):
    """Has the names and lines of all commands, and loads the one that is used."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in COMMANDS:
            self.commands[args[0]] = get_command(importlib.import_module(f"scripts.commands.{args[0]}").app)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="ops",
    cls=_Lazy,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Operations of the cryptocurrency analytics dashboard.",
    epilog=f"Exit codes:\n\n{_EXIT_CODES}",
)
for _name, _line in COMMANDS.items():
    app.command(_name, help=_line)(lambda: None)


def _check_text(words: list[str]) -> None:
    """Refuse bytes that are no text: they stand in no ticket, log or line of JSON."""
    for word in words:
        if any("\ud800" <= sign <= "\udfff" for sign in word):
            raise typer.BadParameter(f"{word!r} is no UTF-8 text")


def _words(error: Exception) -> str:
    """What is wrong. Of a value, typer passes on pydantic's words, which name no value and are a programmer's."""
    message = str(getattr(error, "format_message", error.__str__)())
    found = getattr(error.__cause__, "errors", None)
    if found is None:
        return message
    detail = found()[0]
    given, allowed = repr(detail["input"]), str(importlib.import_module("runbook.formats").told(detail))
    return message.replace(str(detail["msg"]), allowed if given in allowed else f"{given}, which {allowed}")


def main() -> None:
    """Run the command line; the process ends with a code of ``exits.Exit``."""
    gc.set_threshold(_YOUNG_OBJECTS)
    unforeseen.listen()
    try:
        _check_text(sys.argv)
        code = app(standalone_mode=False)
    except _UsageError as error:
        output.report_error("", Exit.USAGE, f"{_words(error)} (see ops --help)", as_json="--json" in sys.argv)
        code = int(Exit.USAGE)
    except (typer.Abort, KeyboardInterrupt):
        output.report_error("", Exit.USAGE, "not confirmed; nothing was changed", as_json="--json" in sys.argv)
        code = int(Exit.USAGE)
    except Exception as error:  # noqa: BLE001 - one line and no traceback
        unforeseen.report("", error, as_json="--json" in sys.argv)
        code = int(Exit.DEFECT)
    # Python looks once more when it ends, for nothing.
    gc.freeze()
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
