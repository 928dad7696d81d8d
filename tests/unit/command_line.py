"""The real command line of ``ops``, by which tests read the commands that are printed somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from scripts import cli


def _walk(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield name, command
    for word in list(children):
        # As the command line finds it: that loads it.
        _, child, _ = command.resolve_command(None, [word])
        yield from _walk(child, f"{name} {word}".strip())


COMMANDS: dict[str, Any] = dict(_walk(get_command(cli.app)))
# Their names, and those of the groups in which they are.
NAMES: frozenset[str] = frozenset(COMMANDS) | {name.partition(" ")[0] for name in COMMANDS}


def parse(words: list[str]) -> None:
    """Parse what stands behind ``ops``.

    Raises:
        ValueError: there is no such command.
        click.UsageError: the command lacks an argument, or takes none of these.
    """
    found = [name for name in COMMANDS if words[: len(name.split())] == name.split()]
    if not found:
        raise ValueError(f"ops {' '.join(words)} is no command")
    (name,) = found
    COMMANDS[name].make_context(name, words[len(name.split()) :])
