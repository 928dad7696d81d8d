"""What a statement of an AWS policy means: which actions on which resources it names, for whom, on what condition.

The names of elements, actions and condition keys are read without regard to case, ``*`` and ``?`` wherever they stand.
Sources: IAM User Guide, "IAM JSON policy elements" (Action, Resource, Principal, Condition operators) and "AWS global
condition context keys"; Amazon S3 User Guide, "The meaning of public"; Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Final, cast

from policies.plain import MISSING, SECRET, UNKNOWN, Node, Plain, show, to_plain

ALLOW: Final = "Allow"
DENY: Final = "Deny"
_WILD: Final = re.compile(r"[*?]")
_ROOT: Final = re.compile(r"[0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:root")
_ARN_PARTS: Final = 6
# The type of a resource in front of its name, where people choose the name.
_TYPE: Final = re.compile(r"[a-z-]+[/:]")
_TYPED: Final = frozenset({"iam", "kms", "secretsmanager"})
# The first words of names of actions: a wildcard behind one stands for actions of one kind.
_VERB: Final = re.compile(
    r"abort|accept|activate|add|allocate|apply|approve|assign|associate|assume|attach|authorize|batch|cancel|"
    r"change|check|clone|complete|configure|confirm|connect|copy|create|deactivate|decode|decrypt|delete|deny|"
    r"deploy|deregister|derive|describe|detach|disable|disassociate|discover|download|enable|encrypt|evaluate|"
    r"execute|export|failover|filter|generate|get|head|import|initiate|inspect|invite|invoke|join|list|lookup|"
    r"merge|migrate|modify|move|notify|open|pass|pause|poll|post|predict|promote|publish|purchase|put|query|"
    r"read|reboot|receive|reencrypt|refresh|register|reject|release|remove|rename|renew|replace|replicate|"
    r"report|request|reset|resize|resolve|restore|resume|retire|retrieve|retry|revoke|rotate|run|scan|search|"
    r"select|send|set|sign|simulate|start|stop|submit|subscribe|suspend|swap|sync|tag|terminate|test|track|"
    r"transfer|unassign|unlock|unsubscribe|untag|update|upgrade|upload|validate|verify|view|write"
)
# By a fixed value of one of these the requests come from a known account, organization or network.
_CALLERS: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalservicename",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:vpceaccount",
        "aws:vpceorgid",
        "aws:vpceorgpaths",
        "elasticfilesystem:accesspointarn",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
# By a fixed value of one of these the requests are about certain things alone.
_THINGS: Final = frozenset(
    {"cloudwatch:namespace", "ec2:subnet", "ec2:vpc", "ecs:cluster", "kms:resourcealiases", "kms:viaservice"}
)
_TAGS: Final = (":resourcetag/", ":requesttag/")
# Issuers of tokens for many customers, or for every account of a cluster; a claim of a token says whose it is.
_ISSUERS: Final = (
    "accounts.google.com",
    "agent.buildkite.com",
    "api.pulumi.com/oidc",
    "app.terraform.io",
    "cognito-identity.amazonaws.com",
    "gitlab.com",
    "graph.facebook.com",
    "oidc.circleci.com",
    "oidc.eks.",
    "token.actions.githubusercontent.com",
    "www.amazon.com",
)
_CLAIMS: Final = ("amr", "app_id", "namespace_path", "oaud", "project_path", "repository", "repository_owner", "sub")
# Operators that hold only where the key is there and has a value that is stated.
_LITERAL: Final = frozenset({"stringequals", "stringequalsignorecase"})
_PATTERN: Final = frozenset({"stringlike", "arnequals", "arnlike"})
_ADDRESS: Final = "ipaddress"
_ANY_VALUE: Final = "foranyvalue:"
# What is wider is everybody to S3, too.
_WIDEST: Final = {4: 8, 6: 32}
_UNSCOPED: Final = Path(__file__).with_name("unscoped_actions.txt")
# The reference knows a type of resource for it that an account need not have.
_ALSO_UNSCOPED: Final = frozenset({"cloudwatch:putmetricdata"})


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement; ``label`` tells it from others in a message, ``elements`` have their names in lower case."""

    label: str
    elements: Mapping[str, Plain]

    def get(self, name: str) -> Plain:
        """The value of an element, MISSING where there is none."""
        return self.elements.get(name, MISSING)

    def values(self, name: str) -> tuple[Plain, ...]:
        """The values of an element, which may stand alone or in a list; none where the element is missing."""
        return _listed(self.get(name))

    @property
    def effect(self) -> Plain:
        """Allow or Deny."""
        return self.get("effect")

    @property
    def callers(self) -> tuple[Plain, ...]:
        """Whom ``Principal`` names, of every type."""
        principal = self.get("principal")
        if isinstance(principal, dict):
            return tuple(value for each in principal.values() for value in _listed(each))
        return _listed(principal)


