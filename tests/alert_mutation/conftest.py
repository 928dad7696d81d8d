"""The rule files of the alerts' own tests."""

from __future__ import annotations

from tests.alerts.conftest import rules

__all__ = ["rules"]
