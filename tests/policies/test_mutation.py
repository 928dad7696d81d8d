"""No limit can be moved by one step and no comparison turned without a case that notices."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from importlib import import_module

import pytest

from policies.catalogue import ALL
from tests.policies import (
    mutants,
    mutation,
    shared_mutants,
    test_disruption,
    test_plain,
    test_reach,
    test_selection,
    test_shared,
)

# Every module whose rules are in the catalogue.
MODULES = sorted(
    path.stem
    for path in mutants.POLICIES.glob("*.py")
    if any(
        isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "RULES"
        for node in ast.parse(path.read_text()).body
    )
)
# What the rules of many modules are made of. The adapter to the SDK is what test_adapter.py is about.
SHARED = sorted(
    path.stem
    for path in mutants.POLICIES.glob("*.py")
    if path.stem not in (*MODULES, "adapter", "__main__") and any(shared_mutants.of_shared(path.stem))
)


# Where these are tested by themselves.
_OF_SHARED = (test_plain, test_shared, test_selection, test_reach, test_disruption)


def _facts() -> list[Callable[[], None]]:
    """The tests of what the rules share that need nothing; those of Hypothesis would take too long."""
    named = [test for module in _OF_SHARED for name, test in vars(module).items() if name[:5] == "test_"]
    return [test for test in named if not inspect.signature(test).parameters and not hasattr(test, "hypothesis")]


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


def test_without_a_mutation_nothing_is_noticed_of_what_the_rules_share() -> None:
    unchanged = [mutants.unchanged(module) for module in SHARED]
    assert list(mutation.shared_survivors(iter(unchanged), _facts())) == unchanged


@pytest.mark.parametrize("module", SHARED)
def test_every_mutant_of_what_the_rules_share_is_noticed(module: str) -> None:
    made = list(shared_mutants.of_shared(module))
    survivors = [str(mutant) for mutant in mutation.shared_survivors(iter(made), _facts())]
    assert survivors == [], f"{len(survivors)} of {len(made)} mutants live:\n" + "\n".join(survivors)
