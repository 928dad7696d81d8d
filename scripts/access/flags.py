"""What of the granted rights somebody has to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from scripts.access.grants import EVERYBODY, Grant, Rule

_READS: Final = frozenset({"get", "list", "watch", "*"})
_RAISES: Final = frozenset({"escalate", "bind", "impersonate"})
# Running a command in a pod, or getting an account's token, is having all that it has.
_TAKES_OVER: Final = frozenset({"pods/exec", "pods/attach", "serviceaccounts/token"})


@dataclass(frozen=True, slots=True, order=True)
class Flag:
    """Something to look at: whose it is, what it is, and where it comes from."""

    subject: str
    reason: str
    via: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason} ({self.via})"


def flags(grants: Iterable[Grant]) -> list[Flag]:
    """Everything to look at, sorted, once each."""
    return sorted({Flag(grant.subject, reason, grant.via) for grant in grants for reason in _reasons(grant)})


def _reasons(grant: Grant) -> Iterator[str]:
    if grant.role == "ClusterRole cluster-admin":
        yield "is bound to cluster-admin"
    if grant.subject in EVERYBODY or grant.subject.startswith("Group system:serviceaccounts:"):
        yield "is everybody of a kind, and is granted something"
    elif grant.subject.startswith("ServiceAccount ") and grant.subject.endswith("/default"):
        yield "is the account of every pod that names none, and is granted something"
    if grant.rules is None:
        yield "is bound to a role that does not exist; who makes it decides what is granted"
    for rule in grant.rules or ():
        yield from _of_rule(rule)


def _of_rule(rule: Rule) -> Iterator[str]:
    wild = [name for name, values in (("verbs", rule.verbs), ("resources", rule.resources), ("API groups", rule.groups))
            if "*" in values]  # fmt: skip
    if wild:
        yield f"may use any of the {' and '.join(wild)}: {rule}"
    core = not rule.groups or {"", "*"} & set(rule.groups)
    if core and {"secrets", "*"} & set(rule.resources) and _READS & set(rule.verbs):
        yield f"may read secrets: {rule}"
    if _RAISES & set(rule.verbs):
        yield f"may raise its own rights: {rule}"
    if _TAKES_OVER & set(rule.resources) and {"create", "*"} & set(rule.verbs):
        yield f"may become another account: {rule}"
