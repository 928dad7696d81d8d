"""What the reporting commands work on in tests: a bucket, a chat that listens, and the settings that name them."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services import fake_http
from tests.services.fake_http import Asked, Fake, Page
from tests.services.ops_environment import AWS_SECRET, BUCKET, PREFIX, USERS, Environment
from tests.services.servers import Server

HOOK = "/services/T000/B000/w3bhook-Geheim"


@dataclass(slots=True)
class Desk:
    """A running environment without datastores; ``chat`` collects what people are told."""

    environment: Environment
    chat: Fake

    @property
    def told(self) -> list[str]:
        """The texts that reached the chat, oldest first."""
        return [json.loads(request.body)["text"] for request in self.chat.asked]

    def hush(self, status: int = 200) -> None:
        """Forget what was told; from now on the chat answers ``status``."""
        self.chat.asked.clear()
        self.chat.pages[HOOK] = Page("ok", status)

    def object(self, name: str) -> str:
        """The content of an object below the prefix."""
        return self.environment.s3.get_object(Bucket=BUCKET, Key=PREFIX + name)["Body"].read().decode()

    def reset(self) -> None:
        """An empty bucket and a chat that works and has heard nothing."""
        for key in self.environment.keys():  # noqa: SIM118 - a method of its own, no mapping
            self.environment.s3.delete_object(Bucket=BUCKET, Key=key)
        self.hush()


@contextmanager
def running(folder: Path, store: Server) -> Generator[Desk]:
    """An empty bucket of ``store``, a chat webhook, and settings whose datastores are addresses without a server."""
    with fake_http.serve() as chat:
        (folder / "webhook").write_text(chat.url + HOOK)
        (folder / "termination-log").touch()
        (folder / "credentials").write_text(
            f"[default]\naws_access_key_id = test\naws_secret_access_key = {AWS_SECRET}\n"
        )
        login = {"user": "nobody", "passwordFile": str(folder / "nothing")}
        settings: dict[str, Any] = {
            "namespace": "crypto",
            "timeZone": "UTC",
            "postgres": {"host": "127.0.0.1", "port": 1, "database": "crypto_db"} | dict.fromkeys(USERS, login),
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
            "chat": {"webhookFile": str(folder / "webhook")},
        }
        environment = Environment(folder, Server("127.0.0.1", 1, 0, folder / "none"), store, settings)
        environment.configure()
        environment.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        desk = Desk(environment, chat)
        desk.hush()
        try:
            yield desk
        finally:
            environment.end()


@contextmanager
def kubernetes(folder: Path) -> Generator[Fake]:
    """A Kubernetes API that knows nothing yet; ``<folder>/.kube/config`` names it."""
    with fake_http.serve() as api:
        config = {
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": api.url}}],
            "users": [{"name": "fake", "user": {"token": "fake-T0ken-Geheim"}}],
        }
        path = folder / ".kube" / "config"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(config))
        try:
            yield api
        finally:
            path.unlink()


def prometheus_answer(*series: tuple[dict[str, str], str]) -> Page:
    """An instant vector as Prometheus writes it."""
    result = [{"metric": labels, "value": [0, value]} for labels, value in series]
    return fake_http.as_json({"status": "success", "data": {"resultType": "vector", "result": result}})


def by_query(answers: dict[str, Page], otherwise: Page) -> dict[str, Callable[[Asked], Page]]:
    """Pages of a Prometheus API: the first answer whose key is part of the expression."""

    def query(request: Asked) -> Page:
        expression = request.query["query"]
        return next((page for part, page in answers.items() if part in expression), otherwise)

    return {"/api/v1/query": query}
