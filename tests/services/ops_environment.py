"""What the operations program works on in tests: a database with data, a bucket, and the settings that name them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
import psycopg
from botocore.config import Config
from psycopg import sql

from runbook import database_roles
from runbook.database_roles import Names
from runbook.datastores import DATABASE
from tests.services import servers
from tests.services.faulty_s3 import FaultyS3, faulty_s3
from tests.services.ops_process import OpsProcess
from tests.services.servers import SUPERUSER, Gate, Server

BUCKET: Final = "backups"
PREFIX: Final = "crypto-analytics/"
PASSWORDS: Final = {
    "superuser": "Sup3r-Gehe!m",
    "owner": "0wner:Gehe\\im",
    "services": "s3rvices'Geheim",
    "maintenance": 'm4intenance"Geheim',
    "reaper": "r3aper\\Geheim",
    "backup": "b@ckup-Geheim 7",
    "monitoring": "m0nitoring%Geheim",
}
USERS: Final = {"superuser": SUPERUSER, **{role.key: role.name for role in database_roles.ALL}}
AWS_SECRET: Final = "aws-Secret-Key-Value-42"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a run of ``ops`` ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        lines = self.stdout.splitlines()
        assert len(lines) == 1, self.stdout + self.stderr
        return json.loads(lines[0])

    @property
    def error(self) -> str:
        """The line that a user is shown."""
        return next(line for line in reversed(self.stderr.splitlines()) if line.startswith("ops"))


@dataclass(slots=True)
class Environment:
    """A running environment."""

    folder: Path
    database: Server
    store: Server
    settings: dict[str, Any]
    running: list[OpsProcess | subprocess.Popen[str]] = field(
        default_factory=list["OpsProcess | subprocess.Popen[str]"]
    )

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    def configure(self, **changes: Any) -> None:
        """Write the settings file, with whole sections replaced."""
        self.settings |= changes
        self.config.write_text(json.dumps(self.settings))

    def environment(self) -> dict[str, str]:
        """The environment variables of a container that runs ``ops``."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "OPS_CONFIG": str(self.config),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "OPS_TERMINATION_LOG": str(self.folder / "termination-log"),
            "COLUMNS": "200",
        }

    def start(self, *arguments: str, extra: Mapping[str, str] | None = None) -> OpsProcess:
        """Start ``ops`` and do not wait."""
        process = OpsProcess(arguments, self.environment() | dict(extra or {}))
        self.running.append(process)
        return process

    def start_anew(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start ``ops`` as a shell does, every import included."""
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=self.environment(),
        )
        self.running.append(process)
        return process

    def ops(self, *arguments: str, extra: Mapping[str, str] | None = None) -> Answer:
        """Run ``ops`` to its end."""
        process = self.start(*arguments, extra=extra)
        return finish(process)

    @contextmanager
    def connect(self, database: str = DATABASE, role: str = "superuser") -> Generator[psycopg.Connection]:
        """A session in autocommit mode."""
        connection = psycopg.connect(
            host=self.database.host,
            port=self.database.port,
            user=USERS[role],
            password=PASSWORDS[role],
            dbname=database,
            autocommit=True,
        )
        try:
            yield connection
        finally:
            connection.close()

    def rows(self, query: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """The rows of a query as superuser."""
        with self.connect(database) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement that has no rows, as superuser."""
        with self.connect(database) as connection:
            connection.execute(statement.encode())

    def databases(self) -> list[str]:
        return sorted(
            row[0]
            for row in self.rows("SELECT datname FROM pg_database WHERE NOT datistemplate", "postgres")
            if row[0] != "postgres"
        )

    @property
    def s3(self) -> Any:
        return boto3.client(  # pyright: ignore[reportUnknownMemberType] - boto3 has no types
            "s3",
            endpoint_url=f"http://{self.store.address}",
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key=AWS_SECRET,
            config=Config(proxies={}),
        )

    @contextmanager
    def gated(self) -> Generator[Gate]:
        """A gate between ``ops`` and the bucket while the block runs."""
        direct = self.settings["backup"]
        with servers.gate(self.store) as relay:
            self.configure(backup={**direct, "endpoint": f"http://127.0.0.1:{relay.port}"})
            try:
                yield relay
            finally:
                self.configure(backup=direct)

    @contextmanager
    def faulty(self) -> Generator[FaultyS3]:
        """A proxy that fails on demand between ``ops`` and the bucket while the block runs."""
        direct = self.settings["backup"]
        with faulty_s3(self.store) as proxy:
            self.configure(backup={**direct, "endpoint": f"http://127.0.0.1:{proxy.port}"})
            try:
                yield proxy
            finally:
                self.configure(backup=direct)

    def end(self) -> None:
        """End every run of ``ops`` that goes on."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()

    def reset(self) -> None:
        """Empty the bucket and drop every database but the one of the services."""
        for upload in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self.s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
        for key in self.keys():
            self.s3.delete_object(Bucket=BUCKET, Key=key)
        with self.connect("postgres") as connection:
            for name in self.databases():
                if name != DATABASE:
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def state(self) -> list[tuple[Any, ...]]:
        """What must not change when a restore is refused: databases and roles by their identity, the services' rows."""
        known = self.rows("SELECT oid, datname FROM pg_database ORDER BY oid", "postgres")
        known += self.rows("SELECT oid, rolname FROM pg_roles ORDER BY oid", "postgres")
        return known + self.rows("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM prices)")

    def backup(self) -> str:
        """A backup; its id."""
        answer = self.ops("backup", "postgres", "--json")
        assert answer.code == 0, answer.stderr
        return answer.json["id"]

    def keys(self) -> list[str]:
        """Every key in the bucket."""
        return sorted(item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []))

    def uploads(self) -> list[str]:
        """Keys of unfinished uploads."""
        return [item["Key"] for item in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    def manifest(self, backup: str) -> dict[str, Any]:
        key = f"{PREFIX}postgres/{backup}/manifest.json"
        return json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def await_log(process: OpsProcess, message: str) -> dict[str, Any]:
    """Read the log until a line with ``message``."""
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("{") and (record := json.loads(line))["message"] == message:
            return record
    raise AssertionError(f"no {message!r} in the log: {''.join(seen)}")


def finish(process: OpsProcess) -> Answer:
    """Wait for a run of ``ops``."""
    stdout, stderr = process.communicate(timeout=120)
    return Answer(process.wait(), stdout, stderr)


def without_servers(folder: Path, **sections: Any) -> Environment:
    """Only the settings file, for commands that need neither the database nor the bucket."""
    nowhere = Server("127.0.0.1", 1, 0, folder / "none")
    environment = Environment(folder, nowhere, nowhere, _settings(folder, nowhere, nowhere))
    environment.configure(**sections)
    (folder / "termination-log").touch()
    return environment


def postgres() -> AbstractContextManager[Server]:
    """PostgreSQL as ``prepared`` needs it."""
    settings = {"max_prepared_transactions": "2", "shared_preload_libraries": "pg_stat_statements"}
    return servers.postgres(PASSWORDS["superuser"], settings)


def empty_postgres(server: Server) -> None:
    """Drop every database and every role but those that PostgreSQL begins with."""
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=SUPERUSER,
        password=PASSWORDS["superuser"],
        dbname="postgres",
        autocommit=True,
    ) as connection:
        databases = connection.execute("SELECT datname FROM pg_database WHERE datname <> 'postgres' AND datallowconn")
        for (name,) in databases.fetchall():
            if name != "template1":
                connection.execute(sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE false").format(sql.Identifier(name)))
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        roles = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname <> %s AND rolname NOT LIKE 'pg\\_%%'", [SUPERUSER]
        )
        for (name,) in roles.fetchall():
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def running(folder: Path, bucket: Callable[[], AbstractContextManager[Server]] = servers.s3) -> Generator[Environment]:
    """``prepared`` with servers that end with the block."""
    with postgres() as database, bucket() as store, prepared(folder, database, store) as environment:
        yield environment


