"""``ops access``."""

from __future__ import annotations

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.access import review as access_review
from scripts.frame import DryRun, Silent
from scripts.output import Outcome

app = frame.app("Look at who can do what.")


@frame.command(app, "access review", "--dry-run")
def review(settings: OpsSettings, silent: Silent = False, dry_run: DryRun = False) -> Outcome:
    """Review the namespace's rights; what is new since the last review comes first. Exit 1 on a new finding.

    To the first review nothing is new: it is what later ones are compared with.

    Each review is kept in the backup bucket; with --dry-run it is not, and nobody is told.
    """
    return access_review.run(settings, dry_run=dry_run, silent=silent)
