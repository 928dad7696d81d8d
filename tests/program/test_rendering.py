"""Rendered manifests: the program's own objects, whole, the same at each run, and without a secret."""

from __future__ import annotations

import dataclasses
import os
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi_kubernetes import core

from components.stack_config import ENVIRONMENT_VARIABLE
from local import stack_files
from local.errors import LocalError
from local.manifests import render
from tests.program import engine
from tests.program.engine import Registered

_STACKS = ("local", "prod")


def _config_map(name: str | None = "sample", **more: Any) -> Registered:
    metadata = {"namespace": "crypto", **({"name": name} if name else {})}
    return Registered(
        token="kubernetes:core/v1:ConfigMap",
        name="a-resource",
        inputs={"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more},
        parent="",
        protect=False,
        retain_on_delete=False,
        custom=True,
        provider="",
        depends_on=frozenset(),
    )


@cache
def _rendered(name: str) -> list[render.Manifest]:
    """A stack's objects, rendered once."""
    return render.manifests(name)


@pytest.mark.parametrize("name", _STACKS)
def test_every_kubernetes_object_that_the_program_declares_is_rendered(
    name: str, request: pytest.FixtureRequest
) -> None:
    stack: list[Registered] = request.getfixturevalue(f"{name}_stack")
    declared = [item for item in stack if item.token.startswith("kubernetes:")]
    made = _rendered(name)
    assert len(made) == len(declared) > 50
    # The fixture declares the system by itself; the renderer runs __main__.py with the stack's file.
    assert made == render.from_resources(stack)


@pytest.mark.parametrize("name", _STACKS)
def test_two_runs_write_the_same_files(name: str, tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in render.write_all(_rendered(name), tmp_path / "first")}
    second = {path.name: path.read_bytes() for path in render.write(name, tmp_path / "second")}
    assert first == second
    assert list(first) == sorted(first)


@pytest.mark.parametrize("name", _STACKS)
def test_a_file_holds_one_object_with_its_name_and_namespace_resolved(name: str, tmp_path: Path) -> None:
    for path in render.write_all(_rendered(name), tmp_path / name):
        (content,) = yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)
        metadata = content["metadata"]
        parts = [content["kind"].lower(), metadata.get("namespace"), metadata["name"], "yaml"]
        assert path.name == ".".join(part for part in parts if part)
        assert metadata.get("namespace") in (None, "crypto", "cert-manager", "monitoring")


def test_what_is_rendered_is_what_was_declared_to_the_last_value(prod_stack: list[Registered]) -> None:
    wanted = next(item for item in prod_stack if item.name == "sentiment-deployment").inputs
    (made,) = [item for item in _rendered("prod") if (item.kind, item.name) == ("Deployment", "sentiment")]
    assert yaml.safe_load(made.text()) == wanted


def test_the_embedded_stack_gets_the_same_example_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "/nowhere/environment.json")
    gateway = next(item for item in render.manifests("local") if item.file_name == "deployment.crypto.api-gateway.yaml")
    assert stack_files.EXAMPLE_ENVIRONMENT.images["sample-service"] in gateway.text()
    assert os.environ[ENVIRONMENT_VARIABLE] == "/nowhere/environment.json"


def test_a_file_of_an_object_that_is_gone_goes_too(tmp_path: Path) -> None:
    one, other = _config_map("one"), _config_map("other")
    render.write_all(render.from_resources([one, other]), tmp_path / "stack")
    (kept,) = render.write_all(render.from_resources([other]), tmp_path / "stack")
    assert list((tmp_path / "stack").iterdir()) == [kept]
    assert list(tmp_path.iterdir()) == [tmp_path / "stack"]


def test_objects_of_aws_and_components_are_left_out(prod_stack: list[Registered]) -> None:
    others = [item for item in prod_stack if not item.token.startswith("kubernetes:")]
    assert others
    with pytest.raises(LocalError, match="declares no Kubernetes object"):
        render.from_resources(others)


@pytest.mark.parametrize("text", ["y", "N", "1e3", "0e1", "-1", "+5", ".5", "0o17", "1_000", "2026-01-01", "12:30:45"])
def test_a_text_that_kubernetes_would_take_for_something_else_is_quoted(text: str) -> None:
    (made,) = render.from_resources([_config_map(data={"key": text})])
    assert f"key: '{text}'\n" in made.text()


@pytest.mark.parametrize("text", ["a\nb\n", "two\n\n  indented", "# no comment", "a: b", "ümlaut", "x" * 500, " edge "])
def test_a_text_comes_back_as_it_was(text: str) -> None:
    (made,) = render.from_resources([_config_map(data={"key": text})])
    assert yaml.safe_load(made.text())["data"]["key"] == text


def test_a_configuration_file_is_rendered_as_people_write_it() -> None:
    (made,) = render.from_resources([_config_map(data={"a.conf": "one = 1\ntwo = 2\n"})])
    assert "  a.conf: |\n    one = 1\n    two = 2\n" in made.text()


def test_whole_numbers_have_no_fraction() -> None:
    (made,) = render.from_resources([_config_map(spec={"replicas": 3.0, "ratio": 0.5, "flag": True})])
    assert "replicas: 3\n" in made.text()
    assert "ratio: 0.5\n" in made.text()
    assert "flag: true\n" in made.text()


def test_an_object_without_a_name_is_refused() -> None:
    with pytest.raises(LocalError, match=r"a-resource has no metadata\.name"):
        render.from_resources([_config_map(None)])


def test_an_object_that_is_declared_twice_is_refused() -> None:
    with pytest.raises(LocalError, match="two resources declare ConfigMap sample; the second is b"):
        render.from_resources([_config_map(), dataclasses.replace(_config_map(), name="b")])


def test_a_secret_is_never_rendered() -> None:
    secret = _config_map(kind="Secret", stringData={"password": "hunter2"})
    with pytest.raises(LocalError) as caught:
        render.from_resources([secret])
    assert "hunter2" not in str(caught.value)


def test_a_value_that_the_program_marks_as_secret_is_never_rendered() -> None:
    def program() -> None:
        data = {"list": pulumi.Output.secret("hunter2")}
        core.v1.ConfigMap("marked", metadata={"name": "marked"}, data=data)

    resources = engine.run(program)
    with pytest.raises(LocalError, match="marked holds a secret") as caught:
        render.from_resources(resources)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_stack_is_refused() -> None:
    with pytest.raises(LocalError, match="unknown stack 'staging'"):
        render.manifests("staging")


def test_settings_that_the_program_refuses_are_told_as_the_program_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {key: value for key, value in stack_files.stack_values("prod").items() if key != "domain"}

    def without_domain(stack: str) -> dict[str, Any]:
        assert stack == "prod"
        return values

    monkeypatch.setattr(stack_files, "stack_values", without_domain)
    with pytest.raises(LocalError, match="stack prod: crypto:domain is missing"):
        render.manifests("prod")


def test_defaults_of_the_project_file_are_the_programs_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    project = stack_files.declared()
    changed = {**project, "namespace": {**project["namespace"], "default": "other"}}
    monkeypatch.setattr(stack_files, "declared", lambda: changed)
    assert "namespace.other.yaml" in [item.file_name for item in render.manifests("prod")]
