"""Cases of the rules about backups, storage, times, alerts and notifications."""

from __future__ import annotations

import json
from typing import Any

from policies.plain import UNKNOWN
from runbook import alerts, severities
from runbook.alerting import routing
from runbook.alerting.durations import EVALUATION_SECONDS, SCRAPE_SECONDS
from runbook.bucket import BACKUP_KINDS
from tests.policies.cases import Case, Waiting
from tests.policies.cases_first import ABORT, MAIN, POD
from tests.policies.stack import Change, Declared
from tests.policies.stack_parts import BUCKET_ARN, SIGNERS, allowing

LOCK = "rule.defaultRetention"
MONITOR = "api-gateway-monitor"
ENDPOINT = "spec.endpoints.0"
SCHEDULE = "spec.schedule"
ANNOTATIONS = "annotations"
MUTE = "spec.muteTimeIntervals.0.timeIntervals.0"
INHIBIT = "spec.inhibitRules.0"
ROUTES = "spec.route.routes"
REDIS_CONF = "maxmemory 1mb\nmaxmemory-policy {policy}\nappendonly {append}\n{login}\n"


def ops(**changed: Any) -> dict[str, str]:
    """The ConfigMap of the operations program."""
    backup = {
        "bucket": "crypto-backups",
        "prefix": "crypto/",
        "retentionDays": 30,
        "publicKey": "age1example",
        "signers": SIGNERS,
        **changed,
    }
    return {"config.json": json.dumps({"backup": backup})}


def told(**sections: dict[str, Any]) -> Change:
    """What the operations program is told of datastores."""
    return "ops-config", "data", {"config.json": json.dumps(sections)}


def pooler(*lines: str) -> Change:
    """A pgbouncer.ini whose PostgreSQL is outside."""
    text = "\n".join(["[databases]", "crypto_db = host=db.example.com port=5432", "[pgbouncer]", *lines])
    return "pgbouncer-config", "data", {"pgbouncer.ini": text}


def exporter(address: str) -> Change:
    """An exporter of PostgreSQL that is told this address."""
    variable = {"name": "DATA_SOURCE_URI", "value": address}
    container = {"name": "postgres-exporter", "env": [variable]}
    spec = {"template": {"spec": {"containers": [container]}}}
    metadata = {"name": "postgres-exporter", "namespace": "crypto"}
    kind = "kubernetes:apps/v1:Deployment"
    return "exporter", "", Declared(kind, "exporter", {"metadata": metadata, "spec": spec})


DATABASE = {"host": "db.example.com", "tls": True, "caFile": "/ca.crt"}
CACHE = {"host": "cache.example.com", "tls": True, "login": {"user": "crypto"}}
BROKERS = {"bootstrap": "b-1.example.com:9096,b-2.example.com:9096", "tls": True, "login": {"user": "crypto"}}
VERIFY, REQUIRE = "server_tls_sslmode = verify-full", "server_tls_sslmode = require"


def redis(policy: str = "allkeys-lru", append: str = "yes", login: str = "aclfile /run/users.acl") -> dict[str, str]:
    """A redis.conf."""
    return {"redis.conf": REDIS_CONF.format(policy=policy, append=append, login=login)}


def expiring(days: int, *kinds: str) -> list[dict[str, Any]]:
    """Rules of a lifecycle."""
    ended = [
        {"status": "Enabled", "filter": {"prefix": f"crypto/{kind}/"}, "expiration": {"days": days}} for kind in kinds
    ]
    return [*ended, ABORT]


def alert(name: str, key: str) -> str:
    """Where an alert stands in the PrometheusRule."""
    for number, group in enumerate(alerts.GROUPS):
        for position, rule in enumerate(group.rules):
            if rule.name == name:
                return f"spec.groups.{number}.rules.{position}.{key}"
    raise AssertionError(name)


def route(receiver: str) -> str:
    """Where the route to a receiver stands in the AlertmanagerConfig."""
    return f"{ROUTES}.{[each.receiver.name for each in routing.ROUTES].index(receiver)}"


