"""What lies where in the backup bucket, below the stack's prefix."""

from __future__ import annotations

from typing import Final

# Backups end with the retention; what the operations program writes down about the system (tickets, reviews, reports
# of drills) does not.
POSTGRES: Final = "postgres"
REDIS: Final = "redis"
RESOURCES: Final = "resources"
BACKUP_KINDS: Final = (POSTGRES, REDIS, RESOURCES)
