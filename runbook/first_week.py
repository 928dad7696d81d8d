"""How a CronJob tells ``ops`` that its schedule means the first week of a month only (section 8.1)."""

from __future__ import annotations

from typing import Final

# Set to 1 on such a job, with the time zone that "today" is counted in.
VARIABLE: Final = "OPS_FIRST_WEEK_ONLY"
ZONE_VARIABLE: Final = "OPS_TIME_ZONE"