def receiver(name: str) -> str:
    """Where a receiver stands in the AlertmanagerConfig."""
    return f"spec.receivers.{[each.name for each in routing.RECEIVERS].index(name)}"


_PAGES = [each.for_seconds + each.window_seconds for each in alerts.ALL if each.severity is severities.P1]
# Seconds that are left for the wait of a P1's group, when its slowest alert has fired.
LEFT = (severities.P1.response_seconds or 0) - max(_PAGES) - SCRAPE_SECONDS - EVALUATION_SECONDS

# Seconds between a P1's first notice by Prometheus and its answer.
ANSWER = (severities.P1.response_seconds or 0) - SCRAPE_SECONDS - EVALUATION_SECONDS

LATENCY, CPU, DOWN = "ApiGatewayLatencyHigh", "NodeCpuHigh", "ApiGatewayDown"
OTHER = {
    "alert": "SecondOpinion",
    "expr": 'instance:node_cpu:ratio_rate5m{namespace="crypto"} > 0.9',
    "labels": {"severity": "P3", "team": "platform", "namespace": "crypto"},
    "annotations": {"summary": "Busy", "runbook_url": "https://x/docs/runbook.md#section-1-2"},
}

REFUSING: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
_ELSEWHERE = "arn:aws:s3:::crypto-backups-1a2b"
COMPUTED = Declared(
    "aws:s3/bucketPolicy:BucketPolicy",
    "bucket-policy",
    {"bucket": "crypto-backups", "policy": allowing(**REFUSING, Resource=[_ELSEWHERE, f"{_ELSEWHERE}/*"])},
    links={"bucket": ("bucket",)},
)
NOT_QUITE: list[dict[str, Any]] = [
    {"Effect": "Allow"},
    {"Principal": {"AWS": "arn:x"}},
    {"Action": "s3:GetObject"},
    {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
]

PASSES: list[Case] = [
    # Alertmanager waits 30 seconds where a route does not say.
    (
        "severity-reaches-receiver",
        ("rules", alert(DOWN, "for"), f"{ANSWER - 31}s"),
        ("routes", f"{route('p1')}.groupWait", None),
    ),
    ("severity-reaches-receiver", ("routes", route("p4"), None)),
    (
        "severity-reaches-receiver",
        ("routes", f"{route('heartbeat')}.matchers", [{"name": "alertname", "value": "W"}, {"name": UNKNOWN}]),
    ),
    ("schedules-apart", ("backup-verify", SCHEDULE, "0 x * * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "0 3 x * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "*/5 * * * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "0 * * * *")),
    ("schedules-apart", ("backup-redis", SCHEDULE, "0 2 * * *"), ("backup-redis", "spec.timeZone", "Asia/Tokyo")),
    ("bucket-tls-only", ("bucket-policy", "policy", allowing(**REFUSING, Resource=[BUCKET_ARN, f"{BUCKET_ARN}/*"]))),
    (
        "backup-retention-equal",
        ("ops-config", "data", ops(retentionDays=31)),
        ("lifecycle", "rules", expiring(31, *BACKUP_KINDS)),
    ),
    (
        "backup-retention-equal",
        ("lifecycle", "rules", [{"status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 30}}, ABORT]),
    ),
    (
        "backup-retention-equal",
        ("lifecycle", "rules", [{"status": "Enabled", "prefix": "", "expiration": {"days": 30}}]),
    ),
    ("object-lock-within-retention", ("lock", f"{LOCK}.days", 30)),
    ("object-lock-within-retention", ("lock", f"{LOCK}.days", 1)),
    ("backups-locked", ("lock", "bucket", "crypto-backups")),
    ("postgres-verified", told(postgres=DATABASE), pooler(VERIFY)),
    ("postgres-verified", told(postgres={"host": "postgres.crypto.svc"})),
    ("postgres-verified", pooler(VERIFY)),
    ("postgres-verified", told(postgres=DATABASE), exporter("postgres:5432/crypto_db?sslmode=disable")),
    ("postgres-verified", exporter("db.example.com:5432/crypto_db?sslmode=verify-full&sslrootcert=/ca.crt")),
    ("outside-encrypted", told(redis=CACHE, kafka=BROKERS)),
    ("outside-encrypted", told(redis={"host": "redis.crypto.svc"})),
    ("outside-encrypted", told(kafka={"bootstrap": "kafka.crypto.svc:9092"})),
    ("redis-login", told(redis=CACHE)),
    ("redis-login", told(redis={"host": "redis.crypto.svc"})),
    ("kafka-login", told(kafka=BROKERS)),
    ("kafka-login", told(kafka={"bootstrap": "kafka.crypto.svc:9092"})),
    ("key-recoverable", ("key", "deletionWindowInDays", None)),
    ("iam-no-wildcards", ("iam-policy", "policy", allowing(Effect="Deny", Action="*", Resource="*"))),
    ("iam-no-wildcards", ("iam-policy", "policy", json.loads(allowing()))),
    ("iam-no-wildcards", ("iam-policy", "policy", json.dumps({"Statement": json.loads(allowing())["Statement"][0]}))),
    ("bucket-tls-only", ("bucket-policy", "bucket", "crypto-backups")),
    # Before the bucket exists its policy was computed from another ARN than its name gives.
    ("bucket-tls-only", ("bucket-policy", "", COMPUTED)),
    ("redis-evicts", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory-policy", "allkeys-lru"])),
    ("redis-users", ("redis-config", "data", redis(login="requirepass secret"))),
    ("kafka-partitions", ("kafka", f"{MAIN}.env.1.value", "25")),
    ("claims-retained", ("redis", "spec.volumeClaimTemplates", None)),
    ("schedules-apart", ("backup-redis", SCHEDULE, "15 2 * * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "0 10 * * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "59 7 * * *")),
    ("schedules-apart", ("backup-prune", SCHEDULE, "*/5 * * * *")),
    ("schedules-apart", ("backup-prune", SCHEDULE, "not at all")),
    ("schedules-apart", ("backup-prune", "metadata.name", "other"), ("backup-prune", SCHEDULE, "59 2 * * 0")),
    ("schedules-apart", ("backup-prune", "metadata.name", "other"), ("backup-prune", SCHEDULE, "0 3 * * 2")),
    ("threshold-has-one-alert", ("rules", alert(CPU, "expr"), "a / (b > 3)\n  > 0.80")),
    ("alert-in-time", ("rules", alert(DOWN, "for"), "14m59s")),
    ("alert-in-time", ("rules", alert("Watchdog", "for"), "30d")),
    ("alert-in-time", ("rules", alert(DOWN, "for"), None)),
    ("alert-labelled", ("rules", alert(DOWN, "labels.severity"), "P4")),
    ("severity-reaches-receiver", ("routes", f"{route('p1')}.groupWait", f"{LEFT - 1}s")),
    ("severity-reaches-receiver", ("routes", f"{route('p1')}.groupWait", None)),
    ("severity-reaches-receiver", ("routes", f"{route('p4')}.groupWait", "7d")),
    (
        "severity-reaches-receiver",
        ("routes", f"{route('p1')}.matchers", [{"name": "severity", "matchType": "=~", "value": "P1|P0"}]),
    ),
    ("page-never-muted", ("routes", f"{route('p1')}.muteTimeIntervals", None)),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times.0.endTime", "02:01")),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.interval", "75s")),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.scrapeTimeout", "30s")),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.scrapeTimeout", None)),
    ("monitor-target-exists", (MONITOR, "spec.namespaceSelector", {"matchNames": ["crypto"]})),
]

FAILS: list[Case] = [
    (
        "severity-reaches-receiver",
        ("rules", alert(DOWN, "for"), f"{ANSWER - 30}s"),
        ("routes", f"{route('p1')}.groupWait", None),
    ),
    (
        "backup-retention-equal",
        ("lifecycle", "rules", [{"status": "Enabled", "prefix": "elsewhere/", "expiration": {"days": 30}}]),
    ),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.interval", "0s"), (MONITOR, f"{ENDPOINT}.scrapeTimeout", None)),
    ("schedules-apart", ("backup-redis", SCHEDULE, "0 2 * * *"), ("backup-redis", "spec.timeZone", None)),
    ("backup-target-declared", ("ops-config", "data", ops(bucket="other"))),
    ("backup-target-declared", ("bucket", "bucket", "other")),
    ("backup-target-declared", ("ops-config", "data", {"config.json": "{"})),
    (
        "backup-retention-equal",
        ("ops-config", "data", ops(retentionDays=29)),
        ("lifecycle", "rules", expiring(29, *BACKUP_KINDS)),
    ),
    ("backup-retention-equal", ("ops-config", "data", ops(retentionDays=31))),
    ("backup-retention-equal", ("lifecycle", "rules", expiring(31, *BACKUP_KINDS))),
    ("backup-retention-equal", ("lifecycle", "rules", expiring(30, *BACKUP_KINDS[1:]))),
    ("backup-retention-equal", ("lifecycle", "rules.0.status", "Disabled")),
    ("backup-retention-equal", ("lifecycle", "rules.0.expiration.days", 31)),
    ("object-lock-within-retention", ("lock", f"{LOCK}.days", 31)),
    ("object-lock-within-retention", ("lock", f"{LOCK}.days", 0)),
    ("object-lock-within-retention", ("lock", f"{LOCK}.mode", "GOVERNANCE")),
    ("backups-locked", ("lock", "", None)),
    ("backups-locked", ("lock", "bucket", "other")),
    ("backups-encrypted", ("ops-config", "data", ops(publicKey=None))),
    ("backups-encrypted", ("ops-config", "data", ops(publicKey="ssh-ed25519 AAAA"))),
    ("postgres-verified", told(postgres=DATABASE | {"tls": False})),
    ("postgres-verified", told(postgres=DATABASE | {"caFile": None})),
    ("postgres-verified", told(postgres={"host": "db.example.com"})),
    ("postgres-verified", pooler(REQUIRE)),
    ("postgres-verified", pooler()),
    ("postgres-verified", exporter("db.example.com:5432/crypto_db?sslmode=require")),
    ("outside-encrypted", told(redis=CACHE | {"tls": False})),
    ("outside-encrypted", told(kafka=BROKERS | {"tls": False})),
    ("outside-encrypted", told(kafka={"bootstrap": "kafka.crypto.svc:9092,b-1.example.com:9092"})),
    ("redis-login", told(redis=CACHE | {"login": None})),
    ("kafka-login", told(kafka=BROKERS | {"login": None})),
    ("kafka-login", told(kafka={"bootstrap": "kafka.crypto.svc:9092,b-1.example.com:9096"})),
    ("backups-signed", ("ops-config", "data", ops(signers=None))),
    ("backups-signed", ("ops-config", "data", ops(signers=SIGNERS | {"verify": None}))),
    ("backups-signed", ("ops-config", "data", ops(signers=SIGNERS | {"redis": {"publicKeys": []}}))),
    ("backups-signed", ("ops-config", "data", ops(signers=SIGNERS | {"verify": SIGNERS["postgres"]}))),
    ("runbook-jobs-declared", ("health-check", "", None)),
    ("runbook-jobs-declared", ("health-check", "metadata.namespace", "other")),
    ("key-recoverable", ("key", "deletionWindowInDays", 29)),
    ("key-recoverable", ("key", "enableKeyRotation", None)),
    *(
        ("iam-no-wildcards", ("iam-policy", "policy", allowing(Action=action)))
        for action in ("*", "s3:*", ["s3:*"], None)
    ),
    ("iam-no-wildcards", ("iam-policy", "policy", allowing(Resource="*"))),
    ("iam-no-wildcards", ("iam-policy", "policy", allowing(Resource=[BUCKET_ARN, "*"]))),
    ("iam-no-wildcards", ("bucket-policy", "policy", allowing(Principal="*"))),
    ("iam-no-wildcards", ("bucket-policy", "policy", allowing(Principal={"AWS": ["*"]}))),
    ("iam-no-wildcards", ("iam-role", "assumeRolePolicy", allowing(Principal={"AWS": "*"}))),
    ("iam-no-wildcards", ("iam-policy", "policy", "{")),
    ("bucket-tls-only", ("bucket-policy", "", None)),
    ("bucket-tls-only", ("bucket-policy", "bucket", "other")),
    ("bucket-tls-only", ("bucket-policy", "policy", allowing())),
    *(("bucket-tls-only", ("bucket-policy", "policy", allowing(**{**REFUSING, **changed}))) for changed in NOT_QUITE),
    ("redis-evicts", ("redis-config", "data", redis(policy="noeviction"))),
    ("redis-evicts", ("redis", f"{POD}.volumes", None)),
    ("redis-evicts", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory-policy", "noeviction"])),
    ("redis-persistent", ("redis-config", "data", redis(append="no"))),
    ("redis-users", ("redis-config", "data", redis(login=""))),
    ("redis-users", ("redis-config", "data", redis(login="# requirepass secret"))),
    ("redis-users", ("redis-config", "data", redis(login='aclfile ""'))),
    # A file of users that redis.conf does not name.
    ("redis-users", ("redis-config", "data", redis(login="") | {"users.acl": "user default off\n"})),
    ("claims-retained", ("redis", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "Delete")),
    ("claims-retained", ("redis", "spec.persistentVolumeClaimRetentionPolicy", None)),
    ("kafka-partitions", ("kafka", f"{MAIN}.env.1.value", "23")),
    ("kafka-partitions", ("kafka", f"{MAIN}.env.1.value", "many")),
    ("kafka-partitions", ("kafka", f"{MAIN}.env.1", None)),
    ("schedules-apart", ("backup-redis", SCHEDULE, "14 2 * * *")),
    ("schedules-apart", ("backup-redis", SCHEDULE, "0 2 * * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "0 8 * * *")),
    ("schedules-apart", ("backup-verify", SCHEDULE, "59 9 * * *")),
    ("schedules-apart", ("backup-prune", "metadata.name", "other"), ("backup-prune", SCHEDULE, "0 3 * * 0")),
    ("schedules-apart", ("backup-prune", "metadata.name", "other"), ("backup-prune", SCHEDULE, "59 3 * * 0")),
    ("schedules-apart", ("backup-prune", "metadata.name", "other"), ("backup-prune", SCHEDULE, "59 2 * * 2")),
    ("schedules-apart", ("backup-prune", "metadata.name", "other"), ("backup-prune", SCHEDULE, "0 2 * * 3")),
    ("threshold-has-one-alert", ("rules", "", None)),
    ("threshold-has-one-alert", ("rules", "metadata.namespace", "other")),
    ("threshold-has-one-alert", ("rules", alert(CPU, "expr"), "a > 0.81")),
    ("threshold-has-one-alert", ("rules", alert(CPU, "expr"), "a >= 0.8")),
    ("threshold-has-one-alert", ("rules", alert(CPU, "expr"), "a > scalar(b > 0.8)")),
    ("threshold-has-one-alert", ("rules", alert(CPU, "alert"), "Renamed")),
    ("threshold-has-one-alert", ("rules", alert(CPU, "alert"), LATENCY)),
    ("threshold-has-one-alert", ("rules", alert("Watchdog", "")[:-1], OTHER)),
    ("alert-in-time", ("rules", alert(DOWN, "for"), "15m")),
    ("alert-in-time", ("rules", alert("ApiGatewayHighErrorRate", "for"), "25m")),
    ("alert-in-time", ("rules", alert(DOWN, "for"), "soon")),
    ("alert-in-time", ("rules", alert("Watchdog", "")[:-1], {**OTHER, "expr": "rate(x[2h]) > 1"})),
    ("alert-labelled", ("rules", alert(DOWN, "labels.severity"), "critical")),
    ("alert-labelled", ("rules", alert(DOWN, "labels.team"), None)),
    ("alert-labelled", ("rules", alert(DOWN, "labels.team"), " ")),
    ("alert-labelled", ("rules", alert(DOWN, "labels.namespace"), "other")),
    ("alert-leads-to-runbook", ("rules", alert(DOWN, f"{ANNOTATIONS}.summary"), None)),
    (
        "alert-leads-to-runbook",
        ("rules", alert(DOWN, f"{ANNOTATIONS}.runbook_url"), "https://x/docs/runbook.md#section-9-9"),
    ),
    ("alert-leads-to-runbook", ("rules", alert(DOWN, ANNOTATIONS), None)),
    ("severity-reaches-receiver", ("routes", "", None)),
    ("severity-reaches-receiver", ("routes", "metadata.namespace", "other")),
    ("severity-reaches-receiver", ("routes", f"{route('p1')}.groupWait", f"{LEFT}s")),
    ("severity-reaches-receiver", ("routes", f"{route('p1')}.groupWait", "soon")),
    ("severity-reaches-receiver", ("rules", alert(DOWN, "for"), "14m")),
    ("severity-reaches-receiver", ("routes", f"{receiver('p1')}.webhookConfigs", None)),
    ("severity-reaches-receiver", ("routes", f"{receiver('p1')}.webhookConfigs", [])),
    ("severity-reaches-receiver", ("routes", f"{receiver('p4')}.name", "other")),
    (
        "severity-reaches-receiver",
        ("routes", f"{route('p1')}.matchers.0.value", "P0"),
        ("routes", "spec.route.receiver", "nobody"),
    ),
    ("severity-reaches-receiver", ("routes", f"{route('p1-engineering-manager')}.continue", False)),
    (
        "severity-reaches-receiver",
        ("routes", f"{route('p1')}.matchers.0.matchType", "!="),
        ("routes", "spec.route.receiver", "nobody"),
    ),
    (
        "severity-reaches-receiver",
        ("routes", f"{route('p1')}.matchers.0.name", "level"),
        ("routes", "spec.route.receiver", "nobody"),
    ),
    ("page-never-muted", ("routes", f"{route('p1')}.muteTimeIntervals", ["weekly-maintenance"])),
    ("page-never-muted", ("routes", f"{route('p1')}.activeTimeIntervals", ["office-hours"])),
    ("page-never-muted", ("routes", f"{route('p1-cto')}.muteTimeIntervals", ["weekly-maintenance"])),
    ("mutes-are-maintenance", ("routes", "spec.muteTimeIntervals.0.name", "weekend")),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.weekdays", ["tuesday", "friday"])),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.weekdays", None)),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times", None)),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times", [])),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times.0.startTime", "01:59")),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times.0.startTime", "2 o'clock")),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times.0.endTime", "03:01")),
    ("mutes-are-maintenance", ("routes", f"{MUTE}.times.0.endTime", "02:00")),
    ("inhibition-downwards", ("routes", f"{INHIBIT}.sourceMatch.0.value", "P2")),
    ("inhibition-downwards", ("routes", f"{INHIBIT}.targetMatch.0.value", "P1|P2")),
    ("inhibition-downwards", ("routes", f"{INHIBIT}.sourceMatch", None)),
    ("inhibition-downwards", ("routes", f"{INHIBIT}.targetMatch", None)),
    ("inhibition-downwards", ("routes", f"{INHIBIT}.targetMatch.0.value", "P2|P9")),
    ("inhibition-downwards", ("routes", f"{INHIBIT}.targetMatch.0.name", "team")),
    ("service-has-monitor", (MONITOR, "", None)),
    ("service-has-monitor", (MONITOR, f"{ENDPOINT}.port", "metrics")),
    ("service-has-monitor", (MONITOR, "spec.selector.matchLabels.app", "gateway")),
    ("service-has-monitor", (MONITOR, "spec.namespaceSelector", {"matchNames": ["other"]})),
    ("monitor-target-exists", (MONITOR, f"{ENDPOINT}.port", "metrics")),
    ("monitor-target-exists", (MONITOR, f"{ENDPOINT}.port", None)),
    ("monitor-target-exists", (MONITOR, "spec.selector.matchLabels.app", "gateway")),
    ("monitor-target-exists", ("api-gateway-service", "", None)),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.interval", "76s")),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.interval", "0s")),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.interval", None)),
    ("scrape-interval", (MONITOR, f"{ENDPOINT}.scrapeTimeout", "31s")),
]

