"""``ops backups prune`` against a real S3 endpoint and a real PostgreSQL: what restores is never the last to go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from runbook.datastores import DATABASE
from scripts.backup import fresh, proof, prune
from scripts.backup.keys import BackupId
from scripts.clients.s3 import Bucket
from scripts.exits import UsageError
from tests.services import ops_environment
from tests.services.ops_environment import BUCKET, PREFIX, Environment
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_NOW = datetime.now(UTC).replace(microsecond=0)
_FORMAT_1 = Path(__file__).parent / "fixtures" / "format-1"
_MANIFEST: dict[str, Any] = json.loads((_FORMAT_1 / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        yield environment


@pytest.fixture
def environment(servers: Environment) -> Environment:
    servers.reset()
    return servers


def _id(days: float) -> str:
    return str(BackupId(_NOW - timedelta(days=days), "0a1b2c3d"))


def _proof(backup: str) -> dict[str, Any]:
    return {
        "formatVersion": proof.FORMAT_VERSION,
        "checks": proof.CHECKS,
        "kind": "postgres",
        "id": backup,
        "stored": _MANIFEST["stored"],
        "provenAt": _NOW.isoformat(),
        "durationSeconds": 1,
        "method": "restored",
        "counts": {},
    }


def _put(environment: Environment, days: float, *, proven: bool, bucket: str = BUCKET, **lock: Any) -> str:
    """A backup of so many days ago."""
    backup = _id(days)
    content: dict[str, Any] = {"dump.zst": b"x", "manifest.json": json.dumps(_MANIFEST | {"id": backup}).encode()}
    if proven:
        content["proof.json"] = json.dumps(_proof(backup)).encode()
    for name, body in content.items():
        environment.s3.put_object(Bucket=bucket, Key=f"{PREFIX}postgres/{backup}/{name}", Body=body, **lock)
    return backup


def _left(environment: Environment) -> set[str]:
    return {key.split("/")[-2] for key in sorted(environment.keys())}


def _postgres(data: Mapping[str, Any]) -> dict[str, Any]:
    return next(kind for kind in data["kinds"] if kind["kind"] == "postgres")


def test_what_is_beyond_the_retention_goes_and_all_of_it(environment: Environment) -> None:
    old, older = _put(environment, 31, proven=True), _put(environment, 40, proven=False)
    young = [_put(environment, days, proven=days == 2) for days in (1, 2, 29)]

    answer = environment.ops("backups", "prune", "--json")

    assert answer.code == 0, answer.stderr
    assert sorted(_postgres(answer.json)["dropped"]) == sorted([old, older])
    assert _left(environment) == set(young)


def test_the_newest_proven_backup_stays_however_old_and_everything_newer_too(environment: Environment) -> None:
    newest_proven = _put(environment, 50, proven=True)
    newer = [_put(environment, days, proven=False) for days in (1, 35, 45)]
    gone = [_put(environment, 60, proven=True), _put(environment, 70, proven=False)]

    answer = environment.ops("backups", "prune", "--json")

    assert sorted(_postgres(answer.json)["dropped"]) == sorted(gone)
    assert _left(environment) == {newest_proven, *newer}
    assert _postgres(answer.json)["kept_beyond_retention"][newest_proven] == "the newest that counts"


def test_where_nothing_is_proven_nothing_goes(environment: Environment) -> None:
    backups = {_put(environment, days, proven=False) for days in (1, 31, 400)}

    answer = environment.ops("backups", "prune", "--json")

    assert answer.code == 0
    assert _left(environment) == backups
    assert set(_postgres(answer.json)["kept_beyond_retention"].values()) == {"no backup of its kind counts"}


def test_a_proof_that_was_taken_back_keeps_nothing_in_its_place(environment: Environment) -> None:
    good, revoked = _put(environment, 60, proven=True), _put(environment, 40, proven=True)
    key = f"{PREFIX}postgres/{revoked}/proof.json"
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(_proof(revoked) | {"revoked": "rot"}).encode())

    environment.ops("backups", "prune", "--json")

    assert _left(environment) == {good, revoked}


def test_a_backup_that_has_shrunk_keeps_the_full_one_however_old_until_it_is_accepted(environment: Environment) -> None:
    full, shrunk = _put(environment, 60, proven=True), _put(environment, 40, proven=True)
    folder = f"{PREFIX}postgres/{shrunk}"
    fallen = {"against": full, "before": 9, "after": 0, "emptied": ["public.users"]}
    told = json.dumps(_proof(shrunk) | {"shrunk": fallen}).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=f"{folder}/proof.json", Body=told)

    kept = _postgres(environment.ops("backups", "prune", "--json").json)
    assert (kept["superseded"], kept["dropped"]) == ([], [])
    assert kept["kept_beyond_retention"][shrunk] == "newer than the newest that counts"
    accepted = {"formatVersion": 1, "acceptedBy": "ann", "acceptedAt": _NOW.isoformat()}
    accepted |= {"kind": "postgres", "id": shrunk, "stored": _MANIFEST["stored"] | {"bytes": 1}}
    environment.s3.put_object(Bucket=BUCKET, Key=f"{folder}/accepted.json", Body=json.dumps(accepted).encode())
    # That was of another object.
    assert _postgres(environment.ops("backups", "prune", "--json").json)["dropped"] == []

    accepted["stored"] = _MANIFEST["stored"]
    environment.s3.put_object(Bucket=BUCKET, Key=f"{folder}/accepted.json", Body=json.dumps(accepted).encode())
    assert _postgres(environment.ops("backups", "prune", "--json").json)["dropped"] == [full]
    assert _left(environment) == {shrunk}


def test_a_dry_run_says_what_would_go_and_keeps_it(environment: Environment) -> None:
    old, young = _put(environment, 31, proven=False), _put(environment, 1, proven=True)

    answer = environment.ops("backups", "prune", "--dry-run", "--json")

    assert _postgres(answer.json)["dropped"] == [old]
    assert _left(environment) == {old, young}


def _superseded(environment: Environment, backup: str) -> bool:
    folder = f"{PREFIX}postgres/{backup}/"
    tags = [
        {tag["Key"]: tag["Value"] for tag in environment.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]}
        for key in sorted(environment.keys())
        if key.startswith(folder)
    ]
    assert len(tags) >= 2
    assert len({tag.get("superseded", "false") for tag in tags}) == 1, "half a backup is marked"
    return tags[0].get("superseded") == "true"


def test_only_what_a_newer_proven_backup_has_superseded_is_marked_for_the_lifecycle(environment: Environment) -> None:
    older = [_put(environment, 20, proven=True), _put(environment, 10, proven=False)]
    newest = _put(environment, 5, proven=True)
    newer = _put(environment, 1, proven=False)

    answer = environment.ops("backups", "prune", "--json")

    assert sorted(_postgres(answer.json)["superseded"]) == sorted(older)
    marks = {backup: _superseded(environment, backup) for backup in (*older, newest, newer)}
    assert marks == {older[0]: True, older[1]: True, newest: False, newer: False}
    assert _postgres(environment.ops("backups", "prune", "--json").json)["superseded"] == []


def test_a_backup_loses_its_mark_when_the_proof_that_superseded_it_is_taken_back(environment: Environment) -> None:
    good, rotten = _put(environment, 20, proven=True), _put(environment, 5, proven=True)
    key = f"{PREFIX}postgres/{good}/manifest.json"
    environment.ops("backups", "prune")
    tags = [{"Key": "superseded", "Value": "true"}, {"Key": "team", "Value": "data"}]
    environment.s3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": tags})
    revoked = json.dumps(_proof(rotten) | {"revoked": "rot"}).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{rotten}/proof.json", Body=revoked)

    answer = environment.ops("backups", "prune", "--json")

    assert _postgres(answer.json)["freed"] == [good]
    assert not _superseded(environment, good)
    # What others have tagged it with stays.
    assert tags[1] in environment.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]


def test_a_clock_that_jumps_ahead_drops_nothing(environment: Environment) -> None:
    backups = {_put(environment, days, proven=days == 1) for days in (1, 2, 29)}
    with environment.faulty() as proxy:
        # For whoever asks, this machine's clock is a year ahead of the bucket's.
        proxy.clock_offset = timedelta(days=-365)
        answer = environment.ops("backups", "prune", "--json")

    assert answer.code == 0, answer.stderr
    assert "the clock of this machine is wrong" in answer.stderr
    assert _left(environment) == backups


def test_what_a_killed_run_left_without_a_manifest_goes_when_it_is_old(environment: Environment) -> None:
    young = _put(environment, 1, proven=True)
    old, recent = _id(31), _id(0)
    for backup in (old, recent):
        environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{backup}/dump.zst", Body=b"x")

    answer = environment.ops("backups", "prune", "--json")

    assert _postgres(answer.json)["leftovers"] == [old]
    assert _left(environment) == {young, recent}


def test_what_is_locked_stays_whole_and_is_reported_and_no_error(environment: Environment) -> None:
    environment.s3.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": _NOW + timedelta(days=1)}
    locked = _put(environment, 40, proven=False, bucket="locked", **lock)
    free = _put(environment, 41, proven=False, bucket="locked")
    _put(environment, 1, proven=True, bucket="locked")
    good = environment.settings["backup"]
    environment.configure(backup={**good, "bucket": "locked"})
    try:
        answer = environment.ops("backups", "prune", "--json")
        listed = environment.ops("backups", "list", "--json").json["backups"]
    finally:
        environment.configure(backup=good)

    assert answer.code == 0, answer.stderr
    assert _postgres(answer.json)["dropped"] == [free]
    assert "locked until" in _postgres(answer.json)["refused"][locked]
    assert {entry["id"] for entry in listed} == {locked, _id(1)}


def test_what_the_role_may_not_delete_is_reported_and_what_it_may_still_goes() -> None:
    class Guarded:
        """A bucket whose policy protects one backup."""

        deleted: ClassVar[list[str]] = []

        def delete(self, key: str) -> None:
            if "protected" in key:
                raise UsageError(f"s3://{BUCKET}/{key}: AccessDenied")
            self.deleted.append(key)

    bucket = cast("Bucket", Guarded())

    assert "AccessDenied" in (prune.drop(bucket, ["p/protected/dump.zst", "p/protected/manifest.json"]) or "")
    assert prune.drop(bucket, ["p/a/dump.zst", "p/a/manifest.json", "p/a/proof.json"]) is None
    # The manifest first: a run that is killed after it leaves no backup that lacks its data.
    assert Guarded.deleted == ["p/a/manifest.json", "p/a/dump.zst", "p/a/proof.json"]


@given(
    st.dictionaries(st.integers(0, 100), st.booleans(), min_size=1, max_size=12),
    st.integers(1, 60),
)
def test_retention_keeps_its_promises_for_any_history(history: dict[int, bool], days: int) -> None:
    backups = [BackupId.parse(_id(age)) for age in history]
    counting = [age for age, counts in history.items() if counts]
    newest = BackupId.parse(_id(min(counting))) if counting else None

    choice = prune.choose(backups, newest, backups, _NOW, timedelta(days=days))

    for age in history:
        expected = bool(counting) and age > days and age > min(counting)
        assert (_id(age) in choice.dropped) == expected
    assert set(choice.dropped) | set(choice.kept) == {_id(age) for age in history}


def _put_aside(environment: Environment, days: float, *, marked: bool = True) -> str:
    name = fresh.kept_name(DATABASE, _NOW - timedelta(days=days))
    with environment.connect("postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if marked:
            statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
            connection.execute(statement.format(sql.Identifier(name), f"{fresh.KEPT_MARK}, was {DATABASE}"))
    return name


def test_databases_that_restores_put_aside_go_once_a_younger_backup_is_proven(environment: Environment) -> None:
    old, young = _put_aside(environment, 40), _put_aside(environment, 3)
    _put_aside(environment, 0)
    with environment.connect("postgres") as connection:
        connection.execute("CREATE DATABASE crypto_db_before_lunch")
    everything = environment.databases()

    unproven = environment.ops("backups", "prune", "--databases", "--yes", "--json")
    assert unproven.code == 0, unproven.stderr
    assert unproven.json["kept"][old] == "no younger backup counts"
    assert environment.databases() == everything

    _prove_today(environment)
    refused = environment.ops("backups", "prune", "--databases", "--json")
    assert refused.code == 2
    assert f"this drops {old} for ever; confirm it with --yes" in refused.json["error"]
    would = environment.ops("backups", "prune", "--databases", "--dry-run", "--json")
    assert would.json["dropped"] == [old]
    ages = {entry["name"]: entry["age_seconds"] / 86400 for entry in would.json["databases"]}
    assert ages[old] == pytest.approx(40, abs=0.1)
    assert all(entry["bytes"] > 1_000_000 for entry in would.json["databases"])
    assert environment.databases() == everything

    done = environment.ops("backups", "prune", "--databases", "--yes", "--json")
    assert done.code == 0, done.stderr
    assert set(everything) - set(environment.databases()) == {old}
    more = environment.ops("backups", "prune", "--databases", "--older-than", "2", "--yes", "--json")
    assert more.json["dropped"] == [young]
    assert "crypto_db_before_lunch" in environment.databases()


def test_a_database_that_only_has_the_name_of_one_put_aside_is_named_and_left(environment: Environment) -> None:
    own = _put_aside(environment, 50, marked=False)
    _prove_today(environment)

    done = environment.ops("backups", "prune", "--databases", "--older-than", "0", "--yes", "--json")

    assert done.code == 0, done.stderr
    assert done.json["kept"][own] == "no restore has marked it as put aside; drop it by hand (DROP DATABASE)"
    assert own in environment.databases()


def _prove_today(environment: Environment) -> None:
    backup = _put(environment, 0, proven=True)
    content = json.dumps(_MANIFEST | {"id": backup, "snapshotAt": _NOW.isoformat()}).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{backup}/manifest.json", Body=content)


def test_a_database_that_was_put_aside_is_known_by_its_name() -> None:
    name = fresh.kept_name(DATABASE, _NOW)

    assert fresh.replaced_at(DATABASE, name) == _NOW
    assert fresh.replaced_at("other_db", name) is None
    assert fresh.replaced_at(DATABASE, f"{DATABASE}_before_20261399t000000z") is None
    assert fresh.replaced_at("x" * 63, fresh.kept_name("x" * 63, _NOW)) == _NOW
