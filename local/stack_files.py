"""What the stacks' files say, read without an engine, and the whole program run on it."""

from __future__ import annotations

import json
import os
import runpy
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pulumi
import yaml

from components.stack_config import ENVIRONMENT_VARIABLE, SERVICE_IMAGE
from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT, check_stack
from local.recording import Registered, run
from runbook import duplicates, services
from runbook.environment import EnvironmentFile
from runbook.settings import IMAGE_NAMES

PROJECT = "crypto"
PREFIX = f"{PROJECT}:"

# Stands in for the file that `make up` writes: with it, an embedded stack says the same on every machine.
EXAMPLE_ENVIRONMENT = EnvironmentFile(
    images={
        name: f"localhost/crypto/{name}:0123456789ab"
        for name in (*(name for name in IMAGE_NAMES if name not in services.BY_NAME), SERVICE_IMAGE)
    },
    kube_context="crypto",
    aws_endpoint="http://10.231.0.2:4566",
)


def stack_values(stack: str) -> dict[str, Any]:
    """What a stack's file says under ``crypto:``.

    Raises:
        LocalError: an unknown stack, or its file sets nothing, or has a key twice.
    """
    check_stack(stack)
    values = _prefixed(_document(PROJECT_ROOT / f"Pulumi.{stack}.yaml"))
    if not values:
        raise LocalError(f"Pulumi.{stack}.yaml sets nothing under `config:` that begins with {PREFIX}")
    return values


def declared() -> dict[str, dict[str, Any]]:
    """What Pulumi.yaml says of each key: its type, description and default."""
    return _prefixed(_document(PROJECT_ROOT / "Pulumi.yaml"))


def record(stack: str) -> list[Registered]:
    """Every resource of the program itself, ``__main__.py``, for a stack. An embedded one gets EXAMPLE_ENVIRONMENT.

    Raises:
        LocalError: an unknown stack, or settings that the program refuses.
    """
    defaults = {key: about["default"] for key, about in declared().items() if "default" in about}
    values = {**defaults, **stack_values(stack)}

    def program() -> None:
        pulumi.runtime.set_all_config({PREFIX + key: _as_engine(value) for key, value in values.items()})
        runpy.run_path(str(PROJECT_ROOT / "__main__.py"))

    try:
        with _example_environment():
            return run(program, project=PROJECT, stack_name=stack)
    except pulumi.RunError as error:
        raise LocalError(str(error)) from None


def _document(path: Path) -> dict[str, Any]:
    text = path.read_text()
    if twice := duplicates.complaint(text):
        raise LocalError(f"{path.name}: {twice}")
    return cast("dict[str, Any]", yaml.load(text, Loader=yaml.CSafeLoader))


def _prefixed(document: dict[str, Any]) -> dict[str, Any]:
    given = cast("dict[str, Any]", document.get("config") or {})
    return {key.removeprefix(PREFIX): value for key, value in given.items() if key.startswith(PREFIX)}


def _as_engine(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _example_environment() -> Generator[None]:
    before = os.environ.get(ENVIRONMENT_VARIABLE)
    with tempfile.NamedTemporaryFile("w", prefix="crypto-environment-", suffix=".json") as file:
        file.write(EXAMPLE_ENVIRONMENT.model_dump_json(by_alias=True))
        file.flush()
        os.environ[ENVIRONMENT_VARIABLE] = file.name
        try:
            yield
        finally:
            os.environ.pop(ENVIRONMENT_VARIABLE)
            if before is not None:
                os.environ[ENVIRONMENT_VARIABLE] = before
