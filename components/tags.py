"""The tags of AWS resources."""

from __future__ import annotations

from components.labels import PART_OF
from runbook.sections import Section
from runbook.settings import Settings


def tags(settings: Settings) -> dict[str, str]:
    """Tags of AWS resources: the same facts as the labels in Kubernetes."""
    return {
        "Owner": settings.owner,
        "Environment": settings.environment_name,
        "Project": PART_OF,
        "Runbook": Section.DATABASE_BACKUP.link,
    }
