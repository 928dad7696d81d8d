"""A kubeconfig with tokens of OpenID Connect: a real API server checks them, and an issuer of the test renews them."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.cluster import pki
from local.paths import Instance
from scripts import redact
from scripts.clients import kubernetes
from scripts.clients.kubernetes import ForbiddenError
from scripts.exits import OpsError, TemporaryError, UsageError
from tests.services.api_server import ApiServer, api_server
from tests.services.fake_http import Asked, Fake, Page, as_json, serve
from tests.waiting import wait_until

# Compilers are waited for by the fixture of the tools; etcd and the API server take some seconds.
pytestmark = pytest.mark.timeout(300)

DISCOVERY = "/.well-known/openid-configuration"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Issuer:
    """Signs tokens, and takes each refresh token once."""

    def __init__(self, server: Fake, authority: Path) -> None:
        self.server = server
        self.authority = authority
        self.refresh_token = "refresh-0"
        self._key = rsa.generate_private_key(65537, 2048)
        numbers = self._key.public_key().public_numbers()
        parts = {
            name: _encoded(number.to_bytes((number.bit_length() + 7) // 8))
            for name, number in (("n", numbers.n), ("e", numbers.e))
        }
        ends = {"jwks_uri": f"{server.url}/keys", "token_endpoint": f"{server.url}/token"}
        server.pages[DISCOVERY] = as_json({"issuer": server.url, **ends})
        server.pages["/keys"] = as_json({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", **parts}]})
        server.pages["/token"] = self._renew

    def token(self, user: str, seconds: float) -> str:
        claims = {"iss": self.server.url, "aud": "ops", "sub": user, "exp": int(time.time() + seconds)}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1"}, claims))
        return f"{signed}.{_encoded(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def _renew(self, request: Asked) -> Page:
        if parse_qs(request.body.decode()).get("refresh_token") != [self.refresh_token]:
            return as_json({"error": "invalid_grant", "error_description": "log in again"}, 400)
        self.refresh_token = f"refresh-{int(self.refresh_token[8:]) + 1}"
        token = self.token("carol", 3600)
        return as_json(
            {"token_type": "bearer", "access_token": "x", "id_token": token, "refresh_token": self.refresh_token}
        )


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    folder = tmp_path_factory.mktemp("issuer")
    pki.ensure_pki(Instance("issuer", 0, folder, folder), folder, "node")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "control-plane.crt", folder / "control-plane.key")
    with serve(context) as server:
        yield Issuer(server, folder / "ca.crt")


@pytest.fixture(scope="module")
def server(tools_bin_dir: Path, issuer: Issuer) -> Iterator[ApiServer]:
    options = (
        f"--oidc-issuer-url={issuer.server.url}",
        f"--oidc-ca-file={issuer.authority}",
        "--oidc-client-id=ops",
        "--oidc-username-prefix=-",
    )
    with api_server(tools_bin_dir, *options) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def _user(issuer: Issuer, token: str, refresh_token: str) -> dict[str, Any]:
    return {
        "auth-provider": {
            "name": "oidc",
            "config": {
                "idp-issuer-url": issuer.server.url,
                "idp-certificate-authority": str(issuer.authority),
                "client-id": "ops",
                "client-secret": "of-the-client",
                "id-token": token,
                "refresh-token": refresh_token,
            },
        }
    }


def _refusal() -> str:
    with kubernetes.connect(10) as cluster, pytest.raises(OpsError) as refused:
        cluster.get("/api/v1/namespaces/default/secrets")
    return str(refused.value)


def test_a_token_of_an_issuer_logs_in(issuer: Issuer, server: ApiServer, config: Path) -> None:
    token = issuer.token("carol", 3600)
    server.kubeconfig(config, _user(issuer, token, "none"))
    # The server asks for the issuer's keys in the background.
    wait_until(lambda: 'User "carol" cannot list' in _refusal(), "carol is known")
    assert token not in redact.clean(f"the {token} is secret")


@pytest.mark.parametrize("public", [False, True])
def test_an_expired_token_is_renewed_and_kept_for_the_next_run(
    issuer: Issuer, server: ApiServer, config: Path, monkeypatch: pytest.MonkeyPatch, *, public: bool
) -> None:
    user = _user(issuer, issuer.token("carol", -60), issuer.refresh_token)
    if public:
        # Such a client has no secret.
        del user["auth-provider"]["config"]["client-secret"]
    server.kubeconfig(config, user)
    link = config.with_name("link")
    link.symlink_to(config)
    monkeypatch.setenv("KUBECONFIG", str(link))
    before = config.stat().st_ino
    asked_before = [asked.path for asked in issuer.server.asked].count("/token")
    wait_until(lambda: 'User "carol" cannot list' in _refusal(), "carol is known")
    kept = yaml.safe_load(config.read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert kept["refresh-token"] == issuer.refresh_token
    # Another file has taken its place, behind the link: a run that ends meanwhile leaves the one or the other.
    assert link.is_symlink()
    assert config.stat().st_ino != before
    assert config.stat().st_mode & 0o777 == 0o600
    with kubernetes.connect(10) as cluster, pytest.raises(ForbiddenError):
        cluster.get("/api/v1/namespaces")
    assert [asked.path for asked in issuer.server.asked].count("/token") == asked_before + 1
    assert kept["id-token"] not in redact.clean(f"the {kept['id-token']} is secret")


def test_a_refresh_token_that_the_issuer_refuses_is_a_mistake(issuer: Issuer, server: ApiServer, config: Path) -> None:
    server.kubeconfig(config, _user(issuer, issuer.token("carol", -60), "used-already"))
    with pytest.raises(UsageError, match="log in again") as refused, kubernetes.connect(10):
        pass
    assert "\n" not in str(refused.value)


def test_an_answer_without_a_token_is_a_mistake(
    issuer: Issuer, server: ApiServer, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.kubeconfig(config, _user(issuer, issuer.token("carol", -60), issuer.refresh_token))
    monkeypatch.setitem(issuer.server.pages, "/token", as_json({"token_type": "bearer", "access_token": "x"}))
    with pytest.raises(UsageError, match="id_token"), kubernetes.connect(10):
        pass


@pytest.mark.parametrize(("path", "cut"), [(DISCOVERY, False), (DISCOVERY, True), ("/token", True)])
def test_an_issuer_that_does_not_answer_is_temporary(
    issuer: Issuer, server: ApiServer, config: Path, monkeypatch: pytest.MonkeyPatch, path: str, cut: bool
) -> None:
    server.kubeconfig(config, _user(issuer, issuer.token("carol", -60), issuer.refresh_token))
    monkeypatch.setitem(issuer.server.pages, path, Page("<busy>\n<later>", 503, "text/html", cut=cut))
    with pytest.raises(TemporaryError) as refused, kubernetes.connect(10):
        pass
    assert "\n" not in str(refused.value)
