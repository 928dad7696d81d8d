"""Who logs in to the declared Redis, and the commands that each user may run: ACL users with the least of them.

A service that is taken over reads and writes its keys; it empties no database, changes no setting of the server and
sees no other user. ``tests/services/test_redis_users.py`` runs what each user is for with these rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from runbook.settings import Settings


@dataclass(frozen=True, slots=True)
class RedisUser:
    """A user: ``key`` names it in the settings, ``rules`` are those of ``ACL SETUSER`` without the password."""

    key: str
    name: str
    used_by: str
    may: str
    rules: tuple[str, ...]


SERVICES: Final = RedisUser(
    "services",
    "crypto_services",
    "the services",
    "read and write all keys, call scripts and functions, publish and subscribe",
    ("~*", "&*", "+@all", "-@admin", "-@dangerous", "-function", "-script|flush", "-script|kill", "+info"),
)
BACKUP: Final = RedisUser(
    "backup",
    "crypto_backup",
    "`backup-redis`, `health-check`",
    "replicate, which reads everything; change nothing",
    ("+ping", "+info", "+psync", "+replconf", "+config|get", "+acl|list", "+client|setname"),
)
OPERATOR: Final = RedisUser(
    "operator",
    "crypto_operator",
    "`ops redis`, `ops restore redis`",
    "read and write all keys, empty and swap databases, replace functions",
    (
        "~*",
        "&*",
        "+@all",
        "-@admin",
        "-@dangerous",
        "+acl|list",
        "+config|get",
        "+flushdb",
        "+function",
        "+info",
        "+restore",
        "+swapdb",
    ),
)
MONITORING: Final = RedisUser(
    "monitoring",
    "crypto_monitor",
    "`redis-exporter`",
    "see what the server does, and no key",
    ("+client|list", "+client|setname", "+config|get", "+info", "+latency", "+ping", "+slowlog"),
)
ALL: Final = (SERVICES, BACKUP, OPERATOR, MONITORING)
# Who does not log in may ask whether the server is there: its probes do.
NOBODY: Final = "user default on nopass resetkeys resetchannels -@all +ping"


@dataclass(frozen=True, slots=True)
class RedisLogin:
    """The name of a user, and the Secret whose key ``password`` has its password."""

    user: str
    secret: str


def login(settings: Settings, user: RedisUser) -> RedisLogin | None:
    """How the clients log in that are ``user`` to the declared Redis: one outside has one for all of them, or none."""
    external = settings.redis.external
    if external is None:
        return RedisLogin(user.name, getattr(settings.secrets, f"redis_{user.key}"))
    return RedisLogin(external.user, external.secret) if external.secret else None


def client_secrets(settings: Settings, user: RedisUser) -> dict[str, str]:
    """Secrets that a client mounts to log in and to trust the server: folder -> Secret."""
    external, found = settings.redis.external, login(settings, user)
    named = {"redis": found.secret if found else None, "redis-ca": external.ca_secret if external else None}
    return {folder: secret for folder, secret in named.items() if secret}


def rules_of_all() -> tuple[str, ...]:
    """The rules of one user that is all of them, as on a server outside."""
    wide = [rule for rule in SERVICES.rules if not rule.startswith("+") or rule == "+@all"]
    single = {rule for user in ALL for rule in user.rules if rule.startswith("+") and rule != "+@all"}
    return (*wide, *sorted(single))


def acl_file(users: Iterable[RedisUser] = ALL) -> str:
    """The server's file of users; ``{key}`` stands for the SHA-256 of the password of each."""
    lines = [NOBODY, *(f"user {user.name} on #{{{user.key}}} {' '.join(user.rules)}" for user in users)]
    return "".join(f"{line}\n" for line in lines)
