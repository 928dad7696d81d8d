"""Kubeconfigs that kubectl refuses, or reads otherwise than the official client: one line, and no secret in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.clients import kubeconfig
from scripts.exits import UsageError

_SECRET = "wJalrXUtnFEMI-K7MDENG"


def _write(
    folder: Path, *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, text: str | None = None
) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": "a-token"} if user is None else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(document) if text is None else text)
    return file


def _refused(file: Path) -> str:
    with pytest.raises(UsageError) as caught:
        kubeconfig.configuration(file)
    line = str(caught.value)
    assert "\n" not in line
    assert _SECRET not in line
    return line


def test_a_usual_kubeconfig_is_read(tmp_path: Path) -> None:
    made: Any = kubeconfig.configuration(_write(tmp_path))
    assert (made.host, made.api_key["authorization"]) == ("https://127.0.0.1:6443", "Bearer a-token")


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"insecure-skip-tls-verify": "false"}, "insecure-skip-tls-verify must be true or false, without quotes"),
        ({"insecure-skip-tls-verify": True, "certificate-authority-data": "QQ=="}, "exclude one another"),
        ({"proxy-url": "socks5://127.0.0.1:1080"}, "the proxy socks5://127.0.0.1:1080 is not one of http or https"),
        ({"server": "127.0.0.1:6443"}, "it must be a URL like https://"),
        ({"server": ""}, "it must be a URL like https://"),
        ({"server": "https://127.0.0.1:99999"}, "it must be a URL like https://"),
        ({"server": " https://127.0.0.1:6443"}, "it must be a URL like https://"),
        ({"certificate-authority-data": "QUJD"}, "certificate-authority holds no certificate"),
        ({"certificate-authority-data": "no!"}, "clusters.0.cluster.certificate-authority-data"),
        ({"certificate-authority": "not-there"}, "not-there"),
    ],
)
def test_a_cluster_that_cannot_be_meant_is_refused(tmp_path: Path, cluster: dict[str, Any], said: str) -> None:
    assert said in _refused(_write(tmp_path, cluster=cluster))


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"token": "a-token", "as": "bob"}, "as asks to act as another user"),
        ({"token": "a-token", "as-groups": ["admins"]}, "as-groups asks to act as another user"),
        ({"auth-provider": {"name": "vaultx"}}, "auth-provider vaultx is unknown"),
        ({"token": "a\r\nb"}, "a sign in it that no token has"),
        ({"token": "tokén"}, "a sign in it that no token has"),
        ({"token": 123456}, "users.0.user.token must be a text"),
        ({"token": "a-token", "username": "ops"}, "token and username are both given"),
        ({"auth-provider": {"name": "oidc"}, "exec": {"command": "true"}}, "auth-provider and exec are both given"),
        ({"client-certificate-data": "QUJD"}, "client-certificate is given without client-key"),
        ({"client-certificate-data": "QUJD", "client-key-data": "QUJD"}, "are no pair that can be used"),
        ({"client-key": "a", "client-key-data": "QUJD"}, "client-key and client-key-data are both given"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}, "exec.command is missing"),
        ({"exec": {"apiVersion": "v1", "command": "true"}}, "exec.apiVersion is 'v1'; allowed: "),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true"}},
            "exec.interactiveMode is ''; allowed: Never, IfAvailable, Always",
        ),
    ],
)
def test_a_login_that_the_client_would_pass_over_is_refused(tmp_path: Path, user: dict[str, Any], said: str) -> None:
    assert said in _refused(_write(tmp_path, user=user))


def test_an_entry_of_a_plugin_without_a_value_shows_no_other_value(tmp_path: Path) -> None:
    plugin: dict[str, Any] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "true",
        "interactiveMode": "Never",
        "args": ["--client-secret", _SECRET],
        "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": _SECRET}, {"name": "AWS_STS_REGIONAL_ENDPOINTS"}],
    }
    assert "answers no ExecCredential" in _refused(_write(tmp_path, user={"exec": plugin}))
    plugin["env"] = None
    plugin["args"] = {"--client-secret": _SECRET}
    assert "cannot be used" in _refused(_write(tmp_path, user={"exec": plugin}))


@pytest.mark.parametrize("text", ["a: [", "a:\n\t- b", "a: !!python/object:os.system x", "a: 1\n---\nb: 2"])
def test_a_file_that_is_no_yaml_document_is_refused(tmp_path: Path, text: str) -> None:
    assert "is no YAML document" in _refused(_write(tmp_path, text=text))


def test_a_proxy_without_a_scheme_is_one_of_http(tmp_path: Path) -> None:
    assert kubeconfig.configuration(_write(tmp_path, cluster={"proxy-url": "127.0.0.1:3128"})).proxy == (
        "http://127.0.0.1:3128"
    )
