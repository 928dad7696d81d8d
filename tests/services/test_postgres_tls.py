"""What the program renders for a PostgreSQL of somebody else is verified by each client: ops, PgBouncer, the exporter.

A real server with TLS stands outside. A wrong authority, another host's certificate and a server without TLS are
refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from components.ops_config import secret_directory
from local import toolchain
from runbook import datastores, settings
from runbook.ops_paths import CONFIG_FILE
from runbook.ops_settings import OpsSettings
from scripts.clients import postgres
from scripts.clients.postgres import Access
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values
from tests.running.owned import owned_folder
from tests.running.slots import free_port
from tests.services import ops_environment, servers, sinks
from tests.services.ops_environment import Answer
from tests.services.servers import SUPERUSER, Server
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(servers.postgres_programs() is None, reason="no PostgreSQL server is installed")
_PASSWORD = "correct-hörse:battery"
_CA = "database-ca"
_POOLER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture(scope="module")
def outside() -> Iterator[Server]:
    """PostgreSQL with a certificate for 127.0.0.1, and every login that a stack's settings name."""
    with servers.postgres(_PASSWORD, encrypted=True) as server:
        with _superuser(server) as session:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(datastores.DATABASE)))
            for user in {*_users(_stack(server)), datastores.MONITORING_ROLE}:
                role = sql.Identifier(user)
                session.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(role, _PASSWORD))
        yield server


def _superuser(server: Server) -> psycopg.Connection:
    return psycopg.connect(
        host=server.host, port=server.port, user=SUPERUSER, password=_PASSWORD, dbname="postgres", autocommit=True
    )


def _stack(server: Server, host: str = "127.0.0.1") -> list[Registered]:
    external = {"host": host, "port": server.port, "caSecret": _CA}
    return engine.registered(settings.load({**stack_values("prod"), "postgres": {"external": external}}), "outside")


def _rendered(stack: list[Registered]) -> dict[str, Any]:
    return json.loads(look.named(stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE])


def _users(stack: list[Registered]) -> set[str]:
    """The logins of ``ops``, without the superuser, which is the server's own."""
    logins = _logins(_rendered(stack)["postgres"])
    assert logins
    return {each["user"] for each in logins}


def _logins(target: dict[str, Any]) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", each) for each in target.values() if isinstance(each, dict)]


def _trusting(authority: Path, folder: Path) -> Path:
    """A folder with the files of the Secrets; its authority is the certificate in ``authority``, without its key."""
    (folder / _CA).mkdir()
    (folder / _CA / "ca.crt").write_text(authority.read_text().partition("-----BEGIN PRIVATE")[0])
    return folder


def _own(server: Server) -> Path:
    """The certificate of the server, which it has signed itself."""
    return server.log.parent / "mail.pem"


def _target(server: Server, authority: Path, folder: Path, host: str = "127.0.0.1") -> dict[str, Any]:
    """The settings of ``ops`` as the program renders them, with files of this machine."""
    text = json.dumps(_rendered(_stack(server, host))["postgres"])
    rendered: dict[str, Any] = json.loads(text.replace(secret_directory(_CA), str(_trusting(authority, folder) / _CA)))
    (folder / "password").write_text(_PASSWORD)
    for login in _logins(rendered):
        login["passwordFile"] = str(folder / "password")
    return rendered


def _connections(target: dict[str, Any], folder: Path) -> Answer:
    return ops_environment.without_servers(folder, postgres=target).ops("db", "connections", "--json")


def test_ops_reads_from_a_server_that_the_named_authority_vouches_for(outside: Server, tmp_path: Path) -> None:
    target = _target(outside, _own(outside), tmp_path)
    assert target["caFile"] == f"{tmp_path}/{_CA}/ca.crt"

    answer = _connections(target, tmp_path)

    assert answer.code == 0, answer.stderr


@pytest.mark.parametrize("mistake", ["wrong authority", "wrong host", "no TLS", "no file"])
def test_ops_refuses_a_server_that_nobody_vouches_for_in_one_line(
    outside: Server, worker_postgres: Server, tmp_path: Path, mistake: str
) -> None:
    other = sinks.certificate(tmp_path)
    target = _target(outside, other if mistake == "wrong authority" else _own(outside), tmp_path)
    said = "certificate verify failed; check postgres.host, postgres.tls and postgres.caFile in the settings"
    match mistake:
        case "wrong host":
            target["host"] = "localhost"
            said = 'does not match host name "localhost"; check postgres.host'
        case "no TLS":
            target["port"] = worker_postgres.port
            said = "server does not support SSL, but SSL was required; check postgres.host"
        case "no file":
            target["caFile"] = "/not/there"
            said = "postgres.caFile is '/not/there', which cannot be used: No such file or directory"
        case _:
            pass

    answer = _connections(target, tmp_path)

    assert answer.code == 2
    assert said in answer.error
    assert "Traceback" not in answer.stderr
    assert _PASSWORD not in answer.stderr


@pytest.mark.parametrize("trusted", [True, False])
def test_a_client_program_verifies_as_ops_does(outside: Server, tmp_path: Path, trusted: bool) -> None:
    authority = _own(outside) if trusted else sinks.certificate(tmp_path)
    environment = ops_environment.without_servers(tmp_path, postgres=_target(outside, authority, tmp_path))
    target = OpsSettings.model_validate_json(environment.config.read_text()).postgres
    access = Access.of(target, target.superuser)
    program = servers.postgres_programs()
    assert program is not None
    with postgres.child_login(access, datastores.DATABASE, "test") as (variables, descriptors):
        done = subprocess.run(
            [program / "psql", "-Atc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"],
            env=dict(variables), pass_fds=descriptors, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode == 0, done.stdout.strip()) == (trusted, "t" if trusted else "")
    assert trusted or "certificate verify failed" in done.stderr


