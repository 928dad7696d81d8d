"""ConfigMap ``ops-config``: what the operations program reads at run time, made from the stack's own settings."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes import core

from components.context import Context, child
from runbook import datastores, endpoints, redis_users, services
from runbook.endpoints import Endpoint
from runbook.ops_paths import CONFIG_FILE, CONFIG_PATH
from runbook.ops_settings import (
    SECRETS_DIRECTORY,
    SIGNING_KEY,
    BackupTarget,
    ChatTarget,
    JwtTarget,
    KafkaTarget,
    Login,
    MailTarget,
    OpsSettings,
    PostgresTarget,
    PrometheusTarget,
    RedisTarget,
    ScaleTarget,
    ServiceTarget,
    Signer,
    Signers,
)
from runbook.sections import Section
from runbook.settings import BackupSigners, MailSettings, SecretNames, Settings

CONFIG_MAP: Final = "ops-config"
CONFIG_DIRECTORY: Final = CONFIG_PATH.rsplit("/", 1)[0]


def secret_directory(secret: str) -> str:
    """Where a job sees the files of a Secret that it mounts."""
    return f"{SECRETS_DIRECTORY}/{secret}"


def _login(user: str, secret: str) -> Login:
    return Login(user=user, password_file=f"{secret_directory(secret)}/password")


def ops_settings(settings: Settings) -> OpsSettings:
    """The operations program's settings, with addresses that hold inside the namespace's cluster."""
    suffix = f".{settings.namespace}.svc"
    return OpsSettings(
        namespace=settings.namespace,
        time_zone=settings.time_zone,
        postgres=_postgres(settings, suffix),
        redis=_redis(settings, suffix),
        kafka=_kafka(settings, suffix),
        services=tuple(
            ServiceTarget(
                name=spec.name, health_url=f"http://{spec.service_name}{suffix}:{spec.port}{spec.health_path}"
            )
            for spec in services.ALL
        ),
        backup=_backup(settings),
        prometheus=PrometheusTarget(url=settings.monitoring.prometheus_url),
        mail=_mail(settings.notifications.mail),
        chat=_chat(settings.notifications.slack_secret),
        scaling=tuple(
            ScaleTarget(name=spec.name, normal=own.replicas_normal, peak=own.replicas_peak)
            for spec in services.SCALED_AT_PEAK
            for own in (settings.services[spec.name],)
        ),
        jwt=JwtTarget(secret=settings.secrets.jwt, services=tuple(spec.name for spec in services.ALL if spec.uses_jwt)),
        waivers=settings.policies.waivers,
    )


def _postgres(settings: Settings, suffix: str) -> PostgresTarget:
    server, secrets = endpoints.postgres(settings, suffix), settings.secrets
    names = settings.postgres.role_names
    return PostgresTarget(
        host=server.host,
        port=server.port,
        database=datastores.DATABASE,
        owner=_login(names.owner, secrets.postgres_owner),
        services=_login(names.services, secrets.postgres),
        maintenance=_login(names.maintenance, secrets.postgres_maintenance),
        reaper=_login(names.reaper, secrets.postgres_reaper),
        backup=_login(names.backup, secrets.postgres_backup),
        monitoring=_login(names.monitoring, secrets.postgres_monitoring),
        superuser=_login("postgres", secrets.postgres_superuser),
        tls=server.tls,
        ca_file=_authority(server),
    )


def _redis(settings: Settings, suffix: str) -> RedisTarget:
    server = endpoints.redis(settings, suffix)
    backup, operator = (redis_users.login(settings, user) for user in (redis_users.BACKUP, redis_users.OPERATOR))
    return RedisTarget(
        host=server.host,
        port=server.port,
        login=_login(backup.user, backup.secret) if backup else None,
        operator=_login(operator.user, operator.secret) if operator and operator != backup else None,
        tls=server.tls,
        ca_file=_authority(server),
    )


def _authority(server: Endpoint) -> str | None:
    return f"{secret_directory(server.ca_secret)}/ca.crt" if server.ca_secret else None


def _kafka(settings: Settings, suffix: str) -> KafkaTarget:
    brokers = endpoints.kafka(settings, suffix)
    external = settings.kafka.external
    return KafkaTarget(
        bootstrap=endpoints.bootstrap(brokers),
        brokers=len(external.bootstrap) if external else settings.kafka.brokers,
        topic=services.PRICE_TOPIC,
        group=services.ANALYTICS_GROUP,
        login=_login(external.user, external.secret) if external and external.user and external.secret else None,
        mechanism=external.mechanism if external else datastores.KAFKA_MECHANISM,
        tls=brokers[0].tls,
        ca_file=_authority(brokers[0]),
    )


def _backup(settings: Settings) -> BackupTarget:
    backup = settings.backup
    key = f"{secret_directory(settings.secrets.backup_key)}/identity" if backup.public_key else None
    return BackupTarget(
        bucket=backup.bucket,
        prefix=backup.prefix,
        region=settings.aws.region,
        endpoint=settings.aws.endpoint,
        retention_days=backup.retention_days,
        shrink_share=backup.shrink_share,
        public_key=backup.public_key,
        private_key_file=key,
        signers=_signers(backup.signers, settings.secrets),
    )


def _signers(signers: BackupSigners | None, secrets: SecretNames) -> Signers | None:
    if signers is None:
        return None
    return Signers(
        **{
            name: Signer(public_keys=keys, private_key_file=f"{secret_directory(secrets.signing[name])}/{SIGNING_KEY}")
            for name, keys in signers.by_name.items()
        }
    )


def _mail(mail: MailSettings | None) -> MailTarget | None:
    if mail is None:
        return None
    return MailTarget(
        host=mail.host,
        port=mail.port,
        sender=mail.sender,
        recipients=mail.recipients,
        tls=mail.tls,
        user=mail.user,
        password_file=f"{secret_directory(mail.secret)}/password" if mail.secret else None,
    )


def _chat(secret: str | None) -> ChatTarget | None:
    return ChatTarget(webhook_file=f"{secret_directory(secret)}/url") if secret else None


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
