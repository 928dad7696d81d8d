"""No limit can be moved by one step and no comparison turned without a case that notices."""

from __future__ import annotations

import ast
from importlib import import_module

import pytest

from policies.catalogue import ALL
from tests.policies import mutants, mutation

# Every module whose rules are in the catalogue.
MODULES = sorted(
    path.stem
    for path in mutants.POLICIES.glob("*.py")
    if any(
        isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "RULES"
        for node in ast.parse(path.read_text()).body
    )
)


def test_every_module_of_rules_is_mutated() -> None:
    assert sum(len(import_module(f"policies.{name}").RULES) for name in MODULES) == len(ALL)


@pytest.mark.parametrize("module", MODULES)
def test_without_a_mutation_nothing_is_noticed(module: str) -> None:
    assert list(mutation.survivors(iter([mutants.unchanged(module)])))


@pytest.mark.parametrize("module", MODULES)
def test_every_mutant_is_noticed(module: str) -> None:
    made = list(mutants.of_module(module))
    assert made
    survivors = [str(mutant) for mutant in mutation.survivors(iter(made))]
    assert survivors == [], f"{len(survivors)} of {len(made)} mutants live:\n" + "\n".join(survivors)