WAITS: list[Waiting] = [
    ("severity-reaches-receiver", "routes", f"{route('p1')}.matchers.0.name"),
    ("severity-reaches-receiver", "routes", f"{route('p1')}.matchers.0.value"),
    ("threshold-has-one-alert", "rules", "spec.groups"),
    ("backup-target-declared", "ops-config", ("data", "config.json")),
    ("backup-target-declared", "bucket", "bucket"),
    ("backup-retention-equal", "lifecycle", "rules"),
    ("backup-retention-equal", "lifecycle", "rules.0"),
    ("backup-retention-equal", "ops-config", ("data", "config.json")),
    ("object-lock-within-retention", "lock", LOCK),
    ("backups-locked", "lock", "bucket"),
    ("backups-encrypted", "ops-config", ("data", "config.json")),
    ("backups-signed", "ops-config", ("data", "config.json")),
    ("postgres-verified", "ops-config", ("data", "config.json")),
    ("outside-encrypted", "ops-config", ("data", "config.json")),
    ("redis-login", "ops-config", ("data", "config.json")),
    ("kafka-login", "ops-config", ("data", "config.json")),
    ("runbook-jobs-declared", "health-check", "metadata.name"),
    ("key-recoverable", "key", "deletionWindowInDays"),
    ("iam-no-wildcards", "iam-policy", "policy"),
    ("bucket-tls-only", "bucket-policy", "policy"),
    ("bucket-tls-only", "bucket-policy", "bucket"),
    ("redis-evicts", "redis-config", "data"),
    ("redis-evicts", "redis", f"{MAIN}.args"),
    ("redis-persistent", "redis-config", "data"),
    ("redis-users", "redis-config", "data"),
    ("claims-retained", "redis", "spec.persistentVolumeClaimRetentionPolicy"),
    ("kafka-partitions", "kafka", f"{MAIN}.env.1.value"),
    ("schedules-apart", "backup", SCHEDULE),
    ("schedules-apart", "backup", "spec.timeZone"),
    ("threshold-has-one-alert", "rules", "spec"),
    ("threshold-has-one-alert", "rules", alert(CPU, "expr")),
    ("threshold-has-one-alert", "rules", alert(CPU, "alert")),
    ("alert-in-time", "rules", alert(DOWN, "for")),
    ("alert-labelled", "rules", alert(DOWN, "labels")),
    ("alert-leads-to-runbook", "rules", alert(DOWN, ANNOTATIONS)),
    ("severity-reaches-receiver", "routes", ROUTES),
    ("severity-reaches-receiver", "routes", f"{route('heartbeat')}.matchers"),
    ("severity-reaches-receiver", "routes", "spec.receivers"),
    ("page-never-muted", "routes", f"{route('p1')}.muteTimeIntervals"),
    ("mutes-are-maintenance", "routes", f"{MUTE}.times.0.endTime"),
    ("inhibition-downwards", "routes", f"{INHIBIT}.targetMatch.0.value"),
    ("service-has-monitor", MONITOR, "spec.selector"),
    ("service-has-monitor", "api-gateway-service", "spec.ports.0.name"),
    ("monitor-target-exists", MONITOR, f"{ENDPOINT}.port"),
    ("scrape-interval", MONITOR, f"{ENDPOINT}.interval"),
]
