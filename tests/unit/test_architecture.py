"""Imports go one way, and the folders stay what docs/architecture.md says they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("runbook", "components", "policies", "scripts", "local")
_ALLOWED = {
    "runbook": set[str](),
    "components": {"runbook"},
    "policies": {"runbook"},
    "scripts": {"runbook"},
    "local": {"runbook", "components", "policies", "scripts"},
}
_ENGINES = {"pulumi", "pulumi_kubernetes", "pulumi_aws", "pulumi_policy"}
_BANNED_IN_RUNBOOK = _ENGINES | {"boto3", "kubernetes", "httpx", "psycopg", "os", "pathlib", "subprocess"}


def _imports(package: str) -> dict[str, set[str]]:
    """Top-level names that each file of a package imports."""
    found: dict[str, set[str]] = {}
    for path in sorted((_ROOT / package).rglob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.split(".")[0])
        found[str(path.relative_to(_ROOT))] = names
    assert found, f"{package} has no files"
    return found


@pytest.mark.parametrize("package", _PACKAGES)
def test_a_package_imports_only_what_lies_before_it(package: str) -> None:
    forbidden = set(_PACKAGES) - _ALLOWED[package] - {package}
    wrong = {file: names & forbidden for file, names in _imports(package).items() if names & forbidden}
    assert not wrong


def test_the_runbook_does_no_io_and_knows_no_engine() -> None:
    files = _imports("runbook")
    assert any("pydantic" in names for names in files.values())
    wrong = {file: names & _BANNED_IN_RUNBOOK for file, names in files.items() if names & _BANNED_IN_RUNBOOK}
    assert not wrong


def test_every_document_that_a_document_links_to_exists() -> None:
    pages = [_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted((_ROOT / "docs").rglob("*.md"))]
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert len(links) > 5
    assert not [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()]
