"""``ops health`` and ``ops certificates`` against a Kubernetes API, a Prometheus API, a bucket, TLS and a chat."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.running import slots
from tests.services import fake_http, prometheus_server, report_environment
from tests.services.fake_http import Fake, as_json
from tests.services.ops_environment import Answer
from tests.services.report_environment import Desk
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)

_LATEST = "health/latest.json"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, s3: Server) -> Iterator[Desk]:
    with report_environment.running(tmp_path_factory.mktemp("health"), s3) as desk:
        yield desk


@pytest.fixture
def desk(started: Desk) -> Desk:
    started.reset()
    return started


@pytest.fixture
def api(desk: Desk) -> Iterator[Fake]:
    with report_environment.kubernetes(desk.environment.folder) as fake:
        _serve(fake, {"tls": 80})
        yield fake


def _serve(api: Fake, certificates: dict[str, float], claim: str = "Bound") -> None:
    def end(days: float) -> str:
        return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    ready = [{"type": "Ready", "status": "True", "message": "up to date"}]
    listed = [
        {"metadata": {"name": name}, "status": {"notAfter": end(days), "conditions": ready}}
        for name, days in certificates.items()
    ]
    claims = [{"metadata": {"name": "data-postgres-0"}, "status": {"phase": claim}}]
    api.pages["/apis"] = as_json({"groups": [{"name": "apps"}, {"name": "cert-manager.io"}]})
    api.pages["/apis/cert-manager.io/v1/namespaces/crypto/certificates"] = as_json({"metadata": {}, "items": listed})
    api.pages["/api/v1/namespaces/crypto/persistentvolumeclaims"] = as_json({"metadata": {}, "items": claims})


def _check(answer: Answer, name: str) -> dict[str, Any]:
    found = [check for check in answer.json["checks"] if check["name"] == name]
    assert len(found) == 1, answer.json
    return found[0]


def _health(desk: Desk, *arguments: str) -> Answer:
    return desk.environment.ops("health", "--json", "--timeout", "60", *arguments)


def test_claims_and_certificates_are_judged(desk: Desk, api: Fake) -> None:
    good = _health(desk, "--no-notify")
    _serve(api, {"tls": 5, "other": 80}, claim="Pending")
    bad = _health(desk, "--no-notify")

    assert _check(good, "volume claims")["status"] == _check(good, "certificate tls")["status"] == "ok"
    assert _check(bad, "volume claims")["detail"] == "data-postgres-0: Pending"
    assert _check(bad, "certificate tls")["status"] == "fail"
    assert _check(bad, "certificate other")["status"] == "ok"


def test_what_may_not_be_read_or_is_not_installed_is_unknown(desk: Desk, api: Fake) -> None:
    api.pages["/apis"] = as_json({"groups": [{"name": "apps"}]})
    api.pages["/api/v1/namespaces/crypto/persistentvolumeclaims"] = as_json({}, 403)

    answer = _health(desk, "--no-notify")

    assert _check(answer, "certificates")["detail"] == "cert-manager is not installed"
    for name in ("certificates", "volume claims", "prometheus"):
        assert _check(answer, name)["status"] == "unknown"


@pytest.mark.usefixtures("api")
def test_targets_that_a_real_prometheus_cannot_reach_are_named(desk: Desk) -> None:
    with fake_http.serve() as exporter:
        exporter.pages["/metrics"] = fake_http.Page("x 1\n", kind="text/plain")
        gone = f"127.0.0.1:{slots.free_port()}"
        targets = {
            "api-gateway": (exporter.url.removeprefix("http://"), {"namespace": "crypto"}),
            "redis": (gone, {"namespace": "crypto"}),
        }
        with prometheus_server.prometheus(targets) as url:
            desk.environment.configure(prometheus={"url": url})
            wait_until(
                lambda: "connect" in _check(_health(desk, "--no-notify"), "prometheus").get("detail", ""), "seen"
            )
            answer = _health(desk, "--no-notify")
    desk.environment.configure(prometheus=None)

    found = _check(answer, "prometheus")
    assert (found["status"], found["value"]) == ("fail", "1 of 2 up")
    assert found["detail"].startswith(f"redis/{gone} down")


def test_people_hear_first_what_has_changed_since_they_heard_last(desk: Desk, api: Fake) -> None:
    first = _health(desk)
    _serve(api, {"tls": 5})
    second = _health(desk)
    kept = json.loads(desk.object(_LATEST))
    third = _health(desk)

    assert [answer.code for answer in (first, second, third)] == [1, 1, 1]
    assert first.json["compared_with"] is None
    assert second.json["changes"] == [{"name": "certificate tls", "before": "ok", "now": "fail"}]
    assert third.json["changes"] == []
    assert "This is the first report." in desk.told[0]
    assert desk.told[1].splitlines()[3].startswith("worse   certificate tls: ok -&gt; fail 5.0 days left")
    assert "Nothing has changed since" in desk.told[2]
    assert kept["checks"]["certificate tls"]["status"] == "fail"
    since = json.loads(desk.object(_LATEST))["checks"]["certificate tls"]["since"]
    assert since == kept["checks"]["certificate tls"]["since"]


@pytest.mark.usefixtures("api")
def test_a_look_without_notification_is_no_report(desk: Desk) -> None:
    _health(desk, "--no-notify")

    assert desk.told == desk.environment.keys() == []


@pytest.mark.usefixtures("api")
def test_what_nobody_heard_is_news_the_next_time_and_a_sink_that_fails_is_named(desk: Desk) -> None:
    desk.hush(404)
    deaf = _health(desk)
    desk.hush()
    heard = _health(desk)

    assert [told["sent"] for told in deaf.json["notified"] + heard.json["notified"]] == [False, True]
    assert "This is the first report." in desk.told[0]


@pytest.mark.usefixtures("api")
def test_one_sink_that_fails_silences_no_other(desk: Desk) -> None:
    mail = {
        "host": "127.0.0.1",
        "port": slots.free_port(),
        "sender": "ops@example.com",
        "recipients": ["a@example.com"],
    }
    desk.environment.configure(mail={**mail, "tls": False})
    try:
        answer = _health(desk)
    finally:
        desk.environment.configure(mail=None)

    assert {told["sink"]: told["sent"] for told in answer.json["notified"]} == {"mail": False, "chat": True}
    assert len(desk.told) == 1
    assert _LATEST in "".join(desk.environment.keys())


@pytest.mark.usefixtures("api")
def test_a_bucket_that_is_gone_costs_the_comparison_and_not_the_report(desk: Desk) -> None:
    backup = desk.environment.settings["backup"]
    desk.environment.configure(backup={**backup, "endpoint": f"http://127.0.0.1:{slots.free_port()}"})
    try:
        answer = _health(desk)
    finally:
        desk.environment.configure(backup=backup)

    assert answer.code == 1
    assert _check(answer, "certificate tls")["status"] == "ok"
    assert "Changed since the last report: not known" in desk.told[0]


@contextmanager
def _endpoint(folder: Path, name: str, days: float) -> Generator[tuple[str, Path]]:
    """A TLS server with a certificate of its own for ``name``; its address and the certificate's file."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}-{days}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"localhost:{listener.getsockname()[1]}", file
    finally:
        listener.close()


