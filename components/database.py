"""The Job that prepares PostgreSQL before anything uses it: first roles and rights, then the migrations."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes import batch, core

from components import pods
from components.context import Context, child
from components.ops_config import CONFIG_DIRECTORY, CONFIG_MAP, secret_directory
from runbook import capacity, database_roles, datastores, endpoints
from runbook.sections import Section
from runbook.settings import MigrationSettings

NAME: Final = database_roles.SETUP_JOB
_SECTION: Final = Section.CONNECTION_POOL
_COMPONENT: Final = "operations"
# Of the images of ops and of the services alike.
_USER_ID: Final = 65532
# A server that recovers, or a table that stays locked, takes some tries.
_RETRIES: Final = 5
_DEADLINE_SECONDS: Final = 2 * 60 * 60
_ROLES: Final = "roles"
_MIGRATIONS: Final = "migrations"


def job_args(context: Context) -> batch.v1.JobInitArgs:
    """The Job. Its template says all that it depends on, so that a change of that runs it again.

    Each container sees the passwords that it needs: the migrations have the owner's alone.
    """
    settings = context.settings
    migrations = settings.postgres.migrations
    roles = [] if settings.postgres.external else [_roles(context)]
    migrate = [_migrations(migrations, context)] if migrations else []
    steps = [*roles, *migrate]
    mounts = _mounts(context, roles=bool(roles))
    names = settings.postgres.role_names
    statements = (*database_roles.memberships(names), *database_roles.arrangement(names, datastores.DATABASE))
    return batch.v1.JobInitArgs(
        metadata=context.metadata(NAME, _COMPONENT, _SECTION),
        spec=batch.v1.JobSpecArgs(
            backoff_limit=_RETRIES,
            active_deadline_seconds=_DEADLINE_SECONDS,
            template=pods.template(
                pods.PodArgs(
                    name=NAME,
                    component=_COMPONENT,
                    section=_SECTION,
                    user_id=_USER_ID,
                    containers=steps[-1:],
                    mounts=mounts,
                    config={"statements": "\n".join(statements)},
                    restart_policy="Never",
                    sidecars=steps[:-1],
                ),
                settings,
            ),
        ),
    )


def _secrets(context: Context) -> tuple[str, ...]:
    """The Secrets of all logins: the step that makes the roles needs the password of each."""
    names = context.settings.secrets
    return (
        names.postgres_superuser,
        names.postgres_owner,
        names.postgres,
        names.postgres_maintenance,
        names.postgres_reaper,
        names.postgres_backup,
        names.postgres_monitoring,
    )


def _mounts(context: Context, *, roles: bool) -> list[pods.Mount]:
    settings = context.settings
    wanted = (
        _secrets(context)
        if roles
        else (settings.secrets.postgres_owner, *settings.postgres.authority_secrets().values())
    )
    secrets = [pods.secret_files(f"secret-{name}"[:63], name, secret_directory(name)) for name in wanted]
    config = [pods.config_files("config", CONFIG_MAP, CONFIG_DIRECTORY)] if roles else []
    return [*config, pods.temporary(), *secrets]


def _roles(context: Context) -> core.v1.ContainerArgs:
    return core.v1.ContainerArgs(
        name=_ROLES,
        image=context.settings.image("ops"),
        args=["db", "roles", "--json"],
        resources=pods.requirements(capacity.JOB_RESOURCES),
        security_context=pods.container_security(),
        volume_mounts=[mount.mount for mount in _mounts(context, roles=True)],
        termination_message_policy="FallbackToLogsOnError",
    )


def _migrations(migrations: MigrationSettings, context: Context) -> core.v1.ContainerArgs:
    settings = context.settings
    server, secret = endpoints.postgres(settings), settings.secrets.postgres_owner
    # To PostgreSQL itself: a lock of a migration belongs to a session, which PgBouncer does not keep.
    environment = {
        "DATABASE_HOST": server.host,
        "DATABASE_PORT": str(server.port),
        "DATABASE_NAME": datastores.DATABASE,
        "DATABASE_USER": settings.postgres.role_names.owner,
        "DATABASE_PASSWORD_FILE": f"{secret_directory(secret)}/password",
    }
    if server.tls:
        # As libpq reads them by itself.
        environment["PGSSLMODE"] = server.sslmode
    if server.ca_secret:
        environment["PGSSLROOTCERT"] = f"{secret_directory(server.ca_secret)}/ca.crt"
    return core.v1.ContainerArgs(
        name=_MIGRATIONS,
        image=settings.image(migrations.service),
        args=list(migrations.args),
        env=pods.environment(environment),
        resources=pods.requirements(capacity.JOB_RESOURCES),
        security_context=pods.container_security(),
        volume_mounts=[mount.mount for mount in _mounts(context, roles=False)],
        termination_message_policy="FallbackToLogsOnError",
    )


class DatabaseSetup(pulumi.ComponentResource):
    """The Job, which has ended well before what depends on ``job`` is made."""

    def __init__(
        self,
        name: str,
        context: Context,
        depends_on: list[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("crypto:datastore:DatabaseSetup", name, None, opts)
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(
                metadata=context.metadata(NAME, _COMPONENT, _SECTION), automount_service_account_token=False
            ),
            child(self),
        )
        waits = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create=f"{_DEADLINE_SECONDS}s"))
        options = pulumi.ResourceOptions.merge(child(self, depends_on=[account, *depends_on]), waits)
        self.job = batch.v1.Job(f"{name}-job", job_args(context), options)
        self.register_outputs({"name": NAME})
