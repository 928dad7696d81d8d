"""Real servers for tests: PostgreSQL, Redis, Kafka and an S3 endpoint.

Each listens on a free port, keeps its data in a folder of its own, and is a context manager that ends what it started
and nothing else.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local import toolchain
from local.images.kafka_jars import fetch_jars
from local.images.layout import Layout
from local.images.process import Children
from tests.running.owned import owned, owned_folder
from tests.running.slots import free_port
from tests.services.sinks import certificate
from tests.waiting import wait_until

SUPERUSER = "superuser"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    host: str
    port: int
    pid: int
    log: Path

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def accepts(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def postgres_programs() -> Path | None:
    """The folder of the newest installed PostgreSQL server, None without one."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)


def _other_user() -> str | None:
    """The user as which a server runs that refuses root; None where this is not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def listening(
    command: Sequence[str],
    port: int,
    folder: Path,
    stop: signal.Signals = signal.SIGTERM,
    *,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[Server]:
    """A command that listens on ``port`` and writes its log into ``folder``, ended by ``stop`` after the block."""
    with _started(command, port, folder, stop, user, environment) as (server, _):
        yield server


@contextmanager
def _started(
    command: Sequence[str],
    port: int,
    folder: Path,
    stop: signal.Signals,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[tuple[Server, subprocess.Popen[bytes]]]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            owned(command, stop, user),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: accepts(port) or process.poll() is not None,
            f"{command[0]} listens; it says {log.read_text(errors='replace')}",
        )
        assert process.poll() is None, f"{command[0]} ended: {log.read_text(errors='replace')}"
        yield Server("127.0.0.1", port, process.pid, log), process
    finally:
        if process.poll() is None:
            process.send_signal(stop)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def postgres(password: str, settings: Mapping[str, str] | None = None, *, encrypted: bool = False) -> Generator[Server]:
    """PostgreSQL with the role ``SUPERUSER``; every login over TCP needs its password.

    ``encrypted``: it offers TLS, with a certificate that it has signed itself.
    """
    programs = postgres_programs()
    assert programs is not None, "no PostgreSQL server is installed (apt-get install postgresql)"
    user = _other_user()
    with owned_folder(user) as folder:
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        initdb = [
            str(programs / "initdb"),
            "-D",
            str(folder / "data"),
            "-U",
            SUPERUSER,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        subprocess.run(
            owned([*initdb, f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync"], user=user),
            check=True,
            capture_output=True,
        )
        port = free_port()
        values = {
            "fsync": "off",
            "unix_socket_directories": str(folder),
            "listen_addresses": "127.0.0.1",
            **(settings or {}),
        }
        if encrypted:
            own = certificate(folder)
            own.chmod(0o600)
            shutil.chown(own, user or os.geteuid())
            values |= {"ssl": "on", "ssl_cert_file": str(own), "ssl_key_file": str(own)}
        options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), *options]
        with listening(command, port, folder, signal.SIGINT, user=user) as server:
            wait_until(lambda: _answers(server, password), "PostgreSQL accepts connections")
            yield server


def _answers(server: Server, password: str) -> bool:
    try:
        psycopg.connect(
            host=server.host, port=server.port, user=SUPERUSER, password=password, dbname="postgres"
        ).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def redis(*options: str) -> Generator[Server]:
    """Redis without persistence; ``options`` as on its command line."""
    program = shutil.which("redis-server")
    assert program is not None, "redis-server is not installed (apt-get install redis-server)"
    with owned_folder() as folder:
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
        with listening(command, port, folder) as server:
            yield server


@contextmanager
def encrypted_redis(folder: Path, *more: str) -> Generator[tuple[Server, int, Path]]:
    """Redis, the port where it takes TLS alone, and its certificate in ``folder``, which it has signed itself."""
    own, port = certificate(folder), free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", str(own), "--tls-key-file", str(own))
    with redis(*options, "--tls-ca-cert-file", str(own), "--tls-auth-clients", "no", *more) as server:
        wait_until(lambda: accepts(port), "it listens for TLS")
        yield server, port, own


@dataclass(frozen=True, slots=True)
class Kafka:
    """Brokers of one cluster; the first one is its controller too and must live longest."""

    brokers: tuple[Server, ...]
    processes: tuple[subprocess.Popen[bytes], ...]

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.address for broker in self.brokers)

    def kill(self, number: int) -> None:
        """End a broker the hard way."""
        self.processes[number].kill()
        self.processes[number].wait(20)


@contextmanager
def kafka(brokers: int = 1) -> Generator[Kafka]:
    """Kafka in KRaft mode without any topic, from the jars of its image."""
    jars = _jars()
    ports, controller = [free_port() for _ in range(brokers)], free_port()
    with owned_folder() as folder, ExitStack() as stack:
        started = [
            stack.enter_context(
                _broker(folder / str(number), jars, number, (port, f"PLAINTEXT://127.0.0.1:{port}"), controller)
            )
            for number, port in enumerate(ports, start=1)
        ]
        yield Kafka(tuple(server for server, _ in started), tuple(process for _, process in started))


def _jars() -> Path:
    layout = Layout.of(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crypto-operations")
    layout.scratch.mkdir(parents=True, exist_ok=True)
    return fetch_jars(layout, Children())


_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@contextmanager
def encrypted_kafka(folder: Path, user: str, password: str) -> Generator[tuple[Kafka, Path]]:
    """One broker that takes TLS and SCRAM alone, and the file with its certificate and key, which ``folder`` gets.

    ``user`` logs in with ``password`` by SCRAM-SHA-512 and SCRAM-SHA-256.
    """
    own, port, inside, controller = certificate(folder), free_port(), free_port(), free_port()
    more = f"""advertised.listeners=PLAINTEXT://127.0.0.1:{inside},OUTSIDE://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,OUTSIDE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
