"""What a PromQL query is made of, by Prometheus's own grammar."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql


def nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    """The expression and everything in it."""
    yield expression
    for child in _children(expression):
        yield from nodes(child)


def _children(expression: promql.Expr) -> list[promql.Expr]:
    match expression:
        case promql.BinaryExpr():
            return [expression.lhs, expression.rhs]
        case promql.AggregateExpr():
            return [expression.expr, *([expression.param] if expression.param is not None else [])]
        case promql.Call():
            return list(expression.args)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [expression.expr]
        case promql.MatrixSelector():
            return [expression.vector_selector]
        case _:
            return []


def metrics(query: str) -> set[str]:
    """Names of the metrics that a query reads."""
    found = nodes(promql.parse(query))
    return {node.name for node in found if isinstance(node, promql.VectorSelector) and node.name is not None}


def selectors(query: str) -> list[promql.VectorSelector]:
    """What a query selects, in the order in which it stands there."""
    return [node for node in nodes(promql.parse(query)) if isinstance(node, promql.VectorSelector)]


def numbers(query: str) -> list[float]:
    """Every number that a query has, durations left out."""
    return [node.val for node in nodes(promql.parse(query)) if isinstance(node, promql.NumberLiteral)]


def limit(query: str) -> tuple[str, float]:
    """The operator and the number of the comparison that a query ends with; set operators behind it left out."""
    outer = promql.parse(query)
    while isinstance(outer, promql.BinaryExpr) and str(outer.op) in {"unless", "and"}:
        outer = outer.lhs
    assert isinstance(outer, promql.BinaryExpr), f"{query} compares nothing"
    assert isinstance(outer.rhs, promql.NumberLiteral), f"{query} is compared with no number"
    return str(outer.op), outer.rhs.val
