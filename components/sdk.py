"""How the program uses Pulumi's SDK: with less work than the SDK does by itself, and the same result."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

from pulumi import _types, log  # pyright: ignore[reportPrivateUsage] (what is replaced in it)
from pulumi.runtime import resource, rpc

from components import sdk_inputs, sdk_log, sdk_outputs, sdk_stack

_REPLACED: Final[tuple[tuple[ModuleType, str], ...]] = (
    (log, "debug"),
    (_types, "unwrap_type"),
    (rpc, "serialize_property"),
    (rpc, "transfer_properties"),
    (rpc, "resolve_outputs"),
    (resource, "_get_stack_trace"),
)


def prepare() -> None:
    """Set the SDK of this process up; before anything is declared."""
    sdk_log.quieten()
    sdk_inputs.pass_plain()
    sdk_outputs.lighten()
    sdk_stack.shorten()


@contextmanager
def put_back() -> Generator[None]:
    """The SDK is afterwards as it was: for a process that runs the program and goes on."""
    before = [(module, name, getattr(module, name)) for module, name in _REPLACED]
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
