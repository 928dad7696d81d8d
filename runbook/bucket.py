"""What lies where in the backup bucket, below the stack's prefix."""

from __future__ import annotations

from typing import Final

# Backups end with the retention; what the operations program writes down about the system (tickets, reviews, reports
# of drills) does not.
POSTGRES: Final = "postgres"
REDIS: Final = "redis"
RESOURCES: Final = "resources"
BACKUP_KINDS: Final = (POSTGRES, REDIS, RESOURCES)
# Who signs: the backup job of each kind its manifests, and the verification its proofs.
VERIFIER: Final = "verify"
SIGNERS: Final = (*BACKUP_KINDS, VERIFIER)

# Of a backup: its data, which is called otherwise for each kind; what says that it exists; that it was restored; and
# that a person lets it count although it has shrunk. Beside the backups of a kind: what the list says of each.
DATA: Final = {POSTGRES: "dump.zst", REDIS: "dump.rdb.zst", RESOURCES: "objects.jsonl.zst"}
MANIFEST: Final = "manifest.json"
PROOF: Final = "proof.json"
ACCEPTED: Final = "accepted.json"
INDEX: Final = "index.json"

# What the operations program writes down about the system.
INCIDENTS: Final = "incidents/"
DRILLS: Final = "drills/"
HEALTH: Final = "health/"
LOGS: Final = "logs/"
ACCESS: Final = "access/"

# S3 knows how old an object is and not whether it is the last one that is known to restore (defect 2): its lifecycle
# ends only what has this tag, which a backup gets once a newer one of its kind counts: it is proven, and has not shrunk
# or a person accepted that.
SUPERSEDED_TAG: Final = "superseded"
SUPERSEDED_VALUE: Final = "true"
