"""ConfigMap ``ops-config``: what the operations program reads at run time, made from the stack's own settings."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes import core

from components.context import Context, child
from runbook import datastores, services
from runbook.ops_settings import (
    CONFIG_PATH,
    SECRETS_DIRECTORY,
    BackupTarget,
    KafkaTarget,
    Login,
    OpsSettings,
    PostgresTarget,
    RedisTarget,
    ServiceTarget,
)
from runbook.sections import Section
from runbook.settings import Settings

CONFIG_MAP: Final = "ops-config"
CONFIG_FILE: Final = CONFIG_PATH.rsplit("/", 1)[1]
CONFIG_DIRECTORY: Final = CONFIG_PATH.rsplit("/", 1)[0]


def secret_directory(secret: str) -> str:
    """Where a job sees the files of a Secret that it mounts."""
    return f"{SECRETS_DIRECTORY}/{secret}"


def ops_settings(settings: Settings) -> OpsSettings:
    """The operations program's settings, with addresses that hold inside the namespace's cluster."""
    suffix, secrets = f".{settings.namespace}.svc", settings.secrets

    def login(user: str, secret: str) -> Login:
        return Login(user=user, password_file=f"{secret_directory(secret)}/password")

    return OpsSettings(
        namespace=settings.namespace,
        time_zone=settings.time_zone,
        postgres=PostgresTarget(
            host=datastores.POSTGRES.name + suffix,
            port=datastores.POSTGRES.port,
            database=datastores.DATABASE,
            backup=login(datastores.BACKUP_ROLE, secrets.postgres_backup),
            owner=login(datastores.DATABASE_OWNER, secrets.postgres),
            superuser=login("postgres", secrets.postgres_superuser),
        ),
        redis=RedisTarget(host=datastores.REDIS.name + suffix, port=datastores.REDIS.port),
        kafka=KafkaTarget(
            bootstrap=f"{datastores.KAFKA.name}{suffix}:{datastores.KAFKA.port}",
            brokers=settings.kafka.brokers,
            topic=services.PRICE_TOPIC,
            group=services.ANALYTICS_GROUP,
        ),
        services=tuple(
            ServiceTarget(
                name=spec.name, health_url=f"http://{spec.service_name}{suffix}:{spec.port}{spec.health_path}"
            )
            for spec in services.ALL
        ),
        backup=BackupTarget(
            bucket=settings.backup.bucket,
            prefix=settings.backup.prefix,
            region=settings.aws.region,
            endpoint=settings.aws.endpoint,
            retention_days=settings.backup.retention_days,
        ),
    )


class OpsConfig(pulumi.ComponentResource):
    """The ConfigMap that every operations job mounts; ``data`` is what their fingerprint is made of."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:ops:Config", name, None, opts)
        content = ops_settings(context.settings).model_dump_json(by_alias=True, indent=2)
        self.data = {CONFIG_FILE: content}
        self.config_map = core.v1.ConfigMap(
            f"{name}-config-map",
            core.v1.ConfigMapInitArgs(
                metadata=context.metadata(CONFIG_MAP, "operations", Section.DATABASE_BACKUP), data=dict(self.data)
            ),
            child(self),
        )
        self.name = self.config_map.metadata.name
        self.register_outputs({"name": self.name})
