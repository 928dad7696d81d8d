"""The settings of `ops` for a shell on the machine itself: the jobs' own, with addresses that work there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from local.credentials import Credentials
from local.kubectl import Kubectl
from runbook import database_roles, datastores
from runbook.ops_settings import BackupTarget, Login, OpsSettings, PrometheusTarget, Signers

CONFIG_MAP = "ops-config"
CONFIG_KEY = "config.json"


def from_cluster(
    kubectl: Kubectl, namespace: str, credentials: Credentials, prometheus: str | None = None
) -> OpsSettings:
    """The ConfigMap's settings, with Services by their cluster addresses and passwords from the instance's folder.

    ``prometheus`` is the address at which this machine reaches it; None leaves the cluster's own name.

    Raises:
        LocalError: the ConfigMap or a Service is not there.
    """
    config = kubectl.get("configmap", CONFIG_MAP, f"--namespace={namespace}")
    settings = OpsSettings.model_validate_json(config["data"][CONFIG_KEY])
    services = kubectl.get("services", f"--namespace={namespace}")["items"]
    addresses = {service["metadata"]["name"]: str(service["spec"]["clusterIP"]) for service in services}
    return reachable(settings, addresses, credentials, prometheus)


def reachable(
    settings: OpsSettings, addresses: Mapping[str, str], credentials: Credentials, prometheus: str | None = None
) -> OpsSettings:
    """The settings with each host name (``postgres.crypto.svc``) replaced by its Service's address.

    Kafka is asked through its external listener: the other one names brokers that only the cluster's DNS knows.
    """

    def host(name: str) -> str:
        return addresses[name.split(".", 1)[0]]

    def here(file: str) -> str:
        secret, key = Path(file).parts[-2:]
        return str(credentials.path(secret, key))

    def login(old: Login) -> Login:
        return Login(user=old.user, password_file=here(old.password_file))

    postgres, redis, kafka, backup = settings.postgres, settings.redis, settings.kafka, settings.backup
    bootstrap = f"{host(kafka.bootstrap)}:{datastores.KAFKA_EXTERNAL_PORT}"
    changes: dict[str, Any] = {
        "postgres": postgres.model_copy(
            update={
                "host": host(postgres.host),
                "superuser": login(postgres.superuser),
                **{role.key: login(postgres.login(role)) for role in database_roles.ALL},
            }
        ),
        "redis": redis.model_copy(
            update={
                "host": host(redis.host),
                "login": redis.login and login(redis.login),
                "operator": redis.operator and login(redis.operator),
            }
        ),
        "kafka": kafka.model_copy(update={"bootstrap": bootstrap}),
        "prometheus": PrometheusTarget(url=prometheus) if prometheus else settings.prometheus,
        "backup": _with_keys(backup, here),
        "services": tuple(
            service.model_copy(update={"health_url": _with_host(service.health_url, host)})
            for service in settings.services
        ),
    }
    return settings.model_copy(update=changes)


def _with_keys(backup: BackupTarget, here: Callable[[str], str]) -> BackupTarget:
    signers = backup.signers and Signers(
        **{
            name: signer.model_copy(update={"private_key_file": here(signer.private_key_file)})
            for name, signer in backup.signers.by_name.items()
        }
    )
    key = backup.private_key_file
    return backup.model_copy(update={"private_key_file": here(key) if key else None, "signers": signers})


def _with_host(url: str, host: Callable[[str], str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{host(parts.hostname or '')}:{parts.port}"))
