"""ConfigMap ``app-config``: what every service reads (sections 3.2 and 4.3)."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes import core

from components.context import Context, child
from runbook import datastores, endpoints, pool, redis_users, services, thresholds
from runbook.sections import Section
from runbook.settings import ServiceSettings, Settings

CONFIG_MAP: Final = "app-config"


def shared_environment(settings: Settings) -> dict[str, str]:
    """Environment of all services: addresses, and the pool's limits. A service's own pool size is its own."""
    cache, brokers = endpoints.redis(settings), endpoints.kafka(settings)
    login, bus = redis_users.login(settings, redis_users.SERVICES), settings.kafka.external
    protocol = datastores.kafka_protocol(login=bool(bus and bus.user), tls=brokers[0].tls)
    addresses = {f"{spec.service_name.upper().replace('-', '_')}_URL": spec.url for spec in services.ALL}
    return {
        # PgBouncer stands between the services and PostgreSQL: their pools together exceed max_connections (defect 9).
        "DATABASE_HOST": datastores.PGBOUNCER.name,
        "DATABASE_PORT": str(datastores.PGBOUNCER.port),
        "DATABASE_NAME": datastores.DATABASE,
        "DATABASE_USER": settings.postgres.role_names.services,
        **{name: str(limit.count) for name, limit in pool.SHARED.items()},
        "REDIS_HOST": cache.host,
        "REDIS_PORT": str(cache.port),
        **({"REDIS_TLS": "true"} if cache.tls else {}),
        **({"REDIS_USER": login.user} if login else {}),
        "KAFKA_BOOTSTRAP_SERVERS": endpoints.bootstrap(brokers),
        **({"KAFKA_SECURITY_PROTOCOL": protocol} if bus else {}),
        **({"KAFKA_SASL_MECHANISM": bus.mechanism, "KAFKA_USER": bus.user} if bus and bus.user else {}),
        "KAFKA_TOPIC": services.PRICE_TOPIC,
        "KAFKA_GROUP": services.ANALYTICS_GROUP,
        "KAFKA_PARTITIONS": str(thresholds.KAFKA_PARTITIONS.count),
        **addresses,
    }


def service_environment(spec: services.ServiceSpec, settings: ServiceSettings) -> dict[str, str]:
    """Environment that only this service has."""
    return {
        "SERVICE_NAME": spec.name,
        "PORT": str(spec.port),
        "HEALTH_PATH": spec.health_path,
        pool.SIZE: str(pool.recommended_pool_size(settings.cpu_cores)),
        **dict(spec.environment),
    }


class AppConfig(pulumi.ComponentResource):
    """The ConfigMap of all services; ``data`` is what the pods' fingerprint is made of."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:config:AppConfig", name, None, opts)
        self.data = shared_environment(context.settings)
        self.config_map = core.v1.ConfigMap(
            f"{name}-config-map",
            core.v1.ConfigMapInitArgs(
                metadata=context.metadata(CONFIG_MAP, "configuration", Section.POOL_SCALING), data=dict(self.data)
            ),
            child(self),
        )
        self.name = self.config_map.metadata.name
        self.register_outputs({"name": self.name})
