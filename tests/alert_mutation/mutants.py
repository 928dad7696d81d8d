"""Small changes of an alert's rule, each of which some test must notice.

A comparison is turned round; a number is moved; of ``and``, ``or`` and ``unless`` only the left side stays, and of
``or`` the right side, too; the alert does not wait, or waits longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import promql_parser as promql

from runbook.units import prometheus_duration
from tests.unit.promql import nodes

_TURNED: Final = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
_SETS: Final = frozenset({"and", "or", "unless"})
# Beyond the steps between the bad and the quiet series of every scenario.
_MORE: Final = 1.3
_LESS: Final = 0.7


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule and what was changed in it."""

    rule: dict[str, Any]
    change: str


def of_rule(rule: dict[str, Any], for_seconds: int, step: int) -> Iterator[Mutant]:
    """Every mutant of a rule; ``step`` is how often it is evaluated (seconds)."""
    tree = promql.parse(rule["expr"])
    whole = str(tree)
    seen = {whole}
    for node in nodes(tree):
        for changed, change in _of_node(node):
            expression = whole.replace(str(node), changed)
            if expression not in seen:
                seen.add(expression)
                yield Mutant({**rule, "expr": expression}, change)
    if for_seconds:
        yield Mutant({**rule, "for": "0s"}, "for: 0s")
    longer = prometheus_duration(for_seconds + 5 * step)
    yield Mutant({**rule, "for": longer}, f"for: {longer}")


def _of_node(node: promql.Expr) -> Iterator[tuple[str, str]]:
    if not isinstance(node, promql.BinaryExpr):
        return
    text, operator, left, right = str(node), str(node.op), str(node.lhs), str(node.rhs)
    if operator in _SETS:
        yield left, f"only the left side of {operator} {right}"
        if operator == "or":
            yield right, f"only the right side of {left} or"
    if operator in _TURNED:
        head = f"{left} {operator}"
        assert text.startswith(head), text
        yield f"{left} {_TURNED[operator]}{text[len(head) :]}", f"{operator} turned in {text}"
        if isinstance(node.rhs, promql.NumberLiteral):
            for moved in _moved(operator, node.rhs.val):
                changed = f"{text[: len(text) - len(right)]}{moved:.15g}"
                yield changed, f"{right} moved to {moved:.15g} in {text}"


def _moved(operator: str, value: float) -> tuple[float, ...]:
    """0 and 1 stand for no and yes; of what is above nothing, all is above less than nothing."""
    if operator in ("==", "!="):
        return (1 - value,)
    if value == 0:
        return (-1,) if operator == ">" else ()
    return value * _MORE, value * _LESS
