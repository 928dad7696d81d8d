"""What ``crypto-policy`` is told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final, NoReturn

USAGE: Final = 2
FORMATS: Final = ("console", "json", "sarif", "junit", "github")

_DESCRIPTION: Final = "Judges what a stack declares by the rules of docs/policies.md, without a cluster or a login."
_EPILOG: Final = """exit codes: 0 clean, 1 mandatory violations, 2 wrong usage or something not readable, 70 a defect

examples:
  pulumi stack export -s prod | crypto-policy check --state /dev/stdin --config policies/config/prod.json
  PULUMI_DEBUG_COMMANDS=true pulumi preview -s prod --event-log events.json; crypto-policy check --preview events.json
  make render STACK=prod && crypto-policy check --yaml build/manifests/prod --format sarif > findings.sarif
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; `{self.prog} --help` explains", file=sys.stderr)
        sys.exit(USAGE)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    whole = _Parser(prog="crypto-policy", description=_DESCRIPTION)
    commands = whole.add_subparsers(dest="command", required=True, parser_class=_Parser)
    check = commands.add_parser(
        "check",
        help="judge a state, a preview or manifests",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = check.add_mutually_exclusive_group(required=True)
    source.add_argument("--state", type=Path, metavar="FILE", help="an exported state (`pulumi stack export`)")
    source.add_argument("--preview", type=Path, metavar="EVENTLOG", help="the log of `pulumi preview --event-log`")
    source.add_argument("--yaml", type=Path, metavar="DIR", help="manifests: a folder, a file, or - for stdin")
    check.add_argument("--format", choices=FORMATS, default="console", help="default: console")
    check.add_argument("--waivers", type=Path, metavar="FILE", help="waivers; wins over those that the config names")
    check.add_argument("--config", type=Path, metavar="FILE", help="the stack's levels and parameters, as JSON")
    return whole
