"""The SDK is set up for the program, and for it alone."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import gc

import pytest

from components import sdk, sdk_log
from local import stack_files


def _state() -> list[object]:
    return [getattr(module, name) for module, name in sdk._REPLACED]


def test_what_is_set_up_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sdk_log.VARIABLE, raising=False)
    before = _state()
    with sdk.put_back():
        sdk.prepare()
        assert all(now is not then for now, then in zip(_state(), before, strict=True))
    assert _state() == before


def test_a_process_that_runs_the_program_goes_on_as_before() -> None:
    before, frozen = _state(), gc.get_freeze_count()
    assert stack_files.record("local")
    assert _state() == before
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen
