"""The roles of the backup bucket, enforced by MinIO: each job does its work with its own, and no other's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import minio
import pytest
import redis
from botocore.config import Config
from botocore.exceptions import ClientError
from minio.credentials.providers import StaticProvider

from components.storage import documents
from runbook import bucket_roles
from runbook.bucket_roles import BucketRole
from tests.services import kube_api, ops_environment, servers
from tests.services.ops_environment import AWS_SECRET, BUCKET, PREFIX, Answer, Environment
from tests.services.servers import Server

# MinIO is compiled where it is not there yet.
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]
_BACKUP: Final = "20260301T020000Z-0a1b2c3d"
# A name for each key that a role could ask for.
_KEYS: Final = {
    f"{kind} {name}": f"{PREFIX}{kind}/{_BACKUP}/{file}"
    for kind, data in (("postgres", "dump.zst"), ("redis", "dump.rdb.zst.age"), ("resources", "objects.jsonl.zst"))
    for name, file in (
        ("data", data),
        ("manifest", "manifest.json"),
        ("proof", "proof.json"),
        ("acceptance", "accepted.json"),
    )
} | {
    "postgres index": f"{PREFIX}postgres/index.json",
    "redis index": f"{PREFIX}redis/index.json",
    "resources index": f"{PREFIX}resources/index.json",
    "incident": f"{PREFIX}incidents/INC-1.md",
    "drill": f"{PREFIX}drills/report.json",
    "health": f"{PREFIX}health/history.json",
    "logs": f"{PREFIX}logs/memory.json",
    "access": f"{PREFIX}access/review.json",
    "another stack's manifest": f"other/postgres/{_BACKUP}/manifest.json",
}
_KINDS: Final = ("postgres", "redis", "resources")
_ALL: Final = {f"{kind} {name}" for kind in _KINDS for name in ("data", "manifest", "proof", "acceptance", "index")}
_FACTS: Final = _ALL - {f"{kind} data" for kind in _KINDS}
_PROOFS: Final = {f"{kind} {name}" for kind in _KINDS for name in ("proof", "index")}
# Keys that a role reads, writes and deletes.
_MAY: Final[dict[str, tuple[set[str], set[str], set[str]]]] = {
    "postgres": ({"postgres manifest"}, {"postgres data", "postgres manifest"}, set()),
    "redis": ({"redis manifest"}, {"redis data", "redis manifest"}, set()),
    "resources": ({"resources manifest"}, {"resources data", "resources manifest"}, set()),
    "verify": (_ALL, _PROOFS, set()),
    "prune": (_ALL, set(), _ALL),
    "drill": (_ALL, {"drill"}, set()),
    "state": (_FACTS, set(), set()),
    "health": (_FACTS | {"health"}, {"health"}, set()),
    "logs": ({"logs"}, {"logs"}, set()),
    "incidents": ({"incident"}, {"incident"}, set()),
    "access": ({"access"}, {"access"}, set()),
}


@pytest.fixture(scope="module")
def store() -> Iterator[Server]:
    with servers.minio("test", AWS_SECRET) as server:
        admin: Any = minio.MinioAdmin(
            endpoint=server.address, credentials=StaticProvider("test", AWS_SECRET), secure=False
        )
        for role in bucket_roles.ALL:
            admin.user_add(_user(role), AWS_SECRET)
            admin.policy_add(role.name, policy=_policy(role))
            admin.attach_policy([role.name], user=_user(role))
        yield server


def _user(role: BucketRole) -> str:
    return f"role-{role.name}"


def _policy(role: BucketRole) -> dict[str, Any]:
    """The role's policy without its part about AWS's key service, which MinIO does not have."""
    document = json.loads(documents.bucket_role(role, f"arn:aws:s3:::{BUCKET}", "arn:aws:kms:::key/1", PREFIX))
    rest = [statement for statement in document["Statement"] if statement["Sid"] != "UseKey"]
    assert len(rest) == len(document["Statement"]) - 1
    return document | {"Statement": rest}


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, redis_server: Server, store: Server
) -> Iterator[Environment]:
    with (
        ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, store) as environment,
        kube_api.serving(kube_api.KINDS) as api,
    ):
        api.kubeconfig(environment.folder)
        api.add_served("configmaps", "config", data={"key": "value"})
        environment.configure(redis={"host": redis_server.host, "port": redis_server.port})
        ops_environment.populate(environment, users=10, prices=10)
        client: Any = redis.Redis(redis_server.host, redis_server.port)
        client.set("key", "value")
        yield environment


def _client(environment: Environment, role: BucketRole) -> Any:
    return boto3.client(  # pyright: ignore[reportUnknownMemberType]
        "s3",
        endpoint_url=f"http://{environment.store.address}",
        region_name="eu-central-1",
        aws_access_key_id=_user(role),
        aws_secret_access_key=AWS_SECRET,
        config=Config(proxies={}),
    )


def _allowed(action: Callable[[str], Any]) -> set[str]:
    found: set[str] = set()
    for name, key in _KEYS.items():
        try:
            action(key)
        except ClientError as error:
            assert error.response.get("Error", {}).get("Code") == "AccessDenied", error  # noqa: PT017 - it ends the test
        else:
            found.add(name)
    return found


@pytest.mark.parametrize("role", bucket_roles.ALL, ids=lambda role: role.name)
def test_a_role_reaches_the_keys_of_its_table_and_no_other(environment: Environment, role: BucketRole) -> None:
    for key in _KEYS.values():
        environment.s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    client, (reads, writes, ends) = _client(environment, role), _MAY[role.name]

    assert _allowed(lambda key: client.get_object(Bucket=BUCKET, Key=key)) == reads
    assert _allowed(lambda key: client.put_object(Bucket=BUCKET, Key=key, Body=b"{}")) == writes
    tagged = {"TagSet": [{"Key": "superseded", "Value": "true"}]}
    assert _allowed(lambda key: client.put_object_tagging(Bucket=BUCKET, Key=key, Tagging=tagged)) == ends
    assert _allowed(lambda key: client.delete_object(Bucket=BUCKET, Key=key)) == ends
    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_objects_v2(Bucket=BUCKET, Prefix="other/")


def _run(environment: Environment, role: str, *arguments: str) -> Answer:
    extra = {
        "AWS_ACCESS_KEY_ID": f"role-{role}",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "KUBECONFIG": str(environment.folder / "kubeconfig"),
    }
    return environment.ops(*arguments, "--json", extra=extra)


def test_each_job_does_its_work_with_its_own_role(environment: Environment) -> None:
    environment.reset()
    for kind in _KINDS:
        answer = _run(environment, kind, "backup", kind)
        assert answer.code == 0, answer.stderr
    for role, command in (
        ("verify", ("backups", "verify")),
        ("prune", ("backups", "prune")),
        ("drill", ("drill",)),
        ("incidents", ("incident", "remind")),
        ("incidents", ("incident", "review")),
    ):
        answer = _run(environment, role, *command)
        assert answer.code == 0, (command, answer.stderr)
    shown = _run(environment, "state", "backups", "list").json["backups"]
    assert {entry["kind"] for entry in shown if entry["proven"]} == set(_KINDS)
    # They find something, or not, and remember it.
    for role, command in (("logs", ("logs",)), ("access", ("access", "review"))):
        answer = _run(environment, role, *command)
        assert answer.code in {0, 1}, (command, answer.stderr)
        assert "AccessDenied" not in answer.stderr, (command, answer.stderr)
    written = environment.keys()
    folders = {key.removeprefix(PREFIX).partition("/")[0] for key in written}
    assert folders >= {*_KINDS, "drills", "logs"}


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("postgres", ("backup", "redis")),
        ("postgres", ("backups", "verify", "--kind", "postgres")),
        ("verify", ("backup", "postgres")),
        ("drill", ("backup", "postgres")),
        ("state", ("backups", "verify", "--kind", "postgres")),
        ("incidents", ("backup", "resources")),
    ],
)
def test_a_job_does_none_of_another_ones_work(environment: Environment, role: str, command: tuple[str, ...]) -> None:
    environment.reset()
    made = _run(environment, "postgres", "backup", "postgres")
    assert made.code == 0, made.stderr
    before = environment.keys()

    answer = _run(environment, role, *command)

    assert answer.code != 0
    assert "AccessDenied" in answer.stderr
    assert environment.keys() == before