@contextmanager
def prepared(folder: Path, database: Server, store: Server) -> Generator[Environment]:
    """The roles of the stack in an empty PostgreSQL, an empty bucket of ``store``, and the settings file."""
    environment = Environment(folder, database, store, _settings(folder, database, store))
    environment.configure()
    (folder / "termination-log").touch()
    (folder / "credentials").write_text(f"[default]\naws_access_key_id = test\naws_secret_access_key = {AWS_SECRET}\n")
    for name, password in PASSWORDS.items():
        (folder / name).write_text(f"{password}\n")
    _roles(environment)
    environment.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    try:
        yield environment
    finally:
        environment.end()


def _settings(folder: Path, database: Server, store: Server) -> dict[str, Any]:
    def login(user: str, name: str) -> dict[str, str]:
        return {"user": user, "passwordFile": str(folder / name)}

    return {
        "namespace": "crypto",
        "timeZone": "UTC",
        "postgres": {
            "host": database.host,
            "port": database.port,
            "database": DATABASE,
            **{name: login(user, name) for name, user in USERS.items()},
        },
        "redis": {"host": "127.0.0.1", "port": 1},
        "kafka": {"bootstrap": "127.0.0.1:1", "brokers": 1, "topic": "price_updates", "group": "analytics-service"},
        "services": [],
        "backup": {
            "bucket": BUCKET,
            "prefix": PREFIX,
            "region": "eu-central-1",
            "endpoint": f"http://{store.address}",
            "retentionDays": 30,
        },
    }


def _roles(environment: Environment) -> None:
    with environment.connect("postgres") as connection:
        for role in database_roles.ALL:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role.name), PASSWORDS[role.key])
            )
        for statement in database_roles.memberships(Names()):
            connection.execute(statement.encode())
        owner = sql.Identifier(database_roles.OWNER.name)
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), owner))
    with environment.connect() as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        with connection.transaction():
            for statement in database_roles.arrangement(Names(), DATABASE):
                connection.execute(statement.encode())


def populate(environment: Environment, users: int, prices: int) -> None:
    """Tables like those of the services, with rows that do not compress to nothing."""
    with environment.connect(role="owner") as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS users (id bigserial PRIMARY KEY, email text UNIQUE, created timestamptz)"
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS prices (id bigserial PRIMARY KEY, coin_id text, price numeric, "
            "payload text, ts timestamptz)"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS empty_table (id int)")
        connection.execute(
            "INSERT INTO users (email, created) SELECT gen_random_uuid() || '@example.com', now() "
            "FROM generate_series(1, %s)",
            (users,),
        )
        connection.execute(
            "INSERT INTO prices (coin_id, price, payload, ts) SELECT 'coin' || i %% 50, random() * 1000, "
            "md5(random()::text) || md5(random()::text), now() - i * interval '1 s' FROM generate_series(1, %s) i",
            (prices,),
        )
