"""The catalogue: every recording rule and every alert of the system, in the groups in which they are evaluated."""

from __future__ import annotations

from typing import Final

from runbook.alerting import datastores, infrastructure, jobs, objectives, recordings, services, watching
from runbook.alerting.model import Alert, Group
from runbook.sections import Section

# Recordings stand first: within a group rules see what the ones before them have just computed, across groups they see
# what the last evaluation left.
GROUPS: Final[tuple[Group, ...]] = (
    Group("crypto-recordings", (*recordings.ALL, *objectives.RATES)),
    Group("crypto-objectives", (*objectives.RECORDINGS, *objectives.ALL)),
    Group("crypto-services", services.ALL),
    Group("crypto-datastores", datastores.ALL),
    Group("crypto-infrastructure", infrastructure.ALL),
    Group("crypto-jobs", jobs.ALL),
    Group("crypto-watching", watching.ALL),
)
ALL: Final[tuple[Alert, ...]] = tuple(rule for group in GROUPS for rule in group.rules if isinstance(rule, Alert))
BY_NAME: Final = {alert.name: alert for alert in ALL}


def of_section(section: Section) -> tuple[Alert, ...]:
    """The alerts that a section of the runbook answers."""
    return tuple(alert for alert in ALL if alert.section is section)
