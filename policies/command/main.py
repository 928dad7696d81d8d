"""``crypto-policy check``. Everything heavy is imported where it is used: a check of a small stack takes no time."""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policies.command.arguments import USAGE, parser

if TYPE_CHECKING:
    from policies.reporting.result import Result
    from policies.sources.source import Source

PACK: Final = Path(__file__).resolve().parents[1]
CLEAN: Final = 0
VIOLATIONS: Final = 1
# As of `ops` and of sysexits.h.
DEFECT: Final = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; what a user can mend is one line on standard error."""
    arguments = parser().parse_args(argv)
    from policies.configuring.configuration import ConfigurationError
    from policies.sources.source import SourceError
    from policies.waiving.reading import WaiversError

    try:
        result = _check(arguments)
        _write(_report(arguments.format)(result))
    except (SourceError, ConfigurationError, WaiversError) as error:
        return _end(USAGE, str(error))
    except Exception as error:  # noqa: BLE001  whatever it is, it is no violation
        # The error's text may hold a value, and a value may be a secret: only its kind and place are told.
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        return _end(DEFECT, f"a defect of this program: {type(error).__name__} at {place}; report it with the input")
    for each in result.broken:
        _end(USAGE, f"not read: {each}")
    if result.broken:
        return USAGE
    return CLEAN if result.clean else VIOLATIONS


def _write(report: str) -> None:
    try:
        sys.stdout.write(report)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads only the head of a report still gets the verdict.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(code: int, said: str) -> int:
    from policies.reporting.result import printable

    print(printable(f"crypto-policy: {said}"), file=sys.stderr)
    return code


def _check(arguments: argparse.Namespace) -> Result:
    from policies.catalogue import ALL, BY_NAME
    from policies.checking import check
    from policies.configuring.configuration import Configuration
    from policies.waiving.applying import Ledger
    from policies.waiving.reading import default_file, today, waivers

    configuration = Configuration()
    if arguments.config is not None:
        from policies.configuring.reading import read as read_configuration

        configuration = read_configuration(arguments.config, ALL)
    path = arguments.waivers or configuration.waivers or default_file(PACK)
    metas = {name: rule.meta for name, rule in BY_NAME.items()}
    return check(_source(arguments), ALL, configuration, Ledger(waivers(path, metas, today())))


def _source(arguments: argparse.Namespace) -> Source:
    if arguments.state is not None:
        from policies.sources import state

        return state.read(arguments.state)
    if arguments.preview is not None:
        from policies.sources import preview

        return preview.read(arguments.preview)
    from policies.sources import manifests

    return manifests.read(arguments.yaml)


def _report(form: str) -> Callable[[Result], str]:
    if form == "json":
        from policies.reporting import as_json

        return as_json.text
    if form == "sarif":
        from policies.reporting import sarif

        return sarif.text
    if form == "junit":
        from policies.reporting import junit

        return junit.text
    if form == "github":
        from policies.reporting import github

        return github.text
    from policies.reporting import console

    return lambda result: console.text(result, shutil.get_terminal_size().columns)


def run() -> int:
    """The console script: a process that does nothing else."""
    # Everything that is read lives to the end: looking for garbage in it took a third of the time.
    gc.disable()
    return main()


if __name__ == "__main__":
    sys.exit(run())
