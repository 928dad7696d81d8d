"""Every procedure of the runbook names what implements and what proves it, and all of that is there."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from local.pulumi_cli import PROJECT_ROOT
from runbook import procedures
from runbook.procedures import Procedure
from runbook.sections import Section


@cache
def _names(file: str) -> frozenset[str]:
    """What a file defines at its top level."""
    tree = ast.parse((PROJECT_ROOT / file).read_text())
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
            case _:
                continue
    return frozenset(found)


def test_every_section_has_become_something() -> None:
    assert {procedure.section for procedure in procedures.ALL} == set(Section)


@pytest.mark.parametrize("procedure", procedures.ALL, ids=lambda procedure: procedure.section.anchor)
def test_what_implements_a_procedure_exists(procedure: Procedure) -> None:
    assert procedure.implemented
    for place in procedure.implemented:
        file, _, name = place.partition(":")
        assert name in _names(file), place


@pytest.mark.parametrize("procedure", procedures.ALL, ids=lambda procedure: procedure.section.anchor)
def test_what_proves_a_procedure_exists_and_is_a_test(procedure: Procedure) -> None:
    assert procedure.proven
    for proof in procedure.proven:
        file, _, name = proof.partition("::")
        assert name.startswith("test_")
        assert name in _names(file), proof
