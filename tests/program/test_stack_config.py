"""Reading a stack's configuration as the engine hands it over."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

import pulumi
import pytest
from pulumi.runtime import config as runtime_config
from pydantic import Field

from components import stack_config
from runbook.formats import DnsLabel
from runbook.settings import Settings, SettingsError
from runbook.settings.base import Model
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


def test_every_value_of_the_wrong_type_is_named_with_what_is_allowed() -> None:
    wrong = {"protect": "perhaps", "maintenance": "1e3", "redis": "no", "frobnicate": "x"}
    with pytest.raises(SettingsError) as refused:
        stack_config.read(engine.config(**{**stack_values("prod"), **wrong}))
    assert sorted(str(refused.value).splitlines()) == [
        "crypto:frobnicate is no setting of this program; remove it or mend its spelling",
        "crypto:maintenance is '1e3': must be true or false",
        "crypto:protect is 'perhaps': must be true or false",
        "crypto:redis is 'no': must be a mapping or a list, as JSON",
    ]


class _Level(StrEnum):
    INFO = "info"
    DEBUG = "debug"


class _Limits(Model):
    most: int = 1


class _More(Settings):
    """The settings with some that the program does not have."""

    of_tests: _Level = _Level.INFO
    team_name: DnsLabel | None = None
    mode: Literal["slow", "fast"] = "slow"
    retry_count: Annotated[int, Field(ge=0)] = 3
    sample_ratio: float | None = None
    dry: bool = False
    proxies: tuple[str, ...] = ()
    limits: _Limits = _Limits()
    either: int | str | None = None


@pytest.mark.parametrize(
    ("key", "written", "name", "read"),
    [
        ("ofTests", "debug", "of_tests", _Level.DEBUG),
        ("teamName", "1234", "team_name", "1234"),
        ("teamName", "", "team_name", None),
        ("mode", "fast", "mode", "fast"),
        ("retryCount", 0, "retry_count", 0),
        ("sampleRatio", 0.25, "sample_ratio", 0.25),
        ("dry", True, "dry", True),
        ("dry", False, "dry", False),
        ("proxies", ["a", "b"], "proxies", ("a", "b")),
        ("limits", {"most": 5}, "limits", _Limits(most=5)),
        ("either", 5, "either", 5),
    ],
)
def test_a_field_of_the_model_is_a_setting_read_by_its_type(key: str, written: Any, name: str, read: object) -> None:
    settings = stack_config.read(engine.config(**{**stack_values("prod"), key: written}), _More)
    assert getattr(settings, name) == read
    assert type(getattr(settings, name)) is type(read)


def test_every_field_that_is_left_out_has_its_default() -> None:
    settings = stack_config.read(engine.config(**stack_values("prod")), _More)
    assert settings == _More.model_validate(stack_values("prod"))


@pytest.mark.parametrize("values", [{"retryCount": "many"}, {"dry": "perhaps"}, {"sampleRatio": "x"}, {"limits": "x"}])
def test_a_value_that_is_not_of_its_fields_type_is_named(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"crypto:{next(iter(values))} is '.*': must be "):
        stack_config.read(engine.config(**{**stack_values("prod"), **values}), _More)


def test_a_field_of_another_model_is_no_setting() -> None:
    with pytest.raises(SettingsError, match="crypto:ofTests is no setting of this program"):
        stack_config.read(engine.config(**{**stack_values("prod"), "ofTests": "debug"}))
