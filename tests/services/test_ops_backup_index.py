"""What a list of backups reads: an index as far as it fits the bucket, and whatever the index does not know."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.backup import proof
from scripts.backup.keys import BackupId
from tests.services import ops_environment
from tests.services.faulty_s3 import Call, Fault, Refused
from tests.services.ops_environment import BUCKET, PREFIX, Environment, populate
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_OLD = 12
_INDEX = f"{PREFIX}postgres/index.json"
_MANIFEST: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures/format-1/manifest.json").read_bytes())


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=2, prices=2)
        yield environment


@pytest.fixture
def environment(servers: Environment) -> Environment:
    """Proven backups of the last days, and one of today that a verification has just proven."""
    servers.reset()
    for days in range(1, _OLD + 1):
        _put(servers, days)
    servers.backup()
    answer = servers.ops("backups", "verify", "--json")
    assert answer.code == 0, answer.stderr
    return servers


def _put(environment: Environment, days: float) -> str:
    backup = str(BackupId(datetime.now(UTC).replace(microsecond=0) - timedelta(days=days), "0a1b2c3d"))
    _write(environment, backup, "manifest.json", _MANIFEST | {"id": backup})
    told: dict[str, Any] = {"formatVersion": proof.FORMAT_VERSION, "checks": proof.CHECKS, "kind": "postgres"}
    told |= {"id": backup, "stored": _MANIFEST["stored"], "provenAt": "2026-03-01T04:00:00Z"}
    _write(environment, backup, "proof.json", told | {"durationSeconds": 1, "method": "restored", "counts": {}})
    return backup


def _write(environment: Environment, backup: str, name: str, content: dict[str, Any]) -> None:
    key = f"{PREFIX}postgres/{backup}/{name}"
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(content).encode())


def _read(environment: Environment, key: str) -> dict[str, Any]:
    return json.loads(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def _listed(environment: Environment) -> dict[str, dict[str, Any]]:
    answer = environment.ops("backups", "list", "--json")
    assert answer.code == 0, answer.stderr
    return {entry["id"]: entry for entry in answer.json["backups"]}


@contextmanager
def _watched(environment: Environment) -> Generator[list[str]]:
    """The objects of the kind that are read meanwhile."""
    read: list[str] = []

    def note(call: Call) -> None:
        path = call.path.partition("?")[0]
        if call.operation == "GetObject" and "/postgres/" in path and "tagging" not in call.path:
            read.append(path.rpartition("/postgres/")[2])

    with environment.faulty() as proxy:
        proxy.choice = note
        yield read


def test_a_list_reads_the_index_and_of_the_backups_only_the_new_ones(environment: Environment) -> None:
    new = _put(environment, 0.5)
    with _watched(environment) as read:
        listed = _listed(environment)

    assert sorted(read) == sorted(["index.json", f"{new}/manifest.json", f"{new}/proof.json"])
    assert len(listed) == _OLD + 2
    assert all(entry["proven"] for entry in listed.values())
    environment.s3.delete_object(Bucket=BUCKET, Key=_INDEX)
    assert _without_ages(_listed(environment)) == _without_ages(listed)


def _without_ages(listed: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {backup: {**entry, "age_seconds": 0} for backup, entry in listed.items()}


def test_what_is_written_anew_is_read_anew(environment: Environment) -> None:
    taken_back, changed, dropped, *_ = [backup for backup in sorted(_listed(environment)) if "0a1b2c3d" in backup]
    told = _read(environment, f"{PREFIX}postgres/{taken_back}/proof.json")
    _write(environment, taken_back, "proof.json", told | {"revoked": "rot"})
    _write(environment, changed, "manifest.json", _MANIFEST | {"id": changed, "durationSeconds": 77})
    for name in ("manifest.json", "proof.json"):
        environment.s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{dropped}/{name}")

    listed = _listed(environment)

    assert listed[taken_back]["proven"] is False
    assert listed[changed]["seconds"] == 77
    assert dropped not in listed


@pytest.mark.parametrize("change", [None, {"formatVersion": 2}, {"checks": proof.CHECKS - 1}])
def test_an_index_of_another_release_is_none(environment: Environment, change: dict[str, Any] | None) -> None:
    before = _listed(environment)
    index = _read(environment, _INDEX)
    for kept in index["backups"].values():
        kept["facts"]["provenAt"] = None
    content = b"{" if change is None else json.dumps(index | change).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=_INDEX, Body=content)

    listed = _listed(environment)

    assert listed.keys() == before.keys()
    assert all(entry["proven"] for entry in listed.values())


def test_what_ends_a_backup_or_looks_for_the_newest_proven_one_reads_no_index_and_no_older_backup(
    environment: Environment,
) -> None:
    newest = max(_listed(environment))
    for command in (["backups", "prune", "--dry-run"], ["backups", "metrics"], ["drill", "--dry-run"]):
        with _watched(environment) as read:
            assert environment.ops(*command).code == 0
        assert set(read) == {f"{newest}/manifest.json", f"{newest}/proof.json"}, command


def test_a_backup_is_proven_and_listed_where_the_index_may_be_neither_written_nor_read(
    environment: Environment,
) -> None:
    backup = environment.backup()

    def refused(call: Call) -> Fault | None:
        return Refused(403, "AccessDenied") if "index.json" in call.path else None

    with environment.faulty() as proxy:
        proxy.choice = refused
        answer = environment.ops("backups", "verify", "--json")
        listed = _listed(environment)

    assert answer.code == 0, answer.stderr
    assert "the index of the backups is not written" in answer.stderr
    assert listed[backup]["proven"] is True
