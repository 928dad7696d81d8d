"""The stacks' files."""

from __future__ import annotations

import pytest
import yaml

from tests.program.settings import ROOT, stack_values


@pytest.mark.parametrize("name", ["local", "prod"])
def test_every_key_of_a_stack_file_is_explained_in_the_project_file(name: str) -> None:
    explained = {key.removeprefix("crypto:") for key in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]}
    assert set(stack_values(name)) <= explained
