"""``ops backups verify`` against a real PostgreSQL and a real S3 endpoint: only what was restored is proven."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook.datastores import DATABASE
from tests.running.owned import owned_folder
from tests.services import ops_environment
from tests.services.ops_environment import BUCKET, PREFIX, Environment, await_log, finish, populate
from tests.services.ops_process import OpsProcess
from tests.services.servers import Server
from tests.waiting import stop, wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_PRICES = 200_000
# Written by the release before encryption and proofs; the way its objects lie in the bucket must stay readable.
_FORMAT_1 = Path(__file__).parent / "fixtures" / "format-1"


@pytest.fixture(scope="module")
def servers_and_data(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=500, prices=_PRICES)
        yield environment


@pytest.fixture
def environment(servers_and_data: Environment) -> Environment:
    servers_and_data.reset()
    return servers_and_data


def _key(backup: str, name: str) -> str:
    return f"{PREFIX}postgres/{backup}/{name}"


def _proof(environment: Environment, backup: str) -> dict[str, Any] | None:
    if _key(backup, "proof.json") not in sorted(environment.keys()):
        return None
    return json.loads(environment.s3.get_object(Bucket=BUCKET, Key=_key(backup, "proof.json"))["Body"].read())


def _listed(environment: Environment) -> dict[str, bool]:
    answer = environment.ops("backups", "list", "--json")
    assert answer.code == 0, answer.stderr
    return {entry["id"]: entry["proven"] for entry in answer.json["backups"]}


def _spoil_rows(environment: Environment, backup: str) -> None:
    manifest = environment.manifest(backup)
    manifest["tables"][0]["rows"] += 1
    environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, "manifest.json"), Body=json.dumps(manifest).encode())


def test_a_backup_is_proven_only_once_it_was_restored_and_counted(environment: Environment) -> None:
    backup = environment.backup()
    assert _listed(environment) == {backup: False}
    before = environment.state()

    answer = environment.ops("backups", "verify", "--json")

    assert answer.code == 0, answer.stderr
    assert _listed(environment) == {backup: True}
    assert environment.state() == before
    proof = _proof(environment, backup)
    assert proof is not None
    assert proof["counts"] == {"public.empty_table": 0, "public.prices": _PRICES, "public.users": 500}
    assert proof["stored"] == environment.manifest(backup)["stored"]
    assert proof["durationSeconds"] > 0
    assert {entry["kind"]: entry["id"] for entry in answer.json["backups"]} == {
        "postgres": backup,
        "redis": None,
        "resources": None,
    }


def test_the_newest_is_verified_unless_an_id_is_given(environment: Environment) -> None:
    older, newer = environment.backup(), environment.backup()
    older, newer = sorted((older, newer))

    first = environment.ops("backups", "verify", "--id", older, "--json")
    assert first.code == 0, first.stderr
    assert _listed(environment) == {newer: False, older: True}
    second = environment.ops("backups", "verify", "--kind", "postgres", "--json")
    assert second.code == 0, second.stderr
    assert _listed(environment) == {newer: True, older: True}


def test_a_table_whose_count_differs_proves_nothing_and_takes_an_earlier_proof_back(environment: Environment) -> None:
    backup = environment.backup()
    assert environment.ops("backups", "verify", "--json").code == 0
    _spoil_rows(environment, backup)
    before = environment.state()

    answer = environment.ops("backups", "verify", "--json")

    assert answer.code == 1
    assert "public.empty_table has 0 instead of 1" in answer.json["error"]
    assert _listed(environment) == {backup: False}
    assert environment.state() == before
    proof = _proof(environment, backup)
    assert proof is not None
    assert "public.empty_table has 0 instead of 1" in proof["revoked"]


def test_an_older_release_of_the_server_takes_no_proof_back(environment: Environment) -> None:
    backup = environment.backup()
    assert environment.ops("backups", "verify", "--json").code == 0
    _spoil_rows(environment, backup)
    manifest = environment.manifest(backup) | {"serverVersion": "15.99 (Debian 15.99-0+deb12u1)"}
    environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, "manifest.json"), Body=json.dumps(manifest).encode())

    answer = environment.ops("backups", "verify", "--kind", "postgres", "--json")

    assert answer.code == 2
    assert "public.empty_table has 0 instead of 1" in answer.json["error"]
    assert "and the backup is of 15.99: install that release, or start a job" in answer.json["error"]
    proof = _proof(environment, backup)
    assert proof is not None
    assert proof.get("revoked") is None


def test_what_was_never_proven_gets_no_proof_by_a_failed_verification(environment: Environment) -> None:
    backup = environment.backup()
    _spoil_rows(environment, backup)

    answer = environment.ops("backups", "verify", "--json")

    assert answer.code == 1
    assert _proof(environment, backup) is None


def test_the_verdict_of_a_restore_that_fails_quotes_its_statement(environment: Environment) -> None:
    with environment.connect() as connection:
        # pg_restore knows no search_path: the function of the index does not find its table there.
        connection.execute("CREATE TABLE prefix (text text)")
        connection.execute(
            "CREATE FUNCTION prefixed(path text) RETURNS text LANGUAGE sql IMMUTABLE AS "
            "$$ SELECT coalesce((SELECT text FROM prefix LIMIT 1), '') || path $$"
        )
        connection.execute("CREATE TABLE page AS SELECT '/a'::text AS path")
        connection.execute("CREATE INDEX ON page (prefixed(regexp_replace(path, '[/.]+', '-', 'g')))")
    try:
        environment.backup()
        answer = environment.ops("backups", "verify", "--kind", "postgres")
    finally:
        with environment.connect() as connection:
            connection.execute("DROP TABLE page, prefix CASCADE")
            connection.execute("DROP FUNCTION prefixed")

    assert answer.code == 1, answer.stderr
    assert "is NOT proven" in answer.stdout
    assert "'[/.]+'" in answer.stdout


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_object_is_not_proven(environment: Environment, damage: str) -> None:
    backup = environment.backup()
    key = _key(backup, "dump.zst")
    content = bytearray(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    before = environment.state()
    match damage:
        case "truncated":
            environment.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(content[:-1]))
        case "altered":
            content[len(content) // 2] ^= 1
            environment.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(content))
        case _:
            environment.s3.delete_object(Bucket=BUCKET, Key=key)

    answer = environment.ops("backups", "verify", "--json")

    assert answer.code == 1, answer.stderr
    assert _listed(environment) == {backup: False}
    assert _proof(environment, backup) is None
    assert environment.state() == before


def test_a_proof_of_another_object_proves_nothing(environment: Environment) -> None:
    backup = environment.backup()
    assert environment.ops("backups", "verify", "--json").code == 0
    proof = _proof(environment, backup)
    assert proof is not None
    proof["stored"]["sha256"] = "0" * 64
    environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, "proof.json"), Body=json.dumps(proof).encode())

    assert _listed(environment) == {backup: False}


def _begin_held(environment: Environment, folder: Path) -> tuple[OpsProcess, int, int]:
    """A verification whose pg_restore stands still in the middle, and the pids of its server and of that program."""
    process = environment.start("backups", "verify", "--json", extra={"TMPDIR": str(folder)})
    server = int(await_log(process, "throwaway server started")["pid"])
    pid = int(await_log(process, "restore started")["pid"])
    stop(pid)
    return process, server, pid


@pytest.fixture
def scratch(environment: Environment) -> Iterator[Path]:
    """A folder that the account of a throwaway server may enter."""
    with owned_folder(None if os.geteuid() else "postgres") as folder:
        assert environment.databases() == [DATABASE]
        yield folder


def test_a_killed_verification_proves_nothing_and_takes_its_server_with_it(
    environment: Environment, scratch: Path
) -> None:
    backup = environment.backup()
    process, server, pid = _begin_held(environment, scratch)
    process.kill()
    process.wait()
    os.kill(pid, signal.SIGCONT)

    wait_until(lambda: not Path(f"/proc/{server}").exists(), "the server has ended")
    assert _listed(environment) == {backup: False}
    assert environment.databases() == [DATABASE]
    answer = environment.ops("backups", "verify", "--json")
    assert answer.code == 0, answer.stderr


def test_sigterm_ends_the_throwaway_server_and_leaves_no_file_of_it(environment: Environment, scratch: Path) -> None:
    environment.backup()
    process, server, pid = _begin_held(environment, scratch)
    process.send_signal(signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)

    answer = finish(process)

    assert answer.code == 75
    assert not Path(f"/proc/{server}").exists()
    assert list(scratch.iterdir()) == []


def test_a_folder_whose_name_is_long_has_room_for_a_throwaway_server(environment: Environment, scratch: Path) -> None:
    backup = environment.backup()
    folder = scratch / ("x" * 120)
    folder.mkdir()
    folder.chmod(0o755)

    answer = environment.ops("backups", "verify", "--kind", "postgres", "--json", extra={"TMPDIR": str(folder)})

    assert answer.code == 0, answer.stderr
    assert _listed(environment) == {backup: True}


def test_the_production_server_has_no_part_in_a_verification(environment: Environment) -> None:
    backup = environment.backup()
    postgres = environment.settings["postgres"]
    environment.configure(postgres=postgres | {"port": 1})
    try:
        answer = environment.ops("backups", "verify", "--json")
    finally:
        environment.configure(postgres=postgres)

    assert answer.code == 0, answer.stderr
    assert _listed(environment) == {backup: True}


def test_a_second_verification_and_a_restore_at_the_same_time_go_on(environment: Environment, scratch: Path) -> None:
    environment.backup()
    process, _, pid = _begin_held(environment, scratch)
    second = environment.ops("backups", "verify", "--json")
    restored = environment.ops("restore", "postgres", "--into", "meanwhile", "--json")
    os.kill(pid, signal.SIGCONT)
    first = finish(process)

    assert second.code == 0, second.stderr
    assert restored.code == 0, restored.stderr
    assert first.code == 0, first.stderr


def test_a_dry_run_proves_nothing(environment: Environment) -> None:
    backup = environment.backup()

    answer = environment.ops("backups", "verify", "--dry-run", "--json")

    assert answer.code == 0
    assert answer.json["backups"]["postgres"] == backup
    assert _proof(environment, backup) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--kind", "mysql"), "--kind mysql is no kind of backup: postgres, redis, resources"),
        (("--id", "20200101T000000Z-00000000"), "there is no backup 20200101T000000Z-00000000"),
        (("--id", "yesterday"), "'yesterday' is no backup id"),
        ((), "there is no backup to verify"),
    ],
)
def test_what_does_not_exist_is_wrong_usage(environment: Environment, arguments: tuple[str, ...], words: str) -> None:
    answer = environment.ops("backups", "verify", *arguments, "--json")

    assert answer.code == 2
    assert words in answer.json["error"]


def test_a_backup_of_the_first_format_is_listed_verified_and_restored(environment: Environment) -> None:
    backup = json.loads((_FORMAT_1 / "manifest.json").read_bytes())["id"]
    for name in ("dump.zst", "manifest.json"):
        environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, name), Body=(_FORMAT_1 / name).read_bytes())

    assert _listed(environment) == {backup: False}
    verified = environment.ops("backups", "verify", "--json")
    restored = environment.ops("restore", "postgres", "--into", "from_before", "--json")

    assert verified.code == 0, verified.stderr
    assert restored.code == 0, restored.stderr
    assert _listed(environment) == {backup: True}
    assert environment.rows("SELECT count(*) FROM prices", "from_before") == [(300,)]


def test_the_content_of_an_old_backup_must_have_the_sha256_that_its_manifest_says(environment: Environment) -> None:
    manifest = json.loads((_FORMAT_1 / "manifest.json").read_bytes())
    manifest["uncompressed"]["sha256"] = "0" * 64
    environment.s3.put_object(
        Bucket=BUCKET, Key=_key(manifest["id"], "dump.zst"), Body=(_FORMAT_1 / "dump.zst").read_bytes()
    )
    environment.s3.put_object(
        Bucket=BUCKET, Key=_key(manifest["id"], "manifest.json"), Body=json.dumps(manifest).encode()
    )

    answer = environment.ops("backups", "verify", "--json")

    assert answer.code == 1, answer.stderr
    assert "what is in it is not what the manifest says" in answer.stdout + answer.stderr
    assert _listed(environment) == {manifest["id"]: False}