def _certificates(desk: Desk, *arguments: str) -> Answer:
    return desk.environment.ops("certificates", "--json", "--timeout", "60", *arguments)


def test_certificates_alone_decide_their_own_command(desk: Desk, api: Fake) -> None:
    good = _certificates(desk)
    _serve(api, {"tls": 20.9})
    low = _certificates(desk)
    _serve(api, {})
    none = _certificates(desk)

    assert [answer.code for answer in (good, low, none)] == [0, 1, 1]
    assert _check(low, "certificate tls")["threshold"] == ">= 21 days"
    assert _check(none, "certificates")["status"] == "unknown"


@pytest.mark.usefixtures("api")
def test_a_live_endpoint_is_judged_as_a_client_would(desk: Desk, tmp_path: Path) -> None:
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    cases = {"good": ("localhost", 60), "short": ("localhost", 10), "expired": ("localhost", -1), "other": ("x.y", 60)}
    for case, (name, days) in cases.items():
        with _endpoint(tmp_path, name, days) as (address, file):
            answer = _certificates(desk, "--connect", address, "--ca", str(file))
            found[case] = answer.code, _check(answer, f"endpoint {address}")
    with _endpoint(tmp_path, "localhost", 60) as (address, _):
        answer = _certificates(desk, "--connect", address)
        found["unknown issuer"] = answer.code, _check(answer, f"endpoint {address}")

    assert {case: code for case, (code, _) in found.items()} == {
        "good": 0,
        "short": 1,
        "expired": 1,
        "other": 1,
        "unknown issuer": 1,
    }
    assert found["short"][1]["value"].startswith(("9.", "10.0"))
    assert "expired" in found["expired"][1]["detail"]
    assert "Hostname mismatch" in found["other"][1]["detail"]
    assert "self-signed" in found["unknown issuer"][1]["detail"]


@pytest.mark.usefixtures("api")
def test_an_endpoint_that_is_silent_costs_its_own_deadline(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        answer = desk.environment.ops("certificates", "--json", "--timeout", "8", "--connect", address)

    assert answer.code == 1
    assert _check(answer, f"endpoint {address}")["status"] == "fail"
    assert _check(answer, "certificate tls")["status"] == "ok"


@pytest.mark.parametrize("address", ["x", "x:", ":443", "x:y", "x:70000"])
@pytest.mark.usefixtures("api")
def test_what_is_no_address_is_wrong_usage(desk: Desk, address: str) -> None:
    answer = _certificates(desk, "--connect", address)

    assert answer.code == 2
    assert "write it like" in answer.error
