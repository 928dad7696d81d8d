"""Mutants of what the rules share: each comparison turned, each "and" made an "or", in the functions as they run.

A module of rules is compiled anew for each of its mutants. What these share is imported by all of them, so here the
code of its functions is exchanged for a while, and everybody who has imported one runs the change.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.policies.mutants import Mutant, of_module, unchanged


def of_shared(name: str) -> Iterator[Mutant]:
    """Every mutant of a module's functions; what stands outside of them, such as a constant, stays."""
    exchanged = {function.__code__.co_qualname for function in _functions(import_module(f"policies.{name}"))}
    whole = _compiled(unchanged(name))
    for mutant in of_module(name):
        changed = _compiled(mutant)
        if any(changed[function] != whole[function] for function in exchanged):
            yield mutant


@contextmanager
def running(mutant: Mutant) -> Generator[None]:
    """While it lasts, the functions of the mutant's module are the mutant's."""
    module = import_module(f"policies.{mutant.module}")
    changed = _compiled(mutant)
    kept = {function: function.__code__ for function in _functions(module)}
    assert kept
    try:
        for function, code in kept.items():
            function.__code__ = changed[code.co_qualname]
        forget()
        yield
    finally:
        for function, code in kept.items():
            function.__code__ = code
        forget()


def _compiled(mutant: Mutant) -> Mapping[str, CodeType]:
    return _codes(compile(mutant.tree, f"{mutant.module}.py", "exec"))


def _codes(module: CodeType) -> Mapping[str, CodeType]:
    """The functions of a module and of its classes, by their names."""
    found: dict[str, CodeType] = {}
    for constant in module.co_consts:
        if isinstance(constant, CodeType):
            found |= {constant.co_qualname: constant, **_codes(constant)}
    return found


def _functions(holder: Any) -> Iterator[FunctionType]:
    """The functions that a module or a class of it defines, whatever they are wrapped in."""
    home = holder.__name__ if isinstance(holder, ModuleType) else holder.__module__
    for member in vars(holder).values():
        if isinstance(member, type) and isinstance(holder, ModuleType):
            if member.__module__ == home:
                yield from _functions(member)
            continue
        inner = getattr(member, "__wrapped__", None) or getattr(member, "fget", None) or getattr(member, "func", None)
        function = inner or getattr(member, "__func__", member)
        # What a dataclass writes for itself stands in no source.
        if (
            isinstance(function, FunctionType)
            and function.__module__ == home
            and function.__code__.co_filename != "<string>"
        ):
            yield function


def forget() -> None:
    """What functions remember was said by another mutant, or for another rule."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("policies."):
            for member in vars(module).values():
                if hasattr(member, "cache_clear"):
                    member.cache_clear()
