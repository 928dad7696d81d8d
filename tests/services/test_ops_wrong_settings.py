"""Settings that no retry can mend, against servers that run: the exit code is that of a mistake."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.ops_settings import BackupTarget, ChatTarget, KafkaTarget, OpsSettings
from scripts.clients import kubernetes, postgres, prometheus
from scripts.clients.kafka import Kafka
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket
from scripts.exits import OpsError, TemporaryError, UsageError
from scripts.notify import Message, chat
from tests.services import ops_environment, servers, sinks
from tests.services.fake_http import Fake, Page, serve
from tests.services.servers import Server

_MESSAGE = Message("subject", "text")


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[Fake]:
    """An HTTP server whose certificate no known authority has signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sinks.certificate(tmp_path))
    with serve(context) as server:
        yield server


def _bucket(**fields: Any) -> Bucket:
    given: dict[str, Any] = {
        "bucket": "backups",
        "prefix": "p/",
        "region": "eu-central-1",
        "retention_days": 3,
        **fields,
    }
    return Bucket(BackupTarget(**given), seconds=5)


def _ask_bucket(url: str, _: Path) -> None:
    _bucket(endpoint=url).check("p/")


def _ask_prometheus(url: str, folder: Path) -> None:
    settings = ops_environment.without_servers(folder, prometheus={"url": url}).settings
    with prometheus.connect(OpsSettings.model_validate(settings), 5) as found:
        found.query("up")


def _ask_chat(url: str, folder: Path) -> None:
    (folder / "webhook").write_text(url)
    chat.deliver(ChatTarget(webhook_file=str(folder / "webhook")), _MESSAGE, 5)


def _ask_kafka(url: str, _: Path) -> None:
    target = KafkaTarget(bootstrap=url.partition("://")[2], brokers=1, topic="t", group="g", tls=True)
    Kafka(target, seconds=3).metadata()


def _ask_kubernetes(url: str, folder: Path) -> None:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "x", "context": {"cluster": "c"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(document))
    with kubernetes.connect(5, folder / "kubeconfig") as cluster:
        cluster.get("/version")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")


@pytest.mark.parametrize("ask", [_ask_bucket, _ask_prometheus, _ask_chat, _ask_kafka, _ask_kubernetes])
def test_a_certificate_that_is_not_trusted_is_a_mistake(
    untrusted: Fake, tmp_path: Path, ask: Callable[[str, Path], None]
) -> None:
    with pytest.raises(UsageError, match=r"(?i)certificate.verify.failed") as refused:
        ask(untrusted.url, tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ask", [_ask_bucket, _ask_prometheus, _ask_chat, _ask_kubernetes])
def test_a_server_that_speaks_no_tls_where_it_must_is_a_mistake(
    tmp_path: Path, ask: Callable[[str, Path], None]
) -> None:
    with sinks.mail_server() as server, pytest.raises(UsageError, match=r"(?i)wrong.version"):
        ask(f"https://127.0.0.1:{server.port}", tmp_path)


@pytest.mark.parametrize("ask", [_ask_chat, _ask_kubernetes])
@pytest.mark.parametrize(
    "url", ["nonsense", "http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://a b"]
)
def test_an_address_that_is_no_url_is_a_mistake(tmp_path: Path, ask: Callable[[str, Path], None], url: str) -> None:
    with pytest.raises(UsageError, match=r"URL|address"):
        ask(url, tmp_path)


@pytest.mark.parametrize(("variables", "said"), [
    ({"AWS_CA_BUNDLE": "/not/there"}, "AWS_CA_BUNDLE"),
    ({"AWS_CA_BUNDLE": __file__}, "AWS_CA_BUNDLE"),
    ({"AWS_REQUEST_CHECKSUM_CALCULATION": "sometimes"}, "request_checksum_calculation"),
    ({"AWS_PROFILE": "unknown"}, "unknown"),
])  # fmt: skip
def test_variables_of_aws_that_cannot_be_meant_are_a_mistake(
    untrusted: Fake, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said):
        _bucket(endpoint=untrusted.url).check("p/")


@pytest.mark.parametrize("page", [
    Page(status=301, location="https://elsewhere.example"),
    Page("<html>moved</html>", 302, "text/html", location="https://elsewhere.example"),
    Page("<html>moved</html>", 308, "text/html", location="https://elsewhere.example"),
], ids=lambda page: str(page.status))  # fmt: skip
def test_an_endpoint_that_leads_elsewhere_is_a_mistake(page: Page) -> None:
    with serve() as server:
        server.pages["/backups"] = page
        with pytest.raises(UsageError, match=rf"answers {page.status} and leads to https://elsewhere.example; give"):
            _bucket(endpoint=server.url).check("p/")


@pytest.mark.parametrize("body", ["", "<html><body>login</body></html>"], ids=["empty", "a page"])
def test_an_endpoint_that_is_no_s3_is_no_empty_bucket(body: str) -> None:
    with serve() as server:
        server.pages["/backups"] = Page(body, kind="text/html")
        for ask in (Bucket.check, Bucket.keys, Bucket.now):
            with pytest.raises(UsageError, match="not as S3 does"):
                ask(_bucket(endpoint=server.url), "p/")


@pytest.mark.parametrize(("status", "code", "expected"), [
    (400, "TokenRefreshRequired", UsageError),
    (403, "AccountProblem", UsageError),
    (400, "IllegalLocationConstraintException", UsageError),
    (405, "MethodNotAllowed", UsageError),
    (409, "OperationAborted", TemporaryError),
])  # fmt: skip
def test_an_answer_of_s3_is_sorted_by_its_code_and_cut(status: int, code: str, expected: type[OpsError]) -> None:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{'long ' * 5000}</Message></Error>"
    with serve() as server:
        server.pages["/backups"] = Page(text, status, "application/xml")
        with pytest.raises(expected, match=code) as refused:
            _bucket(endpoint=server.url).check("p/")
    assert len(str(refused.value)) < 500


def test_credentials_that_are_not_there_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/backup")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/not/there")
    with pytest.raises(UsageError, match="/not/there"):
        _bucket()


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Server]:
    with servers.postgres("secret", encrypted=True) as server:
        yield server


@pytest.mark.parametrize(("variables", "said"), [
    ({"PGSSLMODE": "always"}, "invalid sslmode value"),
    ({"PGSERVICE": "unknown"}, "definition of service"),
    ({"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/not/there"}, "root certificate file"),
    ({"PGSSLMODE": "verify-full", "PGSSLROOTCERT": __file__}, "root certificate file"),
    ({"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system"}, "certificate verify failed"),
    ({"PGSSLMODE": "require", "PGSSLCERT": "{own}", "PGSSLKEY": "/not/there"}, "private key file"),
    ({"PGSSLMODE": "require", "PGSSLCERT": __file__}, "could not read certificate file"),
    ({"PGSSLMINPROTOCOLVERSION": "TLSv9"}, "invalid \"ssl_min_protocol_version\" value"),
])  # fmt: skip
def test_variables_of_postgresql_that_cannot_be_meant_are_a_mistake(
    encrypted: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    own = sinks.certificate(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(own=own))
    _refuses(encrypted, said)


def test_a_postgresql_without_the_tls_that_is_wanted_is_a_mistake(
    worker_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "require")
    _refuses(worker_postgres, "does not support SSL")


def _refuses(server: Server, said: str) -> None:
    access = Access(server.host, server.port, servers.SUPERUSER, "secret")
    with pytest.raises(UsageError, match=said), postgres.connect(access, "postgres", application="test"):
        pass
