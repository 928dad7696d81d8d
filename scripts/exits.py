"""How a command ends: the one table of exit codes, and the errors that lead to each.

A CronJob's ``podFailurePolicy`` reads these codes: wrong configuration ends the Job at once, a temporary failure is
retried, and a job that looks for something has found it with 1 alone. 70 and 75 are those of sysexits.h.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """Exit codes of every ``ops`` command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DEFECT = 70
    TEMPORARY = 75


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.DONE: "done",
    Exit.FAILED: "a check failed, or the data is not what it must be; look before running again",
    Exit.USAGE: "wrong usage or configuration; never retried",
    Exit.DEFECT: "a defect of ops itself: report the line, it names the place",
    Exit.TEMPORARY: "temporary: something did not answer, or another run holds the lock; retried",
}


def worst(codes: Iterable[Exit]) -> Exit:
    """How a command of several parts ends: a failed check outweighs what another run may mend, for it needs a look."""
    order = (Exit.FAILED, Exit.USAGE, Exit.DEFECT, Exit.TEMPORARY, Exit.DONE)
    return min(codes, key=order.index, default=Exit.DONE)


def of_several(problems: Sequence[OpsError]) -> Exit:
    """How a command ends that did to several objects what it could; a temporary problem is worth another run."""
    temporary = any(isinstance(problem, TemporaryError) for problem in problems)
    return Exit.TEMPORARY if temporary else problems[0].code if problems else Exit.DONE


class OpsError(Exception):
    """What a user is told, in one line. ``code`` is how the process ends."""

    code: Exit = Exit.FAILED


class CheckFailedError(OpsError):
    """Something is not as it must be; running the same again would not help."""

    code = Exit.FAILED


class UsageError(OpsError):
    """Wrong usage or configuration."""

    code = Exit.USAGE


class TemporaryError(OpsError):
    """May succeed when run again."""

    code = Exit.TEMPORARY


class Stop(BaseException):
    """The process was told to end, or its deadline passed.

    No ``Exception``: libraries that catch everything and try again must not swallow it.
    """

    code: Exit = Exit.TEMPORARY
