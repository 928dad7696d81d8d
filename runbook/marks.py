"""The marks that every object of the system carries: who is asked about it, and which section it comes from."""

from __future__ import annotations

from typing import Final

OWNER_LABEL: Final = "crypto.analytics/owner"
SECTION_ANNOTATION: Final = "crypto.analytics/runbook"
