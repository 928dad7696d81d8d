"""Kubeconfigs of every kind, with ``ops`` and a real API server: it says whom it takes ``ops`` for."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import redact
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, ForbiddenError
from scripts.exits import OpsError, TemporaryError, UsageError
from tests.running.slots import free_port
from tests.services.api_server import ApiServer, api_server
from tests.services.connect_proxy import connect_proxy
from tests.services.servers import listening
from tests.waiting import wait_until

# Compilers are waited for by the fixture of the tools; etcd and the API server take some seconds.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tools_bin_dir: Path) -> Iterator[ApiServer]:
    with api_server(tools_bin_dir) as running:
        yield running


@pytest.fixture
def kubeconfig(tmp_path: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Kubeconfig:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return Kubeconfig(tmp_path / "config", server)


class Kubeconfig:
    """The file that ``KUBECONFIG`` names, with one cluster, one user and one context."""

    def __init__(self, path: Path, server: ApiServer) -> None:
        self.path = path
        self.server = server

    def write(self, user: dict[str, Any], **cluster: Any) -> None:
        authority = {"certificate-authority": None} if cluster else {}
        self.server.kubeconfig(self.path, user, {**authority, **cluster})

    def plugin(self, script: str) -> dict[str, Any]:
        """A user of whom this script tells, as ``aws eks update-kubeconfig`` writes one."""
        program = self.path.parent / "plugin"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(program),
                "args": ["get-token"],
                "env": [{"name": "PROFILE", "value": "production"}],
                "interactiveMode": "Never",
            }
        }


def _who(cluster: Cluster) -> str:
    """Whom the server takes this client for: a user without rights is named in its refusal."""
    with pytest.raises(ForbiddenError) as refused:
        cluster.get("/api/v1/namespaces/default/secrets")
    found = re.search(r'User "([^"]+)" cannot list', str(refused.value))
    assert found, str(refused.value)
    return found[1]


def _credential(token: str, expires: datetime | None = None) -> str:
    status = {"token": token} | ({"expirationTimestamp": f"{expires:%Y-%m-%dT%H:%M:%SZ}"} if expires else {})
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


def _of_kubectl(tools_bin_dir: Path, kubeconfig: str) -> str | None:
    """Whom the server takes kubectl for; None where kubectl refuses the kubeconfig."""
    done = subprocess.run(
        [tools_bin_dir / "kubectl", "get", "--raw", "/api/v1/namespaces/default/secrets"],
        env={"KUBECONFIG": kubeconfig, "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r'User "([^"]+)" cannot list', done.stderr)
    return found[1] if found else None


def _of_ops() -> str | None:
    """Whom it takes ``ops`` for; None where ``ops`` refuses the kubeconfig."""
    try:
        with kubernetes.connect(10) as cluster:
            return _who(cluster)
    except UsageError:
        return None


# A user's fields, or those of a plugin that answers with this; and whom the server must take both programs for.
_LOGINS: dict[str, tuple[dict[str, Any], str | None]] = {
    "a token": ({"token": "token-of-bob"}, "bob"),
    "a token beside empty fields": ({"token": "token-of-bob", "as": None, "exec": None, "username": ""}, "bob"),
    "a token and a token file that is not there": ({"token": "token-of-bob", "tokenFile": "not-there"}, "bob"),
    "a token file beside the kubeconfig": ({"tokenFile": "token"}, "alice"),
    "a token file that is not there": ({"tokenFile": "not-there"}, None),
    "a token that is a number": ({"token": 5}, None),
    "a token and a password": ({"token": "token-of-bob", "username": "a", "password": "b"}, None),
    "an unknown field": ({"token": "token-of-bob", "colour": "red"}, "bob"),
    "groups without a user": ({"token": "token-of-bob", "as-groups": ["admins"]}, None),
    "a certificate without its key": ({"client-certificate": "crt"}, None),
    "an unknown provider": ({"auth-provider": {"name": "vault"}}, None),
    "a provider without a name": ({"auth-provider": {}}, None),
    "the provider gcp": ({"auth-provider": {"name": "gcp", "config": {"access-token": "token-of-bob"}}}, None),
    "the provider azure": ({"auth-provider": {"name": "azure", "config": {"access-token": "token-of-bob"}}}, None),
    "an id-token that is no JWT": (
        {
            "auth-provider": {
                "name": "oidc",
                "config": {"idp-issuer-url": "https://127.0.0.1:9", "client-id": "ops", "id-token": "token-of-bob"},
            }
        },
        None,
    ),
}
_PLUGINS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no end": ({}, '{"status": {"token": "token-of-bob", "expirationTimestamp": null}}', "bob"),
    "an end that is the zero time of Go": (
        {},
        '{"status": {"token": "token-of-bob", "expirationTimestamp": "0001-01-01T00:00:00Z"}}',
        "bob",
    ),
    "an end long ago": (
        {},
        '{"status": {"token": "token-of-bob", "expirationTimestamp": "0001-01-01T00:00:01Z"}}',
        "bob",
    ),
    "an end that is no time": ({}, '{"status": {"token": "token-of-bob", "expirationTimestamp": "soon"}}', None),
    "another kind": ({}, '{"kind": "Pod", "status": {"token": "token-of-bob"}}', None),
    "another version": ({}, '{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {}}', None),
    "neither token nor certificate": ({}, '{"status": {"token": "", "clientCertificateData": null}}', None),
    "a key alone": ({}, '{"status": {"token": "token-of-bob", "clientKeyData": "x"}}', None),
    "a terminal is needed": ({"interactiveMode": "Always"}, '{"status": {"token": "token-of-bob"}}', None),
    "a terminal is welcome": ({"interactiveMode": "IfAvailable"}, '{"status": {"token": "token-of-bob"}}', "bob"),
    "no mode": ({"interactiveMode": None}, '{"status": {"token": "token-of-bob"}}', None),
    "an unknown mode": ({"interactiveMode": "Sometimes"}, '{"status": {"token": "token-of-bob"}}', None),
    "no arguments": ({"args": None, "env": None}, '{"status": {"token": "token-of-bob"}}', "bob"),
    "a variable without a value": ({"env": [{"name": "A"}]}, '{"status": {"token": "token-of-bob"}}', "bob"),
    "a relative path": ({"command": "./plugin"}, '{"status": {"token": "token-of-bob"}}', "bob"),
}


@pytest.mark.parametrize("name", _LOGINS)
def test_a_login_is_taken_and_refused_as_kubectl_does(kubeconfig: Kubeconfig, tools_bin_dir: Path, name: str) -> None:
    user, expected = _LOGINS[name]
    (kubeconfig.path.parent / "token").write_text("token-of-alice\n")
    kubeconfig.write(user)
    assert (_of_kubectl(tools_bin_dir, str(kubeconfig.path)), _of_ops()) == (expected, expected)


@pytest.mark.parametrize("name", _PLUGINS)
def test_a_plugins_answer_is_taken_and_refused_as_kubectl_does(
    kubeconfig: Kubeconfig, tools_bin_dir: Path, name: str
) -> None:
    fields, answer, expected = _PLUGINS[name]
    whole = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", **json.loads(answer)}
    user = kubeconfig.plugin(f"echo '{json.dumps(whole)}'")
    kubeconfig.write({"exec": {**user["exec"], **fields}})
    assert (_of_kubectl(tools_bin_dir, str(kubeconfig.path)), _of_ops()) == (expected, expected)


@pytest.mark.parametrize(("files", "expected"), [
    ("own:other", "bob"), ("other:own", "alice"), ("empty:own", "bob"), ("own:comment", "bob"), ("gone:own", "bob"),
    ("renamed:own:other", "carol"), ("twice:own", None), ("kind:own", None), ("list:own", None), ("tabs", "bob"),
])  # fmt: skip
def test_several_files_are_read_as_kubectl_reads_them(
    kubeconfig: Kubeconfig, tools_bin_dir: Path, monkeypatch: pytest.MonkeyPatch, files: str, expected: str | None
) -> None:
    kubeconfig.write({"token": "token-of-bob"})
    own = kubeconfig.path.read_text()
    changed = own.replace("name: x", "name: z").replace("current-context: x", "current-context: z")
    texts = {
        "own": own,
        "other": changed.replace("name: u", "name: v").replace("user: u", "user: v").replace("of-bob", "of-alice"),
        # The first one's user of that name counts, and the context of the next one that chooses one.
        "renamed": own.replace("current-context: x", "current-context: ''").replace("of-bob", "of-carol"),
        "empty": "",
        "comment": "# nothing yet\n",
        "twice": own.replace("users:\n", "users:\n- name: u\n"),
        "kind": own.replace("kind: Config", "kind: Pod"),
        "list": "- a\n",
        "tabs": json.dumps(yaml.safe_load(own), indent="\t"),
    }
    for name, text in texts.items():
        (kubeconfig.path.parent / name).write_text(text)
    listed = os.pathsep.join(str(kubeconfig.path.parent / name) for name in files.split(":"))
    monkeypatch.setenv("KUBECONFIG", listed)
    assert (_of_kubectl(tools_bin_dir, listed), _of_ops()) == (expected, expected)


def test_a_context_without_a_user_reaches_kubectls_proxy(
    kubeconfig: Kubeconfig, server: ApiServer, tools_bin_dir: Path
) -> None:
    port = free_port()
    admin = server.kubeconfig(kubeconfig.path.parent / "admin")
    proxy = [str(tools_bin_dir / "kubectl"), "proxy", f"--port={port}", f"--kubeconfig={admin}"]
    kubeconfig.write({}, server=f"http://127.0.0.1:{port}")
    document = yaml.safe_load(kubeconfig.path.read_text())
    del document["users"], document["contexts"][0]["context"]["user"]
    kubeconfig.path.write_text(yaml.safe_dump(document))
    with listening(proxy, port, kubeconfig.path.parent, signal.SIGKILL), kubernetes.connect(10) as cluster:
        assert next(cluster.items("/api/v1/namespaces"))["metadata"]["name"]


def test_a_plugin_that_needs_a_terminal_is_asked_at_one(kubeconfig: Kubeconfig) -> None:
    told = kubeconfig.path.parent / "told"
    user = kubeconfig.plugin(
        f"test -t 0 && read answer && echo \"$KUBERNETES_EXEC_INFO\" > '{told}' && echo '{_credential('token-of-bob')}'"
    )
    user["exec"]["interactiveMode"] = "Always"
    kubeconfig.write(user)
    code = "from tests.services.test_ops_kubeconfig import _of_ops; print(_of_ops())"
    ours, theirs = os.openpty()
    os.write(ours, b"password\n")
    asked = subprocess.run(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert asked.stdout.strip() == "bob"
    assert json.loads(told.read_text())["spec"] == {"interactive": True}


def test_a_plugin_is_run_with_its_arguments_and_variables_and_its_token_is_used(kubeconfig: Kubeconfig) -> None:
    told = kubeconfig.path.parent / "told"
    kubeconfig.write(kubeconfig.plugin(f"echo \"$1 $PROFILE\" > '{told}'; echo '{_credential('token-of-alice')}'"))
    with kubernetes.connect(10) as cluster:
        assert _who(cluster) == "alice"
    assert told.read_text() == "get-token production\n"
    assert "token-of-alice" not in redact.clean("the token-of-alice is secret")


def test_a_token_of_a_plugin_that_has_expired_is_renewed_and_hidden_each_time(kubeconfig: Kubeconfig) -> None:
    folder, past = kubeconfig.path.parent, datetime.now(UTC) - timedelta(minutes=1)
    for number, token in enumerate(("token-of-alice", "token-of-bob")):
        (folder / str(number)).write_text(_credential(token, past))
    count = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; cat $((n % 2))"
    kubeconfig.write(kubeconfig.plugin(f"cd '{folder}'; {count}"))
    with kubernetes.connect(10) as cluster:
        seen = [_who(cluster) for _ in range(4)]
    assert set(seen) == {"alice", "bob"}
    assert all(first != second for first, second in pairwise(seen))
    assert redact.clean("token-of-alice token-of-bob").count("token-of") == 0


def test_a_token_file_that_changes_is_read_again(kubeconfig: Kubeconfig) -> None:
    token = kubeconfig.path.parent / "token"
    token.write_text("token-of-alice\n")
    kubeconfig.write({"tokenFile": str(token)})
    with kubernetes.connect(10) as cluster:
        assert _who(cluster) == "alice"
        token.write_text("token-of-bob\n")
        wait_until(lambda: _who(cluster) == "bob", "the new token is used")


def test_a_client_certificate_logs_in_from_files_and_from_data(kubeconfig: Kubeconfig) -> None:
    own = {name: kubeconfig.server.pki / f"admin.{end}" for name, end in (("certificate", "crt"), ("key", "key"))}
    kubeconfig.write({f"client-{name}": str(path) for name, path in own.items()})
    with kubernetes.connect(10) as cluster:
        assert next(cluster.items("/api/v1/namespaces"))["metadata"]["name"]
    data = {f"client-{name}-data": base64.b64encode(path.read_bytes()).decode() for name, path in own.items()}
    kubeconfig.write(data)
    with kubernetes.connect(10) as cluster:
        assert next(cluster.items("/api/v1/namespaces"))["metadata"]["name"]


def test_a_token_in_the_kubeconfig_logs_in(kubeconfig: Kubeconfig) -> None:
    kubeconfig.write({"token": "token-of-bob"})
    with kubernetes.connect(10) as cluster:
        assert _who(cluster) == "bob"


def test_a_token_that_the_server_does_not_know_is_a_mistake(kubeconfig: Kubeconfig) -> None:
    kubeconfig.write({"token": "token-of-nobody"})
    with kubernetes.connect(10) as cluster, pytest.raises(UsageError, match="401"):
        cluster.get("/api/v1/namespaces")


def test_the_servers_certificate_is_checked_unless_the_kubeconfig_says_otherwise(kubeconfig: Kubeconfig) -> None:
    kubeconfig.write({"token": "token-of-bob"}, **{"tls-server-name": "localhost"})
    with kubernetes.connect(10) as cluster, pytest.raises(OpsError, match="certificate"):
        cluster.get("/api/v1/namespaces")
    kubeconfig.write({"token": "token-of-bob"}, **{"insecure-skip-tls-verify": True})
    with kubernetes.connect(10) as cluster:
        assert _who(cluster) == "bob"


def test_the_context_and_the_user_may_stand_in_different_files(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig.write({"token": "token-of-bob"})
    document = yaml.safe_load(kubeconfig.path.read_text())
    first = {key: document.pop(key) for key in ("contexts", "current-context")}
    (tmp_path / "first").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **first}))
    kubeconfig.path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'first'}:{kubeconfig.path}:{tmp_path / 'not-there'}")
    with kubernetes.connect(10) as cluster:
        assert _who(cluster) == "bob"


@pytest.mark.parametrize(("script", "said"), [
    ("echo no session: log in first >&2; exit 3", "no session: log in first"),
    ("echo this is no JSON", ""),
    ("echo '{\"kind\": \"ExecCredential\"}'", ""),
    ("printf '\\377'", "no UTF-8 text"),
])  # fmt: skip
def test_a_plugin_that_fails_is_told_in_one_line(kubeconfig: Kubeconfig, script: str, said: str) -> None:
    kubeconfig.write(kubeconfig.plugin(script))
    with pytest.raises(UsageError) as refused, kubernetes.connect(10):
        pass
    assert str(kubeconfig.path) in str(refused.value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_plugin_that_is_not_installed_is_named(kubeconfig: Kubeconfig) -> None:
    user = kubeconfig.plugin("")
    user["exec"]["command"] = "aws-that-is-not-here"
    kubeconfig.write(user)
    with pytest.raises(UsageError, match="aws-that-is-not-here"), kubernetes.connect(10):
        pass


@pytest.mark.parametrize("variable", [{"name": "A=B", "value": "x"}, {"name": "A", "value": "x\0y"}])
def test_a_plugin_whose_variables_no_program_can_have_is_named(
    kubeconfig: Kubeconfig, variable: dict[str, str]
) -> None:
    user = kubeconfig.plugin("exit 1")
    user["exec"]["env"] = [variable]
    kubeconfig.write(user)
    with (
        pytest.raises(UsageError, match=r"plugin cannot be started: .*mend exec\.args or exec\.env"),
        kubernetes.connect(10),
    ):
        pass


@pytest.mark.parametrize("url", ["http://[::1", "http://proxy.example.com:99999", "http://", "http://a b:3128"])
def test_a_proxy_that_is_no_address_is_a_mistake(kubeconfig: Kubeconfig, url: str) -> None:
    kubeconfig.write({"token": "token-of-bob"}, **{"proxy-url": url, "insecure-skip-tls-verify": True})
    with pytest.raises(UsageError, match="no address; write it like http://proxy"), kubernetes.connect(10):
        pass


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 5000], ids=["lists", "maps"])
def test_a_kubeconfig_that_is_too_deep_is_a_mistake(kubeconfig: Kubeconfig, text: str) -> None:
    kubeconfig.path.write_text(text)
    with pytest.raises(UsageError, match="too deep"), kubernetes.connect(10):
        pass


def test_the_proxy_of_the_kubeconfig_is_used(kubeconfig: Kubeconfig) -> None:
    with connect_proxy() as proxy:
        kubeconfig.write({"token": "token-of-bob"}, **{"proxy-url": proxy.url, "insecure-skip-tls-verify": True})
        with kubernetes.connect(10) as cluster:
            assert _who(cluster) == "bob"
    assert proxy.asked == [kubeconfig.server.url.removeprefix("https://")]


def test_the_proxy_of_the_shell_is_used_but_for_what_it_leaves_out(
    kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig.write({"token": "token-of-bob"})
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with kubernetes.connect(2) as cluster, pytest.raises(TemporaryError):
        cluster.get("/api/v1/namespaces")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with kubernetes.connect(10) as cluster:
        assert _who(cluster) == "bob"
