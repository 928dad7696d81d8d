"""Rules about connections to PostgreSQL: how many there can be, and how many there may be (section 3.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from policies import kinds, pods
from policies.environment import directive, files, variable
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import MISSING, UNKNOWN, Marker, Node, Plain, show
from policies.surge import surge
from policies.values import counted
from runbook import datastores, jobs, pool, thresholds
from runbook.sections import Section
from runbook.services import ServiceSpec

# PostgreSQL keeps these for superusers (superuser_reserved_connections), and for itself where nothing is stated.
RESERVED: Final = 3
_DEFAULT_CONNECTIONS: Final = 100
_DEFAULT_POOL: Final = 20
_POOL_LIMITS: Final = {
    pool.SIZE: thresholds.POOL_SIZE,
    **pool.SHARED,
}
_DIRECT_JOBS: Final = frozenset(job.name for job in jobs.ALL if job.needs & jobs.OF_POSTGRES)


@dataclass(frozen=True, slots=True)
class _Demand:
    """Connections that a service can open at its peak, to PostgreSQL itself or to PgBouncer; None: not yet known."""

    connections: int | None
    pooled: bool


class _Space(NamedTuple):
    """What of a namespace connects to its database."""

    poolers: list[Resource]
    services: list[tuple[Resource, ServiceSpec]]
    jobs: list[Resource]


def _budget(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    spaces = _spaces(index)
    for database in index.of(kinds.STATEFUL_SET):
        if database.object_name != datastores.POSTGRES.name:
            continue
        near, services, direct_jobs = spaces[database.namespace]
        demands = [_demand(index, deployment, spec) for deployment, spec in services]
        yield database, _server_side(index, database, near, demands, direct_jobs)
        pooled = _total(demands, pooled=True)
        for pooler in near:
            yield pooler, _client_side(index, pooler, pooled)


def _spaces(index: StackIndex) -> defaultdict[str | None, _Space]:
    """PgBouncers, services of the database and jobs that go past PgBouncer, by namespace."""
    found: defaultdict[str | None, _Space] = defaultdict(lambda: _Space([], [], []))
    for deployment in index.of(kinds.DEPLOYMENT):
        if deployment.object_name == datastores.PGBOUNCER.name:
            found[deployment.namespace].poolers.append(deployment)
    for deployment, spec in index.service_deployments():
        if datastores.PGBOUNCER in spec.uses:
            found[deployment.namespace].services.append((deployment, spec))
    for job in index.of(kinds.CRON_JOB):
        if job.object_name in _DIRECT_JOBS:
            found[job.namespace].jobs.append(job)
    return found


def _server_side(
    index: StackIndex, database: Resource, poolers: list[Resource], demands: list[_Demand], direct_jobs: list[Resource]
) -> Judgement:
    most = _number(directive(files(index, database), "max_connections"), _DEFAULT_CONNECTIONS)
    direct, shared = _total(demands, pooled=False), [_server_connections(index, pooler) for pooler in poolers]
    allowed = "max_connections for all that can be open at the peak"
    if most is None or direct is None or None in shared:
        return undecided("max_connections", allowed)
    needed = direct + sum(each for each in shared if each is not None) + len(direct_jobs)
    room = most - RESERVED
    return decide(
        needed <= room,
        "max_connections",
        f"{most}, of which {RESERVED} are reserved",
        f"room for {needed} connections: {direct} of services, the rest of PgBouncer and of jobs",
    )


def _client_side(index: StackIndex, pooler: Resource, needed: int | None) -> Judgement:
    limit = _number(directive(files(index, pooler), "max_client_conn"), _DEFAULT_CONNECTIONS)
    allowed = "a max_client_conn that fits all connections of the services at their peak"
    if limit is None or needed is None:
        return undecided("max_client_conn", allowed)
    return decide(
        needed <= limit, "max_client_conn", str(limit), f"{needed} or more: all pools of the services at peak"
    )


def _demand(index: StackIndex, deployment: Resource, spec: ServiceSpec) -> _Demand:
    container = next(iter(pods.named_container(deployment, spec.name)), Node(MISSING))
    host = variable(index, deployment, container, "DATABASE_HOST")
    size = _number(variable(index, deployment, container, "DATABASE_POOL_SIZE"), thresholds.POOL_SIZE.count)
    over = _number(variable(index, deployment, container, "DATABASE_MAX_OVERFLOW"), thresholds.POOL_OVERFLOW.count)
    peak = _peak(index, deployment, spec)
    pooled = isinstance(host, str) and host.partition(".")[0] == datastores.PGBOUNCER.name
    if size is None or over is None or peak is None or host is UNKNOWN:
        return _Demand(None, pooled)
    return _Demand(peak * (size + over), pooled)


def _peak(index: StackIndex, deployment: Resource, spec: ServiceSpec) -> int | None:
    """The most pods that an autoscaler of the service starts; the runbook's number where there is none."""
    key = (deployment.namespace, deployment.object_name)
    most = index.once("most pods by target", lambda: _most(index)).get(key)
    if most is None:
        return spec.replicas.peak
    return None if most.hidden else (spec.replicas.peak if most.number is None else most.number)


def _most(index: StackIndex) -> dict[tuple[str | None, str | None], Node]:
    found = index.of(kinds.HPA)
    return {
        (hpa.namespace, hpa.at("spec", "scaleTargetRef", "name").text): hpa.at("spec", "maxReplicas") for hpa in found
    }


