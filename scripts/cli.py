"""The console command ``ops``."""

from __future__ import annotations

import gc
import sys
from typing import Final, cast

import typer

from scripts import output
from scripts.commands import (
    access,
    backup,
    backups,
    certificates,
    db,
    diagnose,
    drill,
    health,
    incident,
    kafka,
    logs,
    maintenance,
    redis,
    restart,
    restore,
    rotate,
    scale,
    slo,
    updates,
    upgrade,
)
from scripts.exits import MEANINGS, Exit

_EXIT_CODES: Final = "\n\n".join(f"{int(code)}  {meaning}" for code, meaning in MEANINGS.items())
# What wrong usage raises: typer ships its own copy of click in newer releases, so that the class has no public name.
_UsageError: Final = cast("type[Exception]", typer.BadParameter.__base__)

# How many new objects Python lets come together before it looks for garbage. Nearly all that a start makes stays, and
# to look through it after each 700 is an eighth of a start; so many hold a few MB at most.
_YOUNG_OBJECTS: Final = 50_000

app = typer.Typer(
    name="ops",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Operations of the cryptocurrency analytics dashboard.",
    epilog=f"Exit codes:\n\n{_EXIT_CODES}",
)
app.add_typer(access.app, name="access")
app.add_typer(backup.app, name="backup")
app.add_typer(backups.app, name="backups")
app.command("certificates")(certificates.certificates)
app.add_typer(db.app, name="db")
app.command("diagnose")(diagnose.diagnose)
app.command("drill")(drill.drill)
app.command("health")(health.health)
app.add_typer(incident.app, name="incident")
app.add_typer(kafka.app, name="kafka")
app.command("logs")(logs.logs)
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(redis.app, name="redis")
app.command("restart")(restart.restart)
app.add_typer(restore.app, name="restore")
app.add_typer(rotate.app, name="rotate")
app.add_typer(scale.app, name="scale")
app.command("slo")(slo.slo)
app.command("updates")(updates.updates)
app.command("upgrade")(upgrade.upgrade)


def main() -> None:
    """Run the command line; the process ends with a code of ``exits.Exit``."""
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        code = app(standalone_mode=False)
    except _UsageError as error:
        message = str(getattr(error, "format_message", error.__str__)())
        output.report_error("", Exit.USAGE, f"{message} (see ops --help)", as_json="--json" in sys.argv)
        code = int(Exit.USAGE)
    except (typer.Abort, KeyboardInterrupt):
        output.report_error("", Exit.USAGE, "not confirmed; nothing was changed", as_json="--json" in sys.argv)
        code = int(Exit.USAGE)
    # Python looks once more when it ends, for nothing.
    gc.freeze()
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