listener.name.outside.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256
listener.name.outside.scram-sha-512.sasl.jaas.config={_SCRAM}
listener.name.outside.scram-sha-256.sasl.jaas.config={_SCRAM}
ssl.keystore.type=PEM
ssl.keystore.location={own}
"""
    logins = [f"{mechanism}=[name={user},password={password}]" for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")]
    with owned_folder() as data:
        listeners = f"PLAINTEXT://127.0.0.1:{inside},OUTSIDE://127.0.0.1:{port}"
        with _broker(data / "1", _jars(), 1, (port, listeners), controller, more, logins) as (server, process):
            yield Kafka((server,), (process,)), own


@contextmanager
def _broker(
    folder: Path,
    jars: Path,
    number: int,
    listener: tuple[int, str],
    controller: int,
    more: str = "",
    logins: Sequence[str] = (),
) -> Generator[tuple[Server, subprocess.Popen[bytes]]]:
    folder.mkdir()
    port, listeners = listener
    own = f",CONTROLLER://127.0.0.1:{controller}" if number == 1 else ""
    settings = folder / "kafka.properties"
    settings.write_text(
        f"""process.roles={"broker,controller" if number == 1 else "broker"}
node.id={number}
listeners={listeners}{own}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
replica.lag.time.max.ms=3000
{more}"""
    )
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    identity = ["--cluster-id", "AAAAAAAAAAAAAAAAAAAAAQ", "--config", str(settings), "--ignore-formatted"]
    identity += [part for login in logins for part in ("--add-scram", login)]
    subprocess.run([*java, "kafka.tools.StorageTool", "format", *identity], check=True, capture_output=True)
    with _started([*java, "kafka.Kafka", str(settings)], port, folder, signal.SIGTERM) as started:
        yield started


@contextmanager
def s3() -> Generator[Server]:
    """An S3 endpoint in memory, without any bucket."""
    program = Path(sys.executable).with_name("moto_server")
    with owned_folder() as folder:
        port = free_port()
        with listening([str(program), "-H", "127.0.0.1", "-p", str(port)], port, folder) as server:
            yield server


def empty_s3(server: Server) -> None:
    """Forget every bucket of an S3 endpoint in memory."""
    request = urllib.request.Request(f"http://{server.address}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.status == 200


@contextmanager
def minio(access_key: str, secret_key: str) -> Generator[Server]:
    """MinIO, a real S3 server on disk, without any bucket; built on first use (some two minutes)."""
    program = toolchain.ensure(["minio"])["minio"]
    with owned_folder() as folder:
        port = free_port()
        environment = {
            "MINIO_ROOT_USER": access_key,
            "MINIO_ROOT_PASSWORD": secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
        }
        command = [str(program), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "data")]
        with listening(command, port, folder, environment=environment) as server:
            yield server


class Gate:
    """A TCP relay in front of a server: it can hold what clients send, and break connections."""

    def __init__(self, target: Server) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = threading.Event()
        self._open.set()
        self._hold_at: int | None = None
        self._sockets: list[socket.socket] = []
        self.passed = 0
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def held(self) -> bool:
        """Whether it holds something back."""
        return not self._open.is_set()

    def hold_after(self, count: int) -> None:
        """Let ``count`` more bytes of clients pass, then hold."""
        self._hold_at = self.passed + count

    def release(self) -> None:
        """Let everything pass."""
        self._hold_at = None
        self._open.set()

    def cut(self) -> None:
        """Break every connection; new ones are accepted."""
        for connection in self._sockets:
            # Lingering for no time makes close send a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.cuts += len(self._sockets)
        self._sockets.clear()

    def close(self) -> None:
        """End it."""
        self.release()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._target.host, self._target.port))
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._relay, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, False), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    if self._hold_at is not None and self.passed + len(data) > self._hold_at:
                        self._open.clear()
                    self._open.wait()
                    self.passed += len(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def gate(target: Server) -> Generator[Gate]:
    """A ``Gate`` in front of a server."""
    relay = Gate(target)
    try:
        yield relay
    finally:
        relay.close()
