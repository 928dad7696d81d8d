"""Libraries are used as they come: nothing in them is replaced, and nothing private of theirs is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_OWN = {"runbook", "components", "policies", "scripts", "local", "benchmarks", "tests", "__main__", "__future__"}
# What is used all the same, each with the reason. The list may only shrink.
_EXCUSED = {
    "local/aws/bucket_policies.py replaces FakeBucket.get_permission": "moto denies whatever has a condition",
    "local/aws/pickling.py imports moto.s3.utils._VersionedKeyStore": "moto keeps versions of objects in it",
    "local/aws/wsgi.py imports _typeshed.wsgi.StartResponse": "how Python's own stubs name types of WSGI",
    "local/aws/wsgi.py imports _typeshed.wsgi.WSGIApplication": "how Python's own stubs name types of WSGI",
    "local/aws/wsgi.py imports _typeshed.wsgi.WSGIEnvironment": "how Python's own stubs name types of WSGI",
    "scripts/guard.py uses os._exit": "public: ends a process that hangs after its deadline",
}


def _sources() -> list[Path]:
    folders = [_ROOT / name for name in sorted(_OWN - {"tests", "__main__", "__future__"})]
    found = [path for folder in folders for path in folder.rglob("*.py")]
    return [_ROOT / "__main__.py", *sorted(found)]


def _is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


class _Foreign(ast.NodeVisitor):
    """The names of a module that stand for foreign modules and what comes from them, and what is done to those."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.found: list[tuple[int, str]] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] not in _OWN:
                self.names.add(alias.asname or alias.name.split(".")[0])
                self._name(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level == 0 and module.split(".")[0] not in _OWN:
            for alias in node.names:
                self.names.add(alias.asname or alias.name)
                self._name(node.lineno, f"{module}.{alias.name}")
        elif module == "scripts":
            # Foreign modules are its attributes.
            self.names |= {alias.name for alias in node.names} & {"lazy"}

    def visit_Attribute(self, node: ast.Attribute) -> None:
        root = _root(node)
        if root in self.names:
            if _is_private(node.attr):
                self.found.append((node.lineno, f"uses {ast.unparse(node)}"))
            if isinstance(node.ctx, ast.Store | ast.Del):
                self.found.append((node.lineno, f"replaces {ast.unparse(node)}"))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if (
            isinstance(node.func, ast.Name)
            and node.func.id in ("setattr", "delattr")
            and _root(node.args[0]) in self.names
        ):
            self.found.append((node.lineno, f"replaces {ast.unparse(node)}"))
        self.generic_visit(node)

    def _name(self, line: int, name: str) -> None:
        if any(_is_private(part) for part in name.split(".")):
            self.found.append((line, f"imports {name}"))


def _root(node: ast.expr) -> str | None:
    """The name at the beginning of a chain of attributes: ``a`` of ``a.b.c``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _misuses(source: str) -> Iterator[str]:
    visitor = _Foreign()
    visitor.visit(ast.parse(source))
    for _, what in sorted(visitor.found):
        yield what


def test_no_library_is_changed_and_nothing_private_of_one_is_used() -> None:
    sources = _sources()
    assert len(sources) > 300
    found = {f"{path.relative_to(_ROOT)} {what}" for path in sources for what in _misuses(path.read_text())}
    assert found - set(_EXCUSED) == set()
    assert set(_EXCUSED) - found == set(), "what is no longer done needs no excuse"


@pytest.mark.parametrize("source", [
    "from pulumi.runtime import resource\nresource._get = print",
    "import pulumi\npulumi.runtime.settings.x = 1",
    "import pulumi\nsetattr(pulumi.Output, 'apply', print)",
    "from redis._parsers import base",
    "from redis import _compat",
    "import pulumi._utils",
    "def f():\n    from redis import Redis\n    return Redis._x",
    "from x import Y\ndel Y.z",
    "from scripts import lazy\nlazy.redis.client._x()",
])  # fmt: skip
def test_the_walk_finds_each_kind(source: str) -> None:
    assert list(_misuses(source))


@pytest.mark.parametrize("source", [
    "import redis\nclient = redis.Redis()\nclient.x = 1",
    "from runbook import _x\n_x.y = 1",
    "class A:\n    def __init__(self):\n        self._a = 1",
    "import sys\nprint(sys.__stdout__)",
])  # fmt: skip
def test_the_walk_finds_nothing_else(source: str) -> None:
    assert not list(_misuses(source))
