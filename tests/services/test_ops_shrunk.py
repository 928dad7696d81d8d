"""A backup that has far less than the one before it: proven like any other, told, and no reason to end the full one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.services import ops_environment
from tests.services.faulty_s3 import Call, Fault, Refused
from tests.services.ops_environment import BUCKET, PREFIX, Answer, Environment, populate
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]

_KEYS = 18


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server, redis_server: Server
) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        environment.configure(redis={"host": redis_server.host, "port": redis_server.port})
        yield environment


@pytest.fixture
def environment(servers: Environment, redis_server: Server) -> Environment:
    servers.reset()
    client = _client(redis_server)
    client.flushall()
    client.mset({f"key:{number}": number for number in range(_KEYS)})
    return servers


def _client(server: Server, database: int = 0) -> Any:
    return redis.Redis(server.host, server.port, db=database)


def _proven(environment: Environment, kind: str = "redis") -> tuple[str, Answer]:
    """A backup that is made and verified, and what its verification said."""
    made = environment.ops("backup", kind, "--json")
    assert made.code == 0, made.stderr
    answer = environment.ops("backups", "verify", "--kind", kind, "--json")
    assert answer.code == 0, answer.stderr
    assert answer.json["backups"][0]["id"] == made.json["id"]
    return made.json["id"], answer


def _shrunk(answer: Answer) -> Any:
    return answer.json["backups"][0]["shrunk"]


def _superseded(environment: Environment, kind: str = "redis") -> list[str]:
    answer = environment.ops("backups", "prune", "--json")
    assert answer.code == 0, answer.stderr
    return next(each["superseded"] for each in answer.json["kinds"] if each["kind"] == kind)


def _listed(environment: Environment) -> dict[str, dict[str, Any]]:
    answer = environment.ops("backups", "list", "--json")
    assert answer.code == 0, answer.stderr
    return {entry["id"]: entry for entry in answer.json["backups"]}


def _metric(environment: Environment) -> float:
    answer = environment.ops("backups", "metrics")
    assert answer.code == 0, answer.stderr
    return float(answer.stdout.partition('crypto_backup_shrunk{kind="redis"} ')[2].split()[0])


def test_the_backup_of_an_emptied_redis_supersedes_nothing_until_a_person_accepts_it(
    environment: Environment, redis_server: Server
) -> None:
    full, first = _proven(environment)
    assert _shrunk(first) is None
    assert _metric(environment) == 0
    _client(redis_server).flushall()
    empty, second = _proven(environment)

    told = {"against": full, "before": _KEYS, "after": 0, "emptied": ["db0"]}
    assert _shrunk(second) == told
    assert _superseded(environment) == []
    assert _metric(environment) == 1
    assert _listed(environment)[empty]["shrunk"] == told
    assert _listed(environment)[empty]["proven"] is True

    accepted = environment.ops("backups", "accept", empty, "--by", "ann", "--yes", "--json")

    assert accepted.code == 0, accepted.stderr
    assert accepted.json["accepted_by"] == _listed(environment)[empty]["accepted_by"] == "ann"
    assert _superseded(environment) == [full]
    assert _metric(environment) == 0
    # A later verification of the same backup leaves what a person decided.
    assert environment.ops("backups", "verify", "--kind", "redis").code == 0
    assert _listed(environment)[empty]["accepted_by"] == "ann"
    again = environment.ops("backups", "accept", empty, "--by", "bob", "--yes", "--json")
    assert (again.code, again.json["accepted_by"]) == (0, "ann")
    # What comes after it is compared with it.
    assert _shrunk(_proven(environment)[1]) is None


def test_the_numbers_and_the_way_out_are_told_wherever_people_look(
    environment: Environment, redis_server: Server
) -> None:
    full, _ = _proven(environment)
    _client(redis_server).flushall()
    empty = environment.ops("backup", "redis", "--json").json["id"]

    verified = environment.ops("backups", "verify", "--kind", "redis")
    listed = environment.ops("backups", "list")
    healthy = environment.ops("health", "--json", "--timeout", "15")
    restored = environment.ops("restore", "redis", "--dry-run")
    drilled = environment.ops("drill", "--json")

    way_out = f"ops backups accept {empty}"
    numbers = f"18 -> 0 keys since backup {full}; empty now: db0"
    assert verified.code == 0
    for text in (verified.stdout, listed.stdout, restored.stderr):
        assert numbers in text
        assert way_out in text
    assert [line.split()[-1] for line in listed.stdout.splitlines()[1:3]] == ["shrunk", "yes"]
    check = next(each for each in healthy.json["checks"] if each["name"] == "backup redis content")
    assert (check["status"], check["value"]) == ("fail", "0 keys")
    assert numbers in check["detail"]
    assert way_out in check["detail"]
    assert next(kind["shrunk"] for kind in drilled.json["kinds"] if kind["kind"] == "redis") == numbers


def test_a_restore_goes_on_where_the_proof_may_not_be_read(environment: Environment) -> None:
    backup, _ = _proven(environment)

    def refused(call: Call) -> Fault | None:
        return Refused(403, "AccessDenied") if "proof.json" in call.path else None

    with environment.faulty() as proxy:
        proxy.choice = refused
        answer = environment.ops("restore", "redis", "--dry-run", "--json")

    assert (answer.code, answer.json["id"]) == (0, backup)
    assert "the proof of the backup cannot be read" in answer.stderr


def test_a_table_that_became_empty_is_enough_and_a_few_rows_less_are_not(environment: Environment) -> None:
    populate(environment, users=4, prices=40)
    full, _ = _proven(environment, "postgres")
    environment.execute("DELETE FROM prices WHERE id % 4 = 0", "crypto_db")
    fewer, answer = _proven(environment, "postgres")
    assert _shrunk(answer) is None
    assert _superseded(environment, "postgres") == [full]

    environment.execute("TRUNCATE users", "crypto_db")
    _, answer = _proven(environment, "postgres")

    assert _shrunk(answer) == {"against": fewer, "before": 34, "after": 30, "emptied": ["public.users"]}
    assert _superseded(environment, "postgres") == []


def test_the_share_is_a_setting(environment: Environment, redis_server: Server) -> None:
    good = environment.settings["backup"]
    full, _ = _proven(environment)
    client = _client(redis_server)
    client.delete(*(f"key:{number}" for number in range(_KEYS // 2 + 1)))
    less, answer = _proven(environment)
    assert _shrunk(answer) == {"against": full, "before": _KEYS, "after": _KEYS // 2 - 1, "emptied": []}

    environment.configure(backup={**good, "shrinkShare": 0.4})
    try:
        again = environment.ops("backups", "verify", "--id", less, "--json")
    finally:
        environment.configure(backup=good)

    assert _shrunk(again) is None
    assert _superseded(environment) == [full]


def test_one_shrunk_backup_after_the_other_is_compared_with_the_last_full_one(
    environment: Environment, redis_server: Server
) -> None:
    full, _ = _proven(environment)
    _client(redis_server).flushall()

    answers = [_proven(environment)[1] for _ in range(2)]

    assert [_shrunk(answer)["against"] for answer in answers] == [full, full]
    assert _superseded(environment) == []


@pytest.mark.parametrize("change", [{"revoked": "rot"}, {"checks": 1}], ids=["taken-back", "of-older-checks"])
def test_a_proof_that_no_longer_holds_still_says_how_much_there_was(
    environment: Environment, redis_server: Server, change: dict[str, Any]
) -> None:
    full, _ = _proven(environment)
    key = f"{PREFIX}redis/{full}/proof.json"
    proof = json.loads(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(proof | change).encode())
    _client(redis_server).flushall()

    empty, answer = _proven(environment)

    assert _shrunk(answer)["before"] == _KEYS
    # And so does the backup's own, where nothing before it is left.
    for name in ("dump.rdb.zst", "manifest.json", "proof.json"):
        environment.s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}redis/{full}/{name}")
    assert _shrunk(environment.ops("backups", "verify", "--id", empty, "--json"))["before"] == _KEYS


def test_only_a_proven_backup_that_has_shrunk_can_be_accepted(environment: Environment, redis_server: Server) -> None:
    full, _ = _proven(environment)
    _client(redis_server).flushall()
    unproven = environment.ops("backup", "redis", "--json").json["id"]

    def refused(backup: str, *more: str) -> str:
        answer = environment.ops("backups", "accept", backup, "--json", *more)
        assert answer.code == 2
        return answer.json["error"]

    assert "is not proven" in refused(unproven, "--yes")
    assert "has not shrunk" in refused(full, "--yes")
    assert "there is no backup 20200101T000000Z-00000000" in refused("20200101T000000Z-00000000", "--yes")
    assert environment.ops("backups", "verify", "--kind", "redis").code == 0
    assert "confirm it with --yes" in refused(unproven)
    dry = environment.ops("backups", "accept", unproven, "--dry-run", "--json")
    assert (dry.code, dry.json["accepted_by"]) == (0, None)
    assert not [key for key in environment.keys() if key.endswith("accepted.json")]  # noqa: SIM118 - no mapping
