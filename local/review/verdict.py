"""`make verdict`: this checkout's policies over what a pull request's own run left behind, which is only data.

The workflow of the main branch runs it in a job that can write nothing. The pull request's program, policies, waivers
and scripts are not even there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local.pulumi_cli import PROJECT_ROOT, known_stacks
from local.review.artifact import ArtifactError, logs
from local.review.comment import comment
from local.review.github import GitHub, github
from local.review.judging import EVENTS, Reviewed, judge, write

FOLDER: Final = PROJECT_ROOT / "build" / "verdict"
COMMENT: Final = "comment.md"
ARTIFACT: Final = "preview"


def verdict(folder: Path = FOLDER, variables: Mapping[str, str] | None = None) -> int:
    """Judges every stack, writes the findings and the comment; 1 where something must be mended.

    Raises:
        LocalError: GitHub refused, or a variable is missing.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with github(variables) as repository:
        reviews = _reviews(repository)
    (folder / COMMENT).write_text(comment(reviews))
    for each in reviews:
        write(each, folder)
        # Not what was found: a workflow reads commands in what its steps print.
        print(f"{each.stack}: {'no verdict' if each.result is None else each.result.summary}")
    return 0 if all(each.well for each in reviews) else 1


def _reviews(repository: GitHub) -> list[Reviewed]:
    try:
        archive = repository.artifact(ARTIFACT)
        found = logs(archive) if archive is not None else {}
    except ArtifactError as error:
        return [Reviewed(stack, Counter(), None, str(error)) for stack in known_stacks()]
    # A stack that the pull request adds is judged as well; one that it removes has no log, and no verdict.
    stacks = sorted({*known_stacks(), *found})
    with tempfile.TemporaryDirectory(prefix="crypto-verdict-") as folder:
        for stack, log in found.items():
            (Path(folder) / f"{stack}{EVENTS}").write_bytes(log)
        return [judge(stack, Path(folder) / f"{stack}{EVENTS}") for stack in stacks]
