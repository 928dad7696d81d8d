"""A real API server without a cluster: etcd, kube-apiserver, and users whom it knows by token or certificate."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from local.cluster import pki
from local.paths import Instance
from tests.running.owned import owned_folder
from tests.running.slots import free_port
from tests.services.servers import Server, listening
from tests.waiting import wait_until

TOKENS = {"token-of-alice": "alice", "token-of-bob": "bob", "token-of-carol": "carol"}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Its address, and the folder with ``ca.crt`` and ``admin.crt`` and ``admin.key`` (the user ``local-admin``)."""

    url: str
    pki: Path
    pid: int
    etcd: Server
    stop: Callable[[], None]
    restart: Callable[[], object]

    def kubeconfig(
        self, path: Path, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
    ) -> Path:
        """A kubeconfig with one cluster, one user and one context; the administrator's where no ``user`` is given.

        A field of ``cluster`` replaces one, or leaves it out where it is None.
        """
        admin = {"client-certificate": str(self.pki / "admin.crt"), "client-key": str(self.pki / "admin.key")}
        trusted = {"server": self.url, "certificate-authority": str(self.pki / "ca.crt")}
        reached = {key: value for key, value in {**trusted, **(cluster or {})}.items() if value is not None}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": reached}],
            "users": [{"name": "u", "user": user or admin}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "crypto"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(document))
        return path


@contextmanager
def api_server(bin_dir: Path, *options: str) -> Generator[ApiServer]:
    """An API server that authorizes by RBAC; nobody but the administrator may do anything."""
    with owned_folder() as folder:
        certificates = folder / "pki"
        certificates.mkdir()
        pki.ensure_pki(Instance("api-test", 0, folder, folder), certificates, "node")
        (folder / "tokens.csv").write_text("".join(f"{token},{user},{user}\n" for token, user in TOKENS.items()))
        client, peer, port = free_port(), free_port(), free_port()
        etcd = [
            str(bin_dir / "etcd"),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--heartbeat-interval=20",
            "--election-timeout=200",
            "--log-level=warn",
        ]
        server = [
            str(bin_dir / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{client}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--authorization-mode=RBAC",
            f"--token-auth-file={folder / 'tokens.csv'}",
            f"--tls-cert-file={certificates / 'apiserver.crt'}",
            f"--tls-private-key-file={certificates / 'apiserver.key'}",
            f"--client-ca-file={certificates / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={certificates / 'sa.pub'}",
            f"--service-account-signing-key-file={certificates / 'sa.key'}",
            *options,
        ]
        for name in ("etcd-log", "server-log"):
            (folder / name).mkdir()
        trusted = ssl.create_default_context(cafile=certificates / "ca.crt")
        trusted.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
        url = f"https://127.0.0.1:{port}"
        with (
            listening(etcd, client, folder / "etcd-log", signal.SIGKILL) as store,
            httpx.Client(verify=trusted, trust_env=False) as asking,
            ExitStack() as running,
        ):

            def start() -> int:
                running.close()
                started = running.enter_context(listening(server, port, folder / "server-log", signal.SIGKILL))
                wait_until(lambda: _is_ready(asking, url), "the API server is ready")
                return started.pid

            yield ApiServer(url, certificates, start(), store, running.close, start)


def _is_ready(asking: httpx.Client, url: str) -> bool:
    try:
        return asking.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        # It listens before it answers.
        return False
