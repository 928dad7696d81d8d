"""Signed backups beside a real PostgreSQL and a real S3 endpoint: write access to the bucket forges none of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.backup.keys import BackupId
from tests.services import ops_environment, signing_keys
from tests.services.ops_environment import BUCKET, PREFIX, Answer, Environment, populate
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=20, prices=300)
        yield environment


@pytest.fixture
def environment(servers: Environment, tmp_path: Path) -> Iterator[Environment]:
    """Backups are signed, each kind and the proofs by a key of its own."""
    servers.reset()
    unsigned = servers.settings["backup"]
    servers.configure(backup={**unsigned, "signers": signing_keys.signers(tmp_path)})
    yield servers
    servers.configure(backup=unsigned)


def _key(backup: str, name: str) -> str:
    return f"{PREFIX}postgres/{backup}/{name}"


def _read(environment: Environment, backup: str, name: str) -> dict[str, Any]:
    return json.loads(environment.s3.get_object(Bucket=BUCKET, Key=_key(backup, name))["Body"].read())


def _put(environment: Environment, backup: str, name: str, content: bytes | dict[str, Any]) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, name), Body=body)


def _signers(environment: Environment) -> dict[str, Any]:
    return environment.settings["backup"]["signers"]


def _configure(environment: Environment, **signers: Any) -> None:
    environment.configure(backup=environment.settings["backup"] | {"signers": _signers(environment) | signers})


def _file(environment: Environment, name: str) -> Path:
    return Path(_signers(environment)[name]["privateKeyFile"])


def _verify(environment: Environment, *arguments: str) -> Answer:
    return environment.ops("backups", "verify", "--kind", "postgres", *arguments, "--json")


def _proven(environment: Environment) -> str:
    backup = environment.backup()
    answer = _verify(environment)
    assert answer.code == 0, answer.stderr
    return backup


def _listed(environment: Environment) -> dict[str, dict[str, Any]]:
    answer = environment.ops("backups", "list", "--json")
    assert answer.code == 0, answer.stderr
    return {entry["id"]: entry for entry in answer.json["backups"]}


def _without_signature(environment: Environment, backup: str) -> None:
    manifest = environment.manifest(backup)
    del manifest["signature"]
    _put(environment, backup, "manifest.json", manifest | {"formatVersion": 4})


def test_a_backup_is_signed_by_its_job_its_proof_and_the_index_by_the_verifier_and_it_restores(
    environment: Environment,
) -> None:
    backup = _proven(environment)

    signed_by = {
        name: _read(environment, backup, name)["signature"]["publicKey"] for name in ("manifest.json", "proof.json")
    }
    index = json.loads(environment.s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/index.json")["Body"].read())
    (writer,), (verifier,) = (_signers(environment)[name]["publicKeys"] for name in ("postgres", "verify"))
    assert signed_by == {"manifest.json": writer, "proof.json": verifier}
    assert index["signature"]["publicKey"] == verifier
    listed = _listed(environment)[backup]
    assert (listed["signed"], listed["proven"]) == (True, True)
    restored = environment.ops("restore", "postgres", "--into", "signed", "--json")
    assert restored.code == 0, restored.stderr


# What a thief with write access to the bucket, and with the keys of other jobs, makes of a backup.
_FORGERIES = {
    "altered": "its signature is wrong",
    "of a key of the thief": "signs nothing here",
    "of the verifier": "signs nothing here",
    "of an older backup": "its signature is wrong",
    "of another kind": "its signature is wrong",
    "of no base64": "its signature is wrong",
}


@pytest.mark.parametrize("forgery", _FORGERIES)
def test_a_forged_manifest_is_neither_restored_nor_proven(
    environment: Environment, forgery: str, tmp_path: Path
) -> None:
    older = environment.backup()
    genuine = environment.manifest(older)
    backup = str(BackupId(BackupId.parse(older).time + timedelta(seconds=1), "0a1b2c3d"))
    dump = environment.s3.get_object(Bucket=BUCKET, Key=_key(older, "dump.zst"))["Body"].read()
    _put(environment, backup, "dump.zst", dump)
    own = genuine | {"id": backup}
    key = _key(backup, "manifest.json")
    match forgery:
        case "altered":
            signed = json.loads(signing_keys.signed(own, key, _file(environment, "postgres")))
            content = json.dumps(signed | {"durationSeconds": 7}).encode()
        case "of a key of the thief":
            signing_keys.make(tmp_path / "thief.pem")
            content = signing_keys.signed(own, key, tmp_path / "thief.pem")
        case "of the verifier":
            content = signing_keys.signed(own, key, _file(environment, "verify"))
        case "of an older backup":
            content = json.dumps(genuine).encode()
        case "of another kind":
            content = signing_keys.signed(own, key.replace("postgres", "redis"), _file(environment, "postgres"))
        case _:
            content = json.dumps(own | {"signature": genuine["signature"] | {"value": "?"}}).encode()
    _put(environment, backup, "manifest.json", content)
    before = environment.state()

    restored = environment.ops("restore", "postgres", "--unsigned", "--yes", "--json")
    verified = _verify(environment, "--unsigned")

    for answer in (restored, verified):
        assert answer.code == 1, answer.stderr
        assert f"manifest {key} is forged: " in answer.json["error"]
        assert _FORGERIES[forgery] in answer.json["error"]
    assert environment.state() == before
    listed = _listed(environment)
    assert (listed[backup]["readable"], listed[older]["signed"]) == (False, True)
    assert f"manifest {key} is forged" in environment.ops("backups", "list").stdout


def test_what_is_not_signed_is_told_and_needs_an_option(environment: Environment) -> None:
    backup = environment.backup()
    _without_signature(environment, backup)
    before = environment.state()

    refused = [environment.ops("restore", "postgres", "--yes", "--json"), _verify(environment)]

    for answer in refused:
        assert answer.code == 1, answer.stderr
        assert f"backup {backup} of postgres is not signed" in answer.json["error"]
        assert "give --unsigned if you know where it is from" in answer.json["error"]
    assert environment.state() == before
    assert _listed(environment)[backup]["signed"] is False
    assert "postgres: 1 not signed" in environment.ops("backups", "list").stdout
    restored = environment.ops("restore", "postgres", "--unsigned", "--into", "from_before", "--json")
    assert restored.code == 0, restored.stderr
    assert "the backup is not signed" in restored.stderr
    assert _verify(environment, "--unsigned").code == 0
    assert _listed(environment)[backup]["proven"] is True


def test_health_tells_how_many_are_not_signed_and_fails_where_the_newest_is_one(environment: Environment) -> None:
    def verdict() -> tuple[str, str]:
        answer = environment.ops("health", "--json", "--timeout", "60")
        found = next(check for check in answer.json["checks"] if check["name"] == "backup signed")
        return found["status"], found["value"]

    older, newer = sorted((environment.backup(), environment.backup()))
    all_signed = verdict()
    _without_signature(environment, older)
    one_old = verdict()
    _without_signature(environment, newer)

    assert [all_signed, one_old, verdict()] == [("ok", "2 of 2"), ("warn", "1 of 2"), ("fail", "0 of 2")]


@pytest.mark.parametrize("forgery", ["not signed", "of the writer", "of another backup", "altered"])
def test_a_forged_proof_proves_nothing(environment: Environment, forgery: str) -> None:
    proven = _proven(environment)
    backup = environment.backup()
    names = {"id": backup, "manifest": None, "stored": environment.manifest(backup)["stored"]}
    proof, key = _read(environment, proven, "proof.json") | names, _key(backup, "proof.json")
    match forgery:
        case "not signed":
            del proof["signature"]
        case "of the writer":
            proof = json.loads(signing_keys.signed(proof, key, _file(environment, "postgres")))
        case "of another backup":
            proof = json.loads(signing_keys.signed(proof, _key(proven, "proof.json"), _file(environment, "verify")))
        case _:
            proof = json.loads(signing_keys.signed(proof, key, _file(environment, "verify"))) | {"method": "restored!"}
    _put(environment, backup, "proof.json", proof)

    assert {name: entry["proven"] for name, entry in _listed(environment).items()} == {proven: True, backup: False}
    pruned = environment.ops("backups", "prune", "--dry-run", "--json")
    assert next(kind["superseded"] for kind in pruned.json["kinds"] if kind["kind"] == "postgres") == []
    drilled = environment.ops("drill", "--dry-run", "--json")
    assert drilled.json["backups"]["postgres"] == proven


def test_a_manifest_that_a_stolen_job_writes_over_a_proven_one_is_not_proven(environment: Environment) -> None:
    backup = _proven(environment)
    manifest = environment.manifest(backup) | {"databaseBytes": 1}
    key = _key(backup, "manifest.json")
    _put(environment, backup, "manifest.json", signing_keys.signed(manifest, key, _file(environment, "postgres")))

    listed = _listed(environment)[backup]

    assert (listed["readable"], listed["proven"]) == (True, False)


def test_a_forged_index_is_none(environment: Environment) -> None:
    backup = _proven(environment)
    index_key = f"{PREFIX}postgres/index.json"
    index = json.loads(environment.s3.get_object(Bucket=BUCKET, Key=index_key)["Body"].read())
    index["backups"][backup]["facts"]["total"] = 77
    environment.s3.put_object(Bucket=BUCKET, Key=index_key, Body=json.dumps(index).encode())

    assert _listed(environment)[backup]["rows"] == 320


def test_a_key_is_replaced_without_a_gap_and_no_longer_taken_once_it_is_removed(
    environment: Environment, tmp_path: Path
) -> None:
    older = environment.backup()
    file = tmp_path / "new.pem"
    old, new = _signers(environment)["postgres"]["publicKeys"][0], signing_keys.make(file)
    _configure(environment, postgres={"publicKeys": [old, new], "privateKeyFile": str(file)})
    newer = environment.backup()

    assert environment.manifest(newer)["signature"]["publicKey"] == new
    assert {entry["signed"] for entry in _listed(environment).values()} == {True}
    both = [environment.ops("restore", "postgres", "--dry-run", "--id", each).code for each in (older, newer)]
    _configure(environment, postgres={"publicKeys": [new], "privateKeyFile": str(file)})
    removed = environment.ops("restore", "postgres", "--dry-run", "--id", older, "--json")

    assert both == [0, 0]
    assert removed.code == 1
    assert f"it is signed by {old!r}, which signs nothing here ({new} do)" in removed.json["error"]


def test_a_copy_of_the_bucket_keeps_its_signatures(environment: Environment) -> None:
    backup = _proven(environment)
    copy = "replica"
    environment.s3.create_bucket(Bucket=copy, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for key in sorted(environment.keys()):
        content = environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        environment.s3.put_object(Bucket=copy, Key=key, Body=content)
    environment.configure(backup=environment.settings["backup"] | {"bucket": copy})

    listed = _listed(environment)[backup]

    assert (listed["signed"], listed["proven"]) == (True, True)


@pytest.mark.parametrize("wrong", ["missing", "no key", "a public key", "of another signer"])
def test_a_signing_key_that_is_wrong_stops_a_backup_and_a_verification_before_they_begin(
    environment: Environment, wrong: str, tmp_path: Path
) -> None:
    backup = environment.backup()
    before = environment.keys()
    file = tmp_path / "wrong.pem"
    match wrong:
        case "missing":
            words = f"cannot read the signing key {file}: No such file or directory"
        case "no key":
            file.write_text("a secret that is no key\n")
            words = f"the signing key {file} holds no private key of Ed25519 in PEM"
        case "a public key":
            private = tmp_path / "other.pem"
            signing_keys.make(private)
            subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(file)], check=True)
            words = f"the signing key {file} holds no private key of Ed25519 in PEM"
        case _:
            words = f"the signing key {file} is that of {signing_keys.make(file)}, which is not in backup.signers."
    for name in ("postgres", "verify"):
        _configure(environment, **{name: _signers(environment)[name] | {"privateKeyFile": str(file)}})

    for answer in (environment.ops("backup", "postgres", "--json"), _verify(environment)):
        assert answer.code == 2, answer.stderr
        assert words in answer.json["error"]
        assert "a secret" not in answer.stdout + answer.stderr
    assert environment.keys() == before
    assert _listed(environment)[backup]["signed"] is True


def test_without_signers_nothing_is_signed_and_no_signature_is_looked_at(environment: Environment) -> None:
    signed = environment.backup()
    _put(environment, signed, "manifest.json", environment.manifest(signed) | {"durationSeconds": 1})
    environment.configure(backup=environment.settings["backup"] | {"signers": None})
    unsigned = environment.backup()

    assert "signature" not in environment.manifest(unsigned)
    assert _verify(environment).code == 0
    assert {entry["signed"] for entry in _listed(environment).values()} == {False}
    assert "not signed" not in environment.ops("backups", "list").stdout
    assert environment.ops("restore", "postgres", "--id", signed, "--dry-run", "--json").code == 0
