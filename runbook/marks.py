"""The marks that every object of the system carries: who is asked about it, and which section it comes from."""

from __future__ import annotations

from typing import Final

# Labels and annotations of this project begin with it.
DOMAIN: Final = "crypto.analytics"
# The runbook's own (`-l app=api-gateway`): a workload's or job's name, on it, on its pods and on its runs.
APP_LABEL: Final = "app"
OWNER_LABEL: Final = f"{DOMAIN}/owner"
SECTION_ANNOTATION: Final = f"{DOMAIN}/runbook"
