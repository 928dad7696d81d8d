"""Reading a stack's configuration as the engine hands it over."""

from __future__ import annotations

from collections.abc import Iterator

import pulumi
import pytest
from pulumi.runtime import config as runtime_config

from components import stack_config
from runbook.settings import SettingsError
from tests.program import engine
from tests.program.settings import stack_values


@pytest.fixture(autouse=True)
def _no_configuration_stays() -> Iterator[None]:
    yield
    runtime_config.CONFIG.set({})


def test_the_production_file_is_read_as_it_stands() -> None:
    settings = stack_config.read(engine.config(**stack_values("prod")))
    assert settings.domain == "cryptoanalytics.com"
    assert settings.backup.bucket == "cryptoanalytics-backups"


def test_every_misspelt_key_is_named_with_the_one_that_was_meant() -> None:
    values = {**stack_values("prod"), "domian": "x.example.com", "frobnicate": True}
    with pytest.raises(SettingsError) as caught:
        stack_config.read(engine.config(**values))
    assert str(caught.value).splitlines() == [
        "crypto:domian is no setting of this program; remove it or mend its spelling (is it domain?)",
        "crypto:frobnicate is no setting of this program; remove it or mend its spelling",
    ]


def test_a_setting_of_another_program_is_nobodys_business() -> None:
    pulumi.runtime.set_all_config({})
    config = engine.config(**stack_values("prod"))
    runtime_config.CONFIG.get()["aws:region"] = "eu-west-1"
    assert stack_config.read(config).aws.region == "eu-central-1"


def test_a_value_of_the_wrong_type_is_named() -> None:
    with pytest.raises(SettingsError, match="crypto:protect has the wrong type"):
        stack_config.read(engine.config(**{**stack_values("prod"), "protect": "perhaps"}))