def test_what_the_environment_asks_of_tls_holds_for_client_programs_too(
    worker_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    access = Access(worker_postgres.host, worker_postgres.port, SUPERUSER, "secret")
    with postgres.child_login(access, "postgres", "test") as (variables, _):
        assert variables["PGSSLMODE"] == "verify-full"


@pytest.mark.parametrize(
    ("asked", "mode"), [("verify-full", "verify-full"), ("verify-ca", "verify-ca"), ("disable", "require")]
)
def test_the_environment_asks_for_more_than_the_settings_and_for_no_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, mode: str
) -> None:
    environment = ops_environment.without_servers(tmp_path)
    rendered = environment.settings["postgres"]
    for login in _logins(rendered):
        login["passwordFile"] = str(tmp_path / "password")
    (tmp_path / "password").write_text(_PASSWORD)
    environment.configure(postgres={**rendered, "tls": True})
    target = OpsSettings.model_validate_json(environment.config.read_text()).postgres
    monkeypatch.setenv("PGSSLMODE", asked)
    assert Access.of(target, target.superuser).sslmode == mode


@pytest.mark.skipif(_POOLER is None, reason="no PgBouncer is installed")
@pytest.mark.parametrize("mistake", ["", "wrong authority", "wrong host", "no TLS"])
def test_pgbouncer_shares_connections_to_a_server_that_it_verifies_and_to_no_other(
    outside: Server, worker_postgres: Server, tmp_path: Path, mistake: str
) -> None:
    server = worker_postgres if mistake == "no TLS" else outside
    authority = sinks.certificate(tmp_path) if mistake == "wrong authority" else _own(outside)
    stack = _stack(server, "localhost" if mistake == "wrong host" else "127.0.0.1")
    with _pooler(stack, authority) as pooler:
        if not mistake:
            with _asked(pooler) as session:
                found = session.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall()
            assert found == [(True,)]
            return
        # A login that the server refuses would be told in the server's words: here PgBouncer sends none.
        with pytest.raises(psycopg.OperationalError, match="query_wait_timeout"), _asked(pooler):
            pass


def _asked(pooler: Server) -> psycopg.Connection:
    return psycopg.connect(
        host=pooler.host,
        port=pooler.port,
        user=datastores.DATABASE_OWNER,
        password=_PASSWORD,
        dbname=datastores.DATABASE,
        connect_timeout=10,
    )


@contextmanager
def _pooler(stack: list[Registered], authority: Path) -> Generator[Server]:
    """PgBouncer with the rendered file, whose folders are those that its pod mounts."""
    assert _POOLER is not None
    pod = look.named(stack, "Deployment", "pgbouncer")["spec"]["template"]["spec"]
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    named = {each["secret"]["secretName"]: mounts[each["name"]] for each in pod["volumes"] if "secret" in each}
    ini = look.named(stack, "ConfigMap", "pgbouncer-config")["data"]["pgbouncer.ini"]
    port = free_port()
    user = "postgres" if os.geteuid() == 0 else None
    with owned_folder(user) as folder:
        _trusting(authority, folder)
        (folder / "userlist.txt").write_text(f'"{datastores.DATABASE_OWNER}" "{_PASSWORD}"\n')
        ini = ini.replace(f"{named[_CA]}/", f"{folder / _CA}/").replace(f"{named['pgbouncer-userlist']}/", f"{folder}/")
        (folder / "pgbouncer.ini").write_text(ini.replace("listen_port = 6432", f"listen_port = {port}"))
        # Else it tries a server that refused it again for as long as its own client waits.
        with (folder / "pgbouncer.ini").open("a") as file:
            file.write("query_wait_timeout = 5\n")
        with servers.listening([_POOLER, str(folder / "pgbouncer.ini")], port, folder, user=user) as server:
            yield server


@pytest.mark.parametrize("trusted", [True, False])
def test_the_exporter_shows_a_server_that_it_verifies_and_no_other(
    outside: Server, tmp_path: Path, trusted: bool
) -> None:
    program = toolchain.ensure(["postgres-exporter"])["postgres-exporter"]
    pod = look.named(_stack(outside), "Deployment", "postgres-exporter")["spec"]["template"]["spec"]
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    folders = {each["secret"]["secretName"]: mounts[each["name"]] for each in pod["volumes"] if "secret" in each}
    _trusting(_own(outside) if trusted else sinks.certificate(tmp_path), tmp_path)
    (tmp_path / "password").write_text(_PASSWORD)
    variables = {
        each["name"]: each["value"]
        .replace(folders[_CA], f"{tmp_path}/{_CA}")
        .replace(folders["postgres-monitoring"], str(tmp_path))
        for each in pod["containers"][0]["env"]
    }
    port = free_port()
    command = [str(program), f"--web.listen-address=127.0.0.1:{port}"]
    with servers.listening(command, port, tmp_path, environment={**variables, "PATH": os.environ["PATH"]}) as server:
        wait_until(lambda: "pg_up " in _metrics(server), "it tells whether the server is up")
        assert f"pg_up {int(trusted)}\n" in _metrics(server)
        assert trusted or "certificate signed by unknown authority" in server.log.read_text()


def _metrics(server: Server) -> str:
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=30) as answer:
        return answer.read().decode()


def test_without_a_named_authority_the_connection_is_encrypted_and_not_verified(outside: Server) -> None:
    access = Access(outside.host, outside.port, SUPERUSER, _PASSWORD, sslmode="require")
    with postgres.connect(access, "postgres", application="test") as session:
        found = session.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall()
    assert found == [(True,)]