def _server_connections(index: StackIndex, pooler: Resource) -> int | None:
    """Connections of PgBouncer to PostgreSQL: each pod shares its own pool, and a rollout has more of them."""
    texts = list(files(index, pooler))
    stated = directive(texts, "max_db_connections")
    size = _number(directive(texts, "default_pool_size") if stated is MISSING else stated, _DEFAULT_POOL)
    replicas = pooler.at("spec", "replicas")
    if size is None or replicas.hidden:
        return None
    number = 1 if replicas.number is None else replicas.number
    return size * (number + surge(pooler, number))


def _total(demands: list[_Demand], *, pooled: bool) -> int | None:
    """The sum over the services that come by that way; one that is not yet known comes by any way."""
    if any(demand.connections is None for demand in demands):
        return None
    return sum(demand.connections or 0 for demand in demands if demand.pooled is pooled)


def _number(value: Plain, default: int) -> int | None:
    """A number that may stand as text; None while it is not yet known, the default where it is not stated."""
    if isinstance(value, Marker):
        return default if value is MISSING else None
    try:
        return counted(value)
    except ValueError:
        return default


def _pool_settings(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for name, node in _stated(resource):
        limit = _POOL_LIMITS[name]
        yield expect(node, lambda value, most=limit.count: counted(value) <= most, f"{limit.count} or less")


def _stated(resource: Resource) -> Iterable[tuple[str, Node]]:
    if resource.kind == kinds.CONFIG_MAP:
        data = resource.at("data")
        yield from ((name, data.at(name)) for name in _POOL_LIMITS if data.at(name).present and not data.hidden)
        return
    for container in pods.main_containers(resource):
        for variable_ in container.at("env").elements():
            name = variable_.at("name").text
            if name in _POOL_LIMITS:
                yield name, variable_.at("value")


def _max_connections(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    low, high = thresholds.MAX_CONNECTIONS_LOW.count, thresholds.MAX_CONNECTIONS_HIGH.count
    for database in index.of(kinds.STATEFUL_SET):
        if database.object_name == datastores.POSTGRES.name:
            value = directive(files(index, database), "max_connections")
            yield database, _in_file("max_connections", value, lambda number: low <= number <= high, f"{low} to {high}")


def _slow_queries(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    limit = thresholds.SLOW_QUERY.count
    for database in index.of(kinds.STATEFUL_SET):
        if database.object_name != datastores.POSTGRES.name:
            continue
        texts = list(files(index, database))
        value = directive(texts, "log_min_duration_statement")
        plain = value.removesuffix("ms") if isinstance(value, str) else value
        yield database, _in_file("log_min_duration_statement", plain, lambda number: number == limit, f"{limit}ms")
        statements = directive(texts, "log_statement")
        quiet = None if statements is UNKNOWN else statements in (MISSING, "none", "ddl")
        yield database, decide(quiet, "log_statement", show(statements), "none or ddl")


def _in_file(key: str, value: Plain, test: Callable[[int], bool], allowed: str) -> Judgement:
    if value is UNKNOWN:
        return undecided(key, allowed)
    number = _number(value, -1)
    return decide(number is not None and test(number), key, show(value), allowed)


def _pool_mode(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for pooler in index.of(kinds.DEPLOYMENT):
        if pooler.object_name == datastores.PGBOUNCER.name:
            mode = directive(files(index, pooler), "pool_mode")
            allowed = "transaction: a client then holds a connection only while it works"
            shared = None if mode is UNKNOWN else mode == "transaction"
            yield pooler, decide(shared, "pool_mode", show(mode), allowed)


RULES: Final = (
    Meta(
        "connection-budget",
        "PostgreSQL has a connection for everything that can ask for one at the peak.",
        Severity.CRITICAL,
        Section.CONNECTION_POOL,
        "Let the services go through PgBouncer, lower its poolSize (a rollout has a pod more) or their pools, or "
        "raise max_connections.",
    ).of_stack(_budget),
    Meta(
        "pool-settings-as-in-runbook",
        "A service's pool keeps to the runbook's numbers.",
        Severity.MEDIUM,
        Section.POOL_SCALING,
        "Lower the variable to the runbook's number (runbook.thresholds).",
    ).of_resource(kinds.one_of(kinds.CONFIG_MAP, kinds.DEPLOYMENT), _pool_settings),
    Meta(
        "max-connections-range",
        "PostgreSQL accepts as many connections as the runbook recommends.",
        Severity.HIGH,
        Section.CONNECTION_POOL,
        "Set max_connections in postgresql.conf within the range (crypto:postgres.maxConnections).",
    ).of_stack(_max_connections),
    Meta(
        "slow-queries-logged",
        "PostgreSQL logs statements that are slow, and not every statement with its values.",
        Severity.MEDIUM,
        Section.QUERY_TUNING,
        "Set log_min_duration_statement to the runbook's limit and leave log_statement out.",
    ).of_stack(_slow_queries),
    Meta(
        "pgbouncer-transaction-mode",
        "PgBouncer shares connections by transaction.",
        Severity.HIGH,
        Section.CONNECTION_POOL,
        "Set pool_mode = transaction in pgbouncer.ini.",
    ).of_stack(_pool_mode),
)
