"""Backup, verification, restore and prune of the running system, each killed at random moments of its run."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.environment import Environment
from tests.cluster.observing import counts, result
from tests.services.interruptions import Length, moments
from tests.services.ops_process import OpsProcess
from tests.waiting import wait_until

# Twenty in all. PostgreSQL is verified in a pod, with the server of its release: test_ops_verify.py kills that.
_COMMANDS = {
    ("backup", "postgres"): 5,
    ("backups", "verify", "--kind", "redis"): 6,
    ("restore", "postgres", "--yes"): 5,
    ("backups", "prune"): 4,
}
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ops %'"
_DATABASES = "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"
_ROLES = "SELECT rolname FROM pg_roles ORDER BY 1"


@dataclass(frozen=True, slots=True)
class _State:
    """What must not be lost: backups by id, databases and roles."""

    backups: frozenset[str]
    databases: frozenset[str]
    roles: frozenset[str]


def _state(system: Environment) -> _State:
    listed: list[dict[str, Any]] = result(system.ok("ops", "backups", "list", "--json"))["backups"]
    assert all(entry["readable"] for entry in listed)
    return _State(
        frozenset(entry["id"] for entry in listed),
        frozenset(system.sql(_DATABASES, "postgres").splitlines()),
        frozenset(system.sql(_ROLES, "postgres").splitlines()),
    )


@pytest.fixture(scope="module")
def users(system: Environment) -> int:
    """The users that are in the newest backup; there is one of each kind."""
    found = counts(system)["users"]
    for kind in ("postgres", "redis", "resources"):
        system.ok("ops", "backup", kind)
    assert found > 0
    return found


# Some twenty runs of a second each, and what they leave is looked at.
@pytest.mark.parametrize(("command", "kills"), _COMMANDS.items(), ids=(" ".join(command[:2]) for command in _COMMANDS))
def test_a_run_that_is_killed_at_any_moment_loses_nothing_and_the_next_one_ends_well(
    system: Environment, users: int, command: tuple[str, ...], kills: int
) -> None:
    length = Length()
    length.timed(lambda: system.ok("ops", *command, "--json"))
    before = _state(system)
    codes: list[int] = []
    for moment in moments(kills):
        process = OpsProcess((*command, "--json"), system.shell)
        codes.append(length.interrupted(process, signal.SIGKILL, moment)[0])
        wait_until(lambda: system.sql(_SESSIONS, "postgres") == "0", "the server has ended the sessions of the run")
        after = _state(system)
        assert after.backups >= before.backups
        assert counts(system)["users"] >= users
        assert after.databases >= before.databases
        assert after.roles >= before.roles
    assert codes.count(-signal.SIGKILL) >= kills / 2, f"too few runs were hit: {codes}"

    system.ok("ops", *command, "--json")

    last = _state(system)
    assert last.roles == before.roles
    assert [name for name in last.databases - before.databases if "_before_" not in name] == []
