"""The local stack's credentials: made once, kept in the instance's folder, and put into the cluster as Secrets.

In production somebody else owns these Secrets (an external secret store, say); here `make up` does. The Pulumi program
names them and never sees what is in them.
"""

from __future__ import annotations

import base64
import importlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local.errors import LocalError
from local.kubectl import Kubectl
from runbook import datastores, redis_users
from runbook.ops_settings import SIGNING_KEY
from runbook.settings import SecretNames

AWS_SECRET = "backup-aws"  # noqa: S105 (the name of a Secret)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Folder with one folder a Secret and one file a key, readable by their owner alone."""

    folder: Path

    def path(self, secret: str, key: str) -> Path:
        """The file that holds a key of a Secret."""
        return self.folder / secret / key

    def ensure(self) -> None:
        """Makes what is not there yet; what is there stays, because the databases know it already."""
        names = SecretNames()
        self._password(names.postgres_superuser)
        logins = {
            names.postgres_owner: datastores.DATABASE_OWNER,
            names.postgres: datastores.SERVICES_ROLE,
            names.postgres_maintenance: datastores.MAINTENANCE_ROLE,
            names.postgres_reaper: datastores.REAPER_ROLE,
            names.postgres_backup: datastores.BACKUP_ROLE,
            names.postgres_monitoring: datastores.MONITORING_ROLE,
        }
        for secret, role in logins.items():
            self._password(secret)
            self._write(secret, "username", role)
        for user in redis_users.ALL:
            self._password(getattr(names, f"redis_{user.key}"))
        self._write(names.redis_monitoring, "exporter.json", self._exporter_json(names.redis_monitoring))
        services = self.path(names.postgres, "password").read_text()
        self._write(names.pgbouncer, "userlist.txt", f'"{datastores.SERVICES_ROLE}" "{services}"\n')
        self._write(names.jwt, "secret", secrets.token_urlsafe(32))
        self._write(names.backup_key, "identity", str(_x25519().Identity.generate()))
        for secret in names.signing.values():
            self._write(secret, SIGNING_KEY, _pem(Ed25519PrivateKey.generate()))
        # The endpoint of the embedded environment checks no signature; boto3 wants something to sign with.
        aws = f"[default]\naws_access_key_id = local\naws_secret_access_key = {secrets.token_urlsafe(24)}\n"
        self._write(AWS_SECRET, "credentials", aws)

    def backup_public_key(self) -> str:
        """The age recipient that the local stack's backups are encrypted for."""
        identity = self.path(SecretNames().backup_key, "identity").read_text()
        return str(_x25519().Identity.from_str(identity).to_public())

    def backup_signers(self) -> dict[str, str]:
        """The public key (base64) of each signer of the local stack's backups."""
        return {name: self._signer(secret) for name, secret in SecretNames().signing.items()}

    def _signer(self, secret: str) -> str:
        key = serialization.load_pem_private_key(self.path(secret, SIGNING_KEY).read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise LocalError(f"{self.path(secret, SIGNING_KEY)} is no key of Ed25519; remove it, and a new one is made")
        return base64.b64encode(key.public_key().public_bytes_raw()).decode()

    def objects(self, namespace: str) -> list[dict[str, Any]]:
        """The Secrets as Kubernetes objects."""
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir())
        return [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": folder.name, "namespace": namespace},
                "stringData": {file.name: file.read_text() for file in sorted(folder.iterdir())},
            }
            for folder in folders
        ]

    def _exporter_json(self, secret: str) -> str:
        """The password as redis_exporter reads it: its releases look it up with and without the user."""
        address, password = datastores.REDIS.address, self.path(secret, "password").read_text()
        users = ("", f"{redis_users.MONITORING.name}@")
        return json.dumps({f"redis://{user}{address}": password for user in users})

    def _password(self, secret: str) -> None:
        self._write(secret, "password", secrets.token_urlsafe(24))

    def _write(self, secret: str, key: str, value: str) -> None:
        path = self.path(secret, key)
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.parent.parent / f".{secret}-{key}"
        partial.touch(mode=0o600)
        partial.write_text(value)
        # A half-written password would be taken for a whole one by the next run.
        partial.rename(path)


def _pem(key: Ed25519PrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def _x25519() -> Any:
    # The package has no types of its own.
    return importlib.import_module("pyrage").x25519


def put_into_cluster(credentials: Credentials, kubectl: Kubectl, namespace: str) -> None:
    """Creates the namespace where it is missing, and the Secrets in it.

    Raises:
        LocalError: the cluster refused.
    """
    try:
        kubectl.run("create", "namespace", namespace)
    except LocalError as error:
        if "already exists" not in str(error):
            raise
    kubectl.apply(credentials.objects(namespace))
