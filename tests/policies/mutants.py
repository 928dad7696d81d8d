"""Mutants of the rules: each limit moved by one step, each comparison turned, each "and" made an "or".

A mutant is a module of ``policies`` with one such change, compiled in memory. Some case must then come out wrong; where
all still hold, no test would have noticed the mistake.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from policies.model import Rule
from runbook.thresholds import Unit

POLICIES: Final = Path(__file__).resolve().parents[2] / "policies"
# What an operator is turned into: the other side of the line, or the opposite.
_TURNED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
# How a number of the runbook is read from what holds it: `thresholds.POOL_SIZE.count`, `limits.peak`.
_NUMBERS: Final = frozenset({"count", "value"})
_FIELDS: Final = frozenset({"normal", "peak", "start_minute", "response_seconds"})
_MARKERS: Final = frozenset({"UNKNOWN", "SECRET", "MISSING"})


class _Moved:
    """Stands for what holds a number of the runbook, and says one step more or less."""

    def __init__(self, holder: object, direction: int) -> None:
        self._holder, self._direction = holder, direction

    def __getattr__(self, name: str) -> Any:
        number = getattr(self._holder, name)
        if number is None:
            return None
        if isinstance(number, float) and not number.is_integer():
            return number + self._direction * 0.01
        # A time that is counted in minutes everywhere is moved by one.
        in_minutes = getattr(self._holder, "unit", Unit.SECONDS) is Unit.SECONDS and number % 60 == 0
        return number + self._direction * (60 if in_minutes and name not in ("normal", "peak", "start_minute") else 1)


@dataclass(frozen=True)
class Mutant:
    """A change at a line of a module; ``text`` is the place after it.

    ``function`` has the lines of the function whose body is changed; None where the change is in none.
    """

    module: str
    line: int
    text: str
    tree: ast.Module
    function: range | None = None

    def __str__(self) -> str:
        return f"policies/{self.module}.py:{self.line}: {self.text}"

    def rules(self) -> tuple[Rule, ...]:
        """The module's rules with the change."""
        module: Any = ModuleType(f"policies.{self.module}")
        module.moved_number = _Moved
        exec(compile(self.tree, f"{self.module}.py", "exec"), module.__dict__)  # noqa: S102 (the project's own source)
        return module.RULES


def unchanged(name: str) -> Mutant:
    """The module as it is: what is noticed of it is wrong with the cases."""
    return Mutant(name, 0, "unchanged", ast.parse((POLICIES / f"{name}.py").read_text()))


def of_module(name: str) -> Iterator[Mutant]:
    """Every mutant of a module of rules, in the order of its lines."""
    source = (POLICIES / f"{name}.py").read_text()
    tree = ast.parse(source)
    told = {
        id(each) for node in ast.walk(tree) if _decides_nothing(node) for each in ast.walk(node) if each is not node
    }
    functions = _functions(tree)
    for number, node in enumerate(ast.walk(tree)):
        for change in () if id(node) in told else _changes(node):
            # To read the source anew takes a tenth of what a deep copy of its tree takes.
            mutated = ast.parse(source)
            place: Any = next(islice(ast.walk(mutated), number, None))
            change(place)
            ast.fix_missing_locations(place)
            yield Mutant(
                name, place.lineno, " ".join(ast.unparse(place).split())[:120], mutated, functions.get(id(node))
            )


def _functions(tree: ast.Module) -> dict[int, range]:
    """For every node in the body of a function the lines of the outermost one, its decorators included."""
    outermost = [node for part in tree.body for node in (part.body if isinstance(part, ast.ClassDef) else [part])]
    found: dict[int, range] = {}
    for function in (node for node in outermost if isinstance(node, ast.FunctionDef)):
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        lines = range(first, (function.end_lineno or first) + 1)
        found |= {id(node): lines for part in function.body for node in ast.walk(part)}
    return found


def _decides_nothing(node: ast.AST) -> bool:
    """What a message says; and whether a number is there at all, which moving it does not change."""
    if isinstance(node, ast.Compare):
        return isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and ast.unparse(node.func) == "time_of_day")


def _changes(node: ast.AST) -> Iterator[Callable[[Any], None]]:
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            yield _turn(position, _TURNED[type(operator)])
    elif isinstance(node, ast.BoolOp):
        yield _swap(ast.Or if isinstance(node.op, ast.And) else ast.And)
    elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
        yield from (_add(step) for step in (1, -1))
    elif isinstance(node, ast.Attribute) and _holds_a_limit(node):
        yield from (_move(direction) for direction in (1, -1))


def _holds_a_limit(node: ast.Attribute) -> bool:
    holder = node.value
    name = holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
    if node.attr in _NUMBERS:
        return name not in _MARKERS and (name == "limit" or (name.isupper() and len(name) > 1))
    return node.attr in _FIELDS


def _turn(position: int, to: type[ast.cmpop]) -> Callable[[Any], None]:
    def change(place: Any) -> None:
        place.ops[position] = to()

    return change


def _swap(to: type[ast.boolop]) -> Callable[[Any], None]:
    def change(place: Any) -> None:
        place.op = to()

    return change


def _add(step: int) -> Callable[[Any], None]:
    def change(place: Any) -> None:
        place.value = ast.BinOp(place.value, ast.Add(), ast.Constant(step))

    return change


def _move(direction: int) -> Callable[[Any], None]:
    def change(place: Any) -> None:
        arguments: list[ast.expr] = [place.value, ast.Constant(direction)]
        place.value = ast.Call(ast.Name("moved_number", ast.Load()), arguments, [])

    return change
