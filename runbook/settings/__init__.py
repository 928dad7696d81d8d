"""The settings of a stack: typed, frozen, and checked before anything is declared.

``load`` takes plain data (what ``Pulumi.<stack>.yaml`` holds under ``crypto:``) and either returns settings that fit
together or raises one error whose lines each name the key, the value, what is allowed and what to do.
"""

from runbook.settings.base import Resources
from runbook.settings.datastores import (
    ExternalKafka,
    ExternalRedis,
    ExternalServer,
    KafkaSettings,
    MigrationSettings,
    PgbouncerSettings,
    PostgresSettings,
    RedisSettings,
    RoleNames,
)
from runbook.settings.edge import AccessSettings, CertificateSettings, IngressSettings, NetworkSettings
from runbook.settings.monitoring import AlertingSettings, MailSettings, MonitoringSettings, NotificationSettings
from runbook.settings.stack import IMAGE_NAMES, SecretNames, Settings, SettingsError, load
from runbook.settings.storage import AwsSettings, BackupSettings, BackupSigners
from runbook.settings.workloads import ServiceSettings

__all__ = [
    "IMAGE_NAMES",
    "AccessSettings",
    "AlertingSettings",
    "AwsSettings",
    "BackupSettings",
    "BackupSigners",
    "CertificateSettings",
    "ExternalKafka",
    "ExternalRedis",
    "ExternalServer",
    "IngressSettings",
    "KafkaSettings",
    "MailSettings",
    "MigrationSettings",
    "MonitoringSettings",
    "NetworkSettings",
    "NotificationSettings",
    "PgbouncerSettings",
    "PostgresSettings",
    "RedisSettings",
    "Resources",
    "RoleNames",
    "SecretNames",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "load",
]
