"""The times of Prometheus' own machinery."""

from __future__ import annotations

from typing import Final

# How often a target is asked and a rule is evaluated. What an alert needs to be noticed counts both.
SCRAPE_SECONDS: Final = 30
EVALUATION_SECONDS: Final = 30