def statements(document: Node) -> list[Statement] | None:
    """The statements of a document, which is an object or JSON text; None where it cannot be read."""
    value = document.value
    if isinstance(value, str):
        try:
            value = to_plain(cast("object", json.loads(value)))
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    stated = _listed(_lower(value).get("statement", MISSING))
    if any(not isinstance(each, dict) and each is not UNKNOWN for each in stated):
        return None
    return [_statement(each) for each in stated]


def _statement(stated: Plain) -> Statement:
    if not isinstance(stated, dict):
        return Statement(show(stated), {"effect": stated})
    elements = _lower(stated)
    return Statement(show(elements.get("sid", MISSING)), elements)


def _lower(value: Mapping[str, Plain]) -> dict[str, Plain]:
    return {key.lower(): each for key, each in value.items() if each is not None}


def _listed(value: Plain) -> tuple[Plain, ...]:
    if isinstance(value, list):
        return tuple(value)
    return () if value is MISSING else (value,)


def fits(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern of ``*`` and ``?``; no other character means more than itself."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def names_action(action: str) -> bool:
    """Whether an action is written out, at least by service and verb: ``s3:PutObject``, ``ec2:Describe*``."""
    service, _, name = action.lower().partition(":")
    beginning = _WILD.split(name)[0]
    if _WILD.search(service) or not beginning:
        return False
    return beginning == name or _VERB.match(beginning) is not None


def names_resource(resource: str) -> bool:
    """Whether an ARN names a thing, or some of a name: not all that a service, or a type of IAM, KMS and so on has."""
    plain = resource.replace("${*}", "~").replace("${?}", "~")
    if not _WILD.search(plain):
        return True
    parts = plain.split(":", _ARN_PARTS - 1)
    if len(parts) < _ARN_PARTS or _WILD.search(parts[2]):
        # A wildcard stands for any number of parts.
        return False
    service, name = parts[2], parts[-1]
    if service in _TYPED:
        name = _TYPE.sub("", name, count=1)
    if service == "s3":
        name = name.partition("/")[0]
    return bool(name.strip("*?/:"))


def takes_only_all(action: str) -> bool:
    """Whether AWS knows no narrower resource than ``*`` for an action, or for nearly all that a pattern stands for."""
    service, _, name = action.lower().partition(":")
    beginning = _WILD.split(name)[0]
    known = _unscoped().get(service, frozenset())
    if beginning == name:
        return name in known or action.lower() in _ALSO_UNSCOPED
    return any(f"{beginning[:end]}*" in known for end in range(1, len(beginning) + 1))


@cache
def _unscoped() -> Mapping[str, frozenset[str]]:
    lines = (line.partition(":") for line in _UNSCOPED.read_text("ascii").splitlines() if not line.startswith("#"))
    return {service: frozenset(names.split()) for service, _, names in lines}


def everybody(caller: Plain) -> bool:
    """Whether a principal is more than one: ``*``, or an ARN with a wildcard."""
    return isinstance(caller, str) and bool(_WILD.search(caller))


def account_itself(caller: Plain) -> bool:
    """Whether a principal is an account: its own policies then say who in it may do what."""
    return isinstance(caller, str) and _ROOT.fullmatch(caller) is not None


def of_many_tenants(caller: Plain) -> bool:
    """Whether a principal is an issuer whose tokens others get as well."""
    return isinstance(caller, str) and caller.rpartition("oidc-provider/")[2].startswith(_ISSUERS)


def limits_claims(statement: Statement) -> bool | None:
    """Whether a condition leaves certain subjects of an issuer alone; None while it is not yet known."""
    return _limits(statement, lambda key: key.rpartition(":")[2] in _CLAIMS, variables=False)


def limits_callers(statement: Statement) -> bool | None:
    """Whether a condition leaves known accounts, organizations or networks alone; None while it is not yet known."""
    return _limits(statement, _CALLERS.__contains__, variables=False)


def limits_things(statement: Statement) -> bool | None:
    """Whether a condition leaves certain things alone, by their tags for example; None while it is not yet known."""
    return _limits(statement, lambda key: key in _THINGS or any(tag in key for tag in _TAGS), variables=True)


def _limits(statement: Statement, about: Callable[[str], bool], *, variables: bool) -> bool | None:
    """Whether some part of the condition, all of which hold together, has fixed values for such a key."""
    condition = statement.get("condition")
    if condition is UNKNOWN:
        return None
    verdicts = [
        _fixed(operator, key, values, variables=variables)
        for operator, key, values in _tests(condition)
        if not key or about(key)
    ]
    return True if True in verdicts else (None if None in verdicts else False)


def _tests(condition: Plain) -> Iterator[tuple[str, str, tuple[Plain, ...]]]:
    """The parts of a condition: operator and key in lower case, and the values of which one is enough.

    The key is empty while it is not yet known.
    """
    if not isinstance(condition, dict):
        return
    for operator, keys in condition.items():
        if isinstance(keys, dict):
            yield from ((operator.lower(), key.lower(), _listed(values)) for key, values in keys.items())
        elif keys is UNKNOWN:
            yield operator.lower(), "", (UNKNOWN,)


def _fixed(operator: str, key: str, values: Iterable[Plain], *, variables: bool) -> bool | None:
    """Whether only requests with one of some known values pass.

    Where the key is missing, ``...IfExists`` and ``ForAllValues:`` hold, and so do the operators with "Not".
    """
    operator = operator.removeprefix(_ANY_VALUE)
    if operator not in (*_LITERAL, *_PATTERN, _ADDRESS):
        return False
    verdicts = [_one(operator, key, value, variables=variables) for value in values]
    if not verdicts or False in verdicts:
        return False
    return None if None in verdicts else True


def _one(operator: str, key: str, value: Plain, *, variables: bool) -> bool | None:
    if value is UNKNOWN or value is SECRET:
        return None
    text = str(value)
    if operator == _ADDRESS:
        return _few_addresses(text)
    if "${" in text:
        # What a request says of itself equals itself; what is known of the resource does not come from the request.
        return variables or "${aws:resource" in text.lower()
    if operator in _LITERAL:
        return True
    if key.endswith("arn"):
        return _fixed_arn(text)
    # `repo:*` says what kind of subject it is, and no name.
    return _fixed_beginning(text.partition(":")[2] if key.endswith(":sub") and ":" in text else text)


def _few_addresses(text: str) -> bool:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _WIDEST[network.version]


def _fixed_arn(text: str) -> bool:
    """An ARN of one account, or without any wildcard."""
    parts = text.split(":", _ARN_PARTS - 1)
    if len(parts) == _ARN_PARTS and parts[4] and not any(map(_WILD.search, parts[:3] + parts[4:5])):
        return True
    return not _WILD.search(text)


def _fixed_beginning(text: str) -> bool:
    """A text without wildcards, or with a whole name in front of them: ``o-a1b2c3/*``."""
    beginning = _WILD.split(text)[0]
    return beginning == text or (beginning[-1:] in ("/", ":") and len(beginning) > 1)


def refuses(statement: Statement, action: str, resource: str, condition: Callable[[str, str, Plain], bool]) -> bool:
    """Whether a statement denies an action on a resource to everybody.

    ``condition`` says of an operator, a key (both in lower case) and a value whether the request holds it.
    """
    if statement.effect != DENY or not any(caller == "*" for caller in statement.callers):
        return False
    return (
        _covers(statement, "action", lambda pattern: fits(pattern.lower(), action.lower()))
        and _covers(statement, "resource", lambda pattern: fits(pattern, resource))
        and all(
            any(condition(operator, key, value) for value in values)
            for operator, key, values in _tests(statement.get("condition"))
        )
    )


def _covers(statement: Statement, name: str, holds: Callable[[str], bool]) -> bool:
    """Whether an element names something. Its opposite (``NotAction``) leaves something out, and names nothing."""
    return any(isinstance(value, str) and holds(value) for value in statement.values(name))


def unknown_in(statement: Statement) -> bool:
    """Whether some of a statement is not yet known."""
    return any(map(_unknown_in, statement.elements.values()))


def _unknown_in(value: Plain) -> bool:
    if isinstance(value, dict):
        return any(map(_unknown_in, value.values()))
    return any(map(_unknown_in, value)) if isinstance(value, list) else value is UNKNOWN
