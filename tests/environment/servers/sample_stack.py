"""Real PostgreSQL, Redis and Kafka on free ports, and sample services as processes against them."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from local.images.kafka_jars import fetch_jars
from local.images.layout import Layout
from local.images.process import Children
from runbook import database_roles
from runbook.database_roles import Names
from tests.running.owned import owned
from tests.running.slots import free_port
from tests.waiting import wait_until

_CHECKOUT = Path(__file__).resolve().parents[3]
_POSTGRES = Path("/usr/lib/postgresql/15/bin")
_SERVICES = ("api-gateway", "user-service", "market-data-service", "analytics", "sentiment")


class SampleStack:
    """Everything has its port from the beginning, so that services can be started before what they need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("postgres", "redis", "kafka", "controller", *_SERVICES)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "jwt").write_text("a secret of this test")

    def missing(self) -> str | None:
        """A needed program that this machine lacks."""
        needed = (str(_POSTGRES / "postgres"), "redis-server", "java", "mvn")
        return next((program for program in needed if shutil.which(program) is None), None)

    def start_postgres(self) -> None:
        """PostgreSQL with the database crypto_db."""
        data = self.folder / "postgres"
        user = "postgres" if os.geteuid() == 0 else None
        if not data.exists():
            data.mkdir()
            if user:
                account = pwd.getpwnam(user)
                os.chown(data, account.pw_uid, account.pw_gid)
            options = ["-D", str(data), "-A", "trust", "-U", "postgres", "-N"]
            subprocess.run([_POSTGRES / "initdb", *options], check=True, capture_output=True, user=user, cwd="/")
        options = ["-D", str(data), "-p", str(self.ports["postgres"]), "-k", str(data), "-c", "fsync=off"]
        self._start("postgres", [str(_POSTGRES / "postgres"), *options], user=user)
        wait_until(lambda: self._sql("postgres", "SELECT 1") == "1", "PostgreSQL answers")
        if self._sql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'crypto_db'") == "0":
            self._sql("postgres", "CREATE DATABASE crypto_db")
            self._make_schema()

    def start_redis(self) -> None:
        """Redis without persistence."""
        self._start(
            "redis", ["redis-server", "--port", str(self.ports["redis"]), "--save", "", "--dir", str(self.folder)]
        )

    def start_kafka(self) -> None:
        """One Kafka node in KRaft mode from the image's own jars."""
        layout = Layout.of(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crypto-operations")
        layout.scratch.mkdir(parents=True, exist_ok=True)
        jars = fetch_jars(layout, Children())
        settings = self.folder / "kafka.properties"
        settings.write_text(self._kafka_settings())
        java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
        identity = ["--cluster-id", "AAAAAAAAAAAAAAAAAAAAAQ", "--config", str(settings), "--ignore-formatted"]
        subprocess.run([*java, "kafka.tools.StorageTool", "format", *identity], check=True, capture_output=True)
        self._start("kafka", [*java, "kafka.Kafka", str(settings)])

    def start_service(self, name: str, **variables: str) -> None:
        """Start one of the five services."""
        environment = {**os.environ, **self._environment(name), **variables}
        self._start(name, [sys.executable, "-m", "local.sample_service"], environment=environment)

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop what was started under this name; returns its exit code."""
        process = self._running.pop(name)
        process.send_signal(number)
        return process.wait(20)

    def wait(self, name: str) -> int:
        """The exit code of something that ends by itself."""
        return self._running.pop(name).wait(20)

    def close(self) -> None:
        """End everything that still runs."""
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait(20)

    def sql(self, query: str) -> str:
        """The unaligned answer of psql."""
        return self._sql("crypto_db", query)

    def log(self, name: str) -> str:
        """What it wrote."""
        return (self.folder / f"{name}.log").read_text()

    def ask(
        self, name: str, path: str, body: object = None, method: str | None = None, token: str = ""
    ) -> tuple[int, Any]:
        """HTTP status and JSON (or text); status 0 when nothing answers."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[name]}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310 - a fixed http address
                text = answer.read().decode()
                return answer.status, json.loads(text) if text[:1] in "[{" else text
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, None

    def health(self, name: str) -> int:
        """Status of the health path."""
        return self.ask(name, "/api/health" if name == "api-gateway" else "/health")[0]

    def metric(self, name: str, sample: str, **labels: str) -> float:
        """One sample of /metrics; 0 when it is absent."""
        families = text_string_to_metric_families(str(self.ask(name, "/metrics")[1]))
        return next((each.value for family in families for each in family.samples if each[:2] == (sample, labels)), 0.0)

    def _sql(self, database: str, query: str) -> str:
        where = ["-h", "127.0.0.1", "-p", str(self.ports["postgres"]), "-U", "postgres", "-d", database]
        done = subprocess.run([_POSTGRES / "psql", *where, "-AtXc", query], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def _make_schema(self) -> None:
        """Roles and tables as the Job `database-setup` makes them."""
        for statement in (*database_roles.creation(Names()).values(), *database_roles.memberships(Names())):
            self._sql("postgres", statement)
        self._sql("crypto_db", ";".join(("BEGIN", *database_roles.arrangement(Names(), "crypto_db"), "COMMIT")))
        environment = {**os.environ, **self._environment("migrations"), "DATABASE_USER": database_roles.OWNER.name}
        subprocess.run([sys.executable, "-m", "local.sample_service", "migrate"], env=environment, check=True)

    def _start(
        self, name: str, command: Sequence[str], user: str | None = None, environment: dict[str, str] | None = None
    ) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                owned(command, user=user),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=None if not user else "/",
            )

    def _environment(self, name: str) -> dict[str, str]:
        urls = {
            f"{variable}_SERVICE_URL": f"http://127.0.0.1:{self.ports[service]}"
            for variable, service in zip(("USER", "MARKET_DATA", "ANALYTICS", "SENTIMENT"), _SERVICES[1:], strict=True)
        }
        return {
            "SERVICE_NAME": name,
            "PORT": str(self.ports.get(name, 0)),
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(self.ports["postgres"]),
            "DATABASE_POOL_SIZE": "2",
            "DATABASE_MAX_OVERFLOW": "1",
            "DATABASE_POOL_TIMEOUT": "0.5",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.ports["redis"]),
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.ports['kafka']}",
            "KAFKA_PARTITIONS": "24",
            "WORK_INTERVAL_SECONDS": "0.5",
            "JWT_SECRET_FILE": str(self.folder / "jwt"),
            "PYTHONPATH": str(_CHECKOUT),
            **urls,
        }

    def _kafka_settings(self) -> str:
        broker, controller = self.ports["kafka"], self.ports["controller"]
        return f"""process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={self.folder}/kafka
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
"""
