"""The printed page of Redis's users: who logs in, the commands that each may run, and the rule for a server outside."""

from __future__ import annotations

from typing import Final

from runbook import redis_users

PAGE: Final = "docs/operations/redis-users.md"

_HEAD: Final = """# Users of Redis

Made from `runbook/redis_users.py` by `make docs`; do not edit it.

A service that is taken over reads and writes keys, and does nothing to the server or to all keys at once. Who does not
log in may ask whether the server is there (`PING`) and no more. `crypto:secrets` renames the Secrets that have the
passwords.
"""
_SERVER: Final = """## The declared server

The container `users` writes the server's ACL file before Redis starts, with the SHA-256 of each password. Redis has
the file in a volume of its pod alone: what `ACL SETUSER` changes lasts until the pod ends. A new password of a Secret
comes with a new pod:

1. Change the key `password` of the Secret, and for `redis-monitoring` the key `exporter.json` (the format is in
   [production.md](../production.md#datastores-of-somebody-else), with the address `redis://redis:6379`).
2. `kubectl -n crypto rollout restart statefulset/redis`. Clients read their password again at each new connection;
   `kubectl -n crypto rollout restart deployment/redis-exporter` for the exporter, which reads it once.
"""
_OUTSIDE: Final = """## A server of somebody else

One user is all of them (`crypto:redis.external`). These rules are enough for it:
"""


def markdown() -> str:
    """The whole page."""
    table = ["| user | logs in | Secret | may | rules |", "| --- | --- | --- | --- | --- |"]
    table += [
        f"| `{user.name}` | {user.used_by} | `redis-{user.key}` | {user.may} | `{_in_cell(user.rules)}` |"
        for user in redis_users.ALL
    ]
    rule = f"ACL SETUSER crypto on >PASSWORD {' '.join(redis_users.rules_of_all())}"
    return "\n".join([_HEAD, "\n".join(table) + "\n", _SERVER, _OUTSIDE, f"```\n{rule}\n```\n"])


def _in_cell(rules: tuple[str, ...]) -> str:
    """Rules in a cell of a table, which a bare ``|`` would end."""
    return " ".join(rules).replace("|", r"\|")
