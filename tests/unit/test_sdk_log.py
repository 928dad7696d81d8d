"""The SDK's debug messages are dropped where nobody asked for them, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi import log

from components import sdk_log


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that reach the engine; the SDK's own functions are put back afterwards."""
    texts: list[str] = []

    def record(_engine: Any, _severity: Any, message: str, *_rest: Any) -> None:
        texts.append(message)

    monkeypatch.setattr(log, "get_engine", object)
    monkeypatch.setattr(log, "_log", record)
    monkeypatch.setattr(log, "debug", log.debug)
    monkeypatch.delenv(sdk_log.VARIABLE, raising=False)
    return texts


def test_debug_messages_do_not_reach_the_engine_and_others_do(sent: list[str]) -> None:
    sdk_log.quieten()
    log.debug("a step")
    log.info("news")
    log.warn("a warning")
    log.error("an error")
    assert sent == ["news", "a warning", "an error"]


def test_debug_messages_are_sent_where_they_are_asked_for(sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sdk_log.quieten()
    monkeypatch.setenv(sdk_log.VARIABLE, "1")
    sdk_log.quieten()
    log.debug("a step")
    assert sent == ["a step"]
