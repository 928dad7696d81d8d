"""Encrypted backups against a real PostgreSQL and a real S3 endpoint."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.services import ops_environment
from tests.services.ops_environment import BUCKET, PREFIX, Environment, populate
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

pyrage: Any = importlib.import_module("pyrage")
_PRICES = 20_000


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair, and the file of the private key."""

    public: str
    secret: str
    file: str


def _keys(path: Path) -> Keys:
    identity = pyrage.x25519.Identity.generate()
    path.write_text(f"{identity}\n")
    return Keys(str(identity.to_public()), str(identity), str(path))


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server
) -> Iterator[tuple[Environment, Keys, Keys]]:
    folder = tmp_path_factory.mktemp("ops")
    with ops_environment.prepared(folder, postgres, s3) as environment:
        populate(environment, users=50, prices=_PRICES)
        yield environment, _keys(folder / "identity"), _keys(folder / "other")


@pytest.fixture
def environment(servers: tuple[Environment, Keys, Keys]) -> Iterator[Environment]:
    """Backups are encrypted; only who restores has the private key."""
    environment, keys, _ = servers
    environment.reset()
    good = environment.settings["backup"]
    environment.configure(backup={**good, "publicKey": keys.public})
    yield environment
    environment.configure(backup=good)


def _give_key(environment: Environment, file: str | None) -> None:
    environment.configure(backup={**environment.settings["backup"], "privateKeyFile": file})


def _object(backup: str) -> str:
    return f"{PREFIX}postgres/{backup}/dump.zst.age"


def test_what_is_stored_is_encrypted_the_manifest_says_so_and_it_restores(
    environment: Environment, servers: tuple[Environment, Keys, Keys]
) -> None:
    backup = environment.backup()

    manifest = environment.manifest(backup)
    assert manifest["encryption"] == {"method": "age", "recipient": servers[1].public}
    assert (manifest["formatVersion"], manifest["objectName"]) == (5, "dump.zst.age")
    stored = environment.s3.get_object(Bucket=BUCKET, Key=_object(backup))["Body"].read()
    assert stored.startswith(b"age-encryption.org/v1")
    plain = (
        zstandard.ZstdDecompressor()
        .decompressobj()
        .decompress(pyrage.decrypt(stored, [pyrage.x25519.Identity.from_str(servers[1].secret)]))
    )
    assert plain.startswith(b"PGDMP")
    _give_key(environment, servers[1].file)
    restored = environment.ops("restore", "postgres", "--into", "decrypted", "--json")
    verified = environment.ops("backups", "verify", "--json")
    assert restored.code == 0, restored.stderr
    assert verified.code == 0, verified.stderr
    assert environment.rows("SELECT count(*) FROM prices", "decrypted") == [(_PRICES,)]
    for text in (restored.stdout, restored.stderr, verified.stdout, verified.stderr, json.dumps(manifest)):
        assert servers[1].secret not in text


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("no key", 2, "and the settings name no private key; give its file as backup.privateKeyFile"),
        ("key of somebody else", 2, "nothing was touched, give the file of the right key"),
        ("no such file", 2, "cannot read the private key file"),
        ("another recipient in the manifest", 1, "cannot be decrypted"),
        ("truncated", 1, "the manifest says"),
        ("altered", 1, "cannot be decrypted"),
        ("replaced", 1, "cannot be decrypted"),
    ],
)
def test_what_cannot_be_opened_stops_before_anything_is_touched(
    environment: Environment, servers: tuple[Environment, Keys, Keys], case: str, code: int, words: str
) -> None:
    backup = environment.backup()
    _spoil(environment, servers, backup, case)
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--yes", "--json")
    verified = environment.ops("backups", "verify", "--json")

    assert answer.code == verified.code == code, answer.stderr
    assert words in answer.json["error"]
    assert words in verified.json["error"]
    assert environment.state() == before
    assert "restore started" not in answer.stderr
    assert f"{PREFIX}postgres/{backup}/proof.json" not in sorted(environment.keys())


def _spoil(environment: Environment, servers: tuple[Environment, Keys, Keys], backup: str, case: str) -> None:
    _, keys, other = servers
    stored = bytearray(environment.s3.get_object(Bucket=BUCKET, Key=_object(backup))["Body"].read())
    manifest = environment.manifest(backup)
    _give_key(environment, keys.file)
    match case:
        case "no key":
            _give_key(environment, None)
        case "key of somebody else":
            _give_key(environment, other.file)
        case "no such file":
            _give_key(environment, "/nowhere/identity")
        case "another recipient in the manifest":
            manifest["encryption"]["recipient"] = other.public
            _give_key(environment, other.file)
        case "truncated":
            del stored[-1]
        case "altered":
            stored[len(stored) // 2] ^= 1
        case "replaced":
            stored[:] = bytes(len(stored))
        case _:
            raise AssertionError(case)
    environment.s3.put_object(Bucket=BUCKET, Key=_object(backup), Body=bytes(stored))
    key = f"{PREFIX}postgres/{backup}/manifest.json"
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(manifest).encode())


def test_a_public_key_that_is_none_stops_the_backup(environment: Environment) -> None:
    environment.configure(backup={**environment.settings["backup"], "publicKey": "age1nothing"})

    answer = environment.ops("backup", "postgres", "--json")

    assert answer.code == 2
    assert "backup.publicKey is 'age1nothing', which is no age recipient" in answer.json["error"]
    assert environment.keys() == []


def test_backups_from_before_the_key_still_restore(
    environment: Environment, servers: tuple[Environment, Keys, Keys]
) -> None:
    encrypted = environment.settings["backup"]
    environment.configure(backup={**encrypted, "publicKey": None})
    plain = environment.backup()
    environment.configure(backup={**encrypted, "privateKeyFile": servers[1].file})
    sealed = environment.backup()

    for number, backup in enumerate((plain, sealed)):
        restored = environment.ops("restore", "postgres", "--id", backup, "--into", f"copy_{number}", "--json")
        assert restored.code == 0, restored.stderr
    listed = environment.ops("backups", "list", "--json").json["backups"]
    assert {entry["id"]: entry["encrypted"] for entry in listed} == {plain: False, sealed: True}
