"""What lies where in the backup bucket, below the stack's prefix."""

from __future__ import annotations

from typing import Final

# Backups end with the retention; what the operations program writes down about the system (tickets, reviews, reports
# of drills) does not.
POSTGRES: Final = "postgres"
REDIS: Final = "redis"
RESOURCES: Final = "resources"
BACKUP_KINDS: Final = (POSTGRES, REDIS, RESOURCES)

# S3 knows how old an object is and not whether it is the last one that is known to restore (defect 2): its lifecycle
# ends only what has this tag, which a backup gets once a newer one of its kind counts: it is proven, and has not shrunk
# or a person accepted that.
SUPERSEDED_TAG: Final = "superseded"
SUPERSEDED_VALUE: Final = "true"
