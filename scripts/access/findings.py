"""What of the granted rights has to be looked at, and what of it the stack's waivers accept."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runbook import admission, escalation
from runbook.admission import Subjects
from runbook.escalation import Way
from runbook.ops_settings import Waiver
from runbook.rbac import Rule
from runbook.waivers import latest
from scripts.access.grants import Grant


@dataclass(frozen=True, slots=True, order=True)
class Flag:
    """Something to look at: whose it is, what it is, and where it comes from."""

    subject: str
    reason: str
    via: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason} ({self.via})"


@dataclass(frozen=True, slots=True)
class Judged:
    """What has to be looked at, sorted, once each; and by its line what a waiver says of what is accepted."""

    flags: list[Flag]
    accepted: dict[str, str]


def judge(grants: Sequence[Grant], bound: Subjects, waivers: Iterable[Waiver], day: datetime.date) -> Judged:
    """Everything that has to be looked at, with the waivers that count on ``day`` taken off it.

    ``bound`` are the subjects whose rights on workloads admission limits.

    A waiver of a policy about rights that does not count is itself something to look at.
    """
    asked = [waiver for waiver in waivers if waiver.rule in escalation.WAIVABLE]
    counting = {(waiver.rule, waiver.resource): waiver for waiver in asked if day <= waiver.expires <= latest(day)}
    flags = {_of_waiver(waiver, day) for waiver in asked if waiver not in counting.values()}
    accepted: dict[str, str] = {}
    for grant in grants:
        for policy, reason in _reasons(grant, bound):
            flag = Flag(grant.subject, reason, grant.via)
            # As the policies name it: a role that reads Secrets, else the binding, whose subjects the waiver is about.
            waiver = counting.get((policy, grant.role if policy == escalation.SECRETS else grant.binding))
            if waiver is None:
                flags.add(flag)
            else:
                accepted[str(flag)] = f"until {waiver.expires} by {waiver.owner} ({waiver.ticket}): {waiver.reason}"
    return Judged(sorted(flags), dict(sorted(accepted.items())))


def _of_waiver(waiver: Waiver, day: datetime.date) -> Flag:
    wrong = "ended" if waiver.expires < day else "would end later than a waiver may,"
    reason = f"answers for a waiver of {waiver.rule} of {waiver.resource} that {wrong} on {waiver.expires}"
    return Flag(waiver.owner, reason, waiver.ticket)


def _reasons(grant: Grant, bound: Subjects) -> Iterator[tuple[str, str]]:
    """Each reason to look at a grant, behind the name of the policy that can be waived for it, if any."""
    if grant.to_everybody:
        yield "", "is everybody of a kind, and is granted something"
    elif grant.subject.startswith("ServiceAccount ") and grant.subject.endswith("/default"):
        yield "", "is the account of every pod that names none, and is granted something"
    if grant.rules is None:
        yield "", "is bound to a role that does not exist; who makes it decides what is granted"
    else:
        yield from _of_rules(grant, grant.rules, bound)


def _of_rules(grant: Grant, rules: Sequence[Rule], bound: Subjects) -> Iterator[tuple[str, str]]:
    built_in = grant.role.removeprefix("ClusterRole ")
    policy = escalation.policy_of_built_in(built_in, everywhere=grant.cluster)
    # One reason says what all of Kubernetes' own role opens.
    told = escalation.BUILT_IN[built_in] if policy else frozenset[Way]()
    if policy:
        yield policy, f"is bound to {built_in}: can {', '.join(way.words for way in escalation.WAYS if way in told)}"
    for rule in rules if policy != escalation.WHOLE_CLUSTER else ():
        wild = escalation.wildcards(rule)
        if wild:
            yield "", f"may use any of the {' and '.join(wild)}: {rule}"
    found = escalation.openings(rules, everywhere=grant.cluster)
    for opening in map(admission.beyond, found) if grant.of(bound) else found:
        if opening and opening.way not in told:
            yield opening.way.policy, f"can {opening.way.words}: {opening}"
