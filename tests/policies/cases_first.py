"""Cases of the rules about pods, replicas, jobs and buckets: what passes, what fails, what waits for a value."""

from __future__ import annotations

from policies.plain import UNKNOWN
from tests.policies.cases import Case, Waiting
from tests.policies.stack import CONFIG, PROTECTED, Declared

SENTIMENT = "sentiment-deployment"
GATEWAY = "api-gateway-deployment"
POD = "spec.template.spec"
MAIN = f"{POD}.containers.0"
MEMORY = f"{MAIN}.resources.requests.memory"
LIMIT = f"{MAIN}.resources.limits.memory"
CONTEXT = f"{MAIN}.securityContext"
FROM_SECRET = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
ABORT = {"status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}

AMBIGUOUS = ("0 3 1-7 * 0", "0 3 1 * MON", "0 3 1 1 1", "0 3 */2 * 1")
UNREADABLE = (
    *("TZ=UTC 0 3 * * *", "0 3 * *", "@daily", "", "0 3 * * * *"),
    # Another cron takes 7 for Sunday; the API server refuses it, as a minute 60.
    *("0 3 * * 7", "60 3 * * *", "0 3 * * FRI-MON"),
)
PLAIN = ("0 3 * * 0", "0 3 1 * *", "*/5 * * * *", "0 3 */2 * *", "0 3 */1 * 1", "0 3 ? * MON-FRI", "0 3 1,* * 1")

BUDGET, MOST, LEAST, MINIMUM = "api-gateway-pdb", "spec.maxUnavailable", "spec.minAvailable", "spec.minReplicas"
# Without the autoscaler the workload's own number of pods counts.
FIXED = (("api-gateway-hpa", "", None),)


ARMOUR = "container.apparmor.security.beta.kubernetes.io/api-gateway"
VOLUME = Declared(
    "kubernetes:core/v1:PersistentVolume", "volume", {"metadata": {"name": "v"}, "spec": {"hostPath": {"path": "/"}}}
)


def among(key: str, *values: object, operator: str = "In") -> dict[str, object]:
    """A condition of a selector."""
    return {"key": key, "operator": operator, "values": list(values)}


PROBE = {"httpGet": {"path": "/api/health", "port": "http"}}
DIGEST = {"requireDigest": True}


def variable(name: str, value: str) -> tuple[str, str, object]:
    """The gateway with one variable."""
    return GATEWAY, f"{MAIN}.env", [{"name": name, "value": value}]


EPHEMERAL = f"{POD}.ephemeralContainers"
RESTRICTED = "pod-security-restricted"
PASSES: list[Case] = [
    *(
        ("no-secret-in-env", variable(name, value))
        for name, value in (
            ("TOKENIZERS_PARALLELISM", "false"),
            ("TOKEN_TTL_SECONDS", "60"),
            ("PASSWORD_MIN_LENGTH", "8"),
            ("MAX_TOKENS", "512"),
            ("CREDENTIALS_REQUIRED", "true"),
            ("SECRET_STORE_ADDR", "https://vault"),
            ("SHOW_PASSWORD", "false"),
            ("DB_PASSWORD", "$(FROM_ELSEWHERE)"),
            ("PWD", "/app"),
            ("KAFKA_AUTH", "SCRAM"),
            ("SORT_KEY", "name"),
            ("COMPASS", "north"),
            ("DATABASE_URL", "postgres://user@db:5432/x"),
        )
    ),
    ("no-secret-in-env", (CONFIG, "no-secret-in-env", {"allowedNames": ["DB_PASSWORD"]}), variable("DB_PASSWORD", "x")),
    ("no-secret-in-env", (GATEWAY, f"{MAIN}.args", ["--password-file=/run/secrets/db", "--token-ttl", "60"])),
    (RESTRICTED, (GATEWAY, f"{POD}.securityContext.sysctls", [{"name": "net.ipv4.tcp_syncookies", "value": "1"}])),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.procMount", "Default")),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.appArmorProfile", {"type": "RuntimeDefault"})),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.seLinuxOptions", {"type": "container_t", "level": "s0"})),
    (RESTRICTED, (GATEWAY, f"{POD}.volumes", [{"name": "a", "emptyDir": {}}, {"name": "b"}])),
    (RESTRICTED, (GATEWAY, ("spec", "template", "metadata", "annotations", ARMOUR), "runtime/default")),
    (RESTRICTED, (GATEWAY, ("spec", "template", "metadata", "annotations", ARMOUR), "localhost/a")),
    ("probes", (GATEWAY, f"{MAIN}.livenessProbe", {**PROBE, "periodSeconds": 31, "failureThreshold": 1})),
    ("image-pinned", (CONFIG, "image-pinned", {"registries": ["localhost/crypto"]})),
    *(("cronjob-unambiguous", ("backup", "spec.schedule", cron)) for cron in PLAIN),
    ("sentiment-memory-range", (SENTIMENT, MEMORY, "4Gi")),
    ("sentiment-memory-range", (SENTIMENT, MEMORY, 4 * 2**30)),
    ("sentiment-memory-range", (SENTIMENT, MEMORY, "4096Mi")),
    ("sentiment-memory-range", (SENTIMENT, MEMORY, "8Gi")),
    ("hpa-range", ("api-gateway-hpa", "spec.minReplicas", 9)),
    ("hpa-range", ("api-gateway-hpa", "spec.maxReplicas", 4)),
    ("hpa-range", ("sentiment-hpa", "spec.minReplicas", 4)),
    ("requests-and-limits", (GATEWAY, MEMORY, "1536Mi")),
    ("requests-and-limits", (GATEWAY, f"{MAIN}.resources.requests.cpu", 1)),
    ("image-pinned", (GATEWAY, f"{MAIN}.image", "registry:5000/crypto/api@sha256:00ff")),
    ("image-pinned", (GATEWAY, f"{MAIN}.image", "registry:5000/crypto/api:1.0")),
    (
        "probes",
        (GATEWAY, f"{MAIN}.livenessProbe", {"httpGet": {"path": "/api/health", "port": "http"}, "failureThreshold": 4}),
    ),
    ("pdb-lets-drain", ("api-gateway-pdb", "spec.maxUnavailable", "1%")),
    *(
        ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, number))
        # Of the 3 pods below which no autoscaler goes.
        for number in (0, 2, "0%", "66%")
    ),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, "99%"), *FIXED, (GATEWAY, "spec.replicas", 100)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, 1), *FIXED, (GATEWAY, "spec.replicas", 0)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, 1), *FIXED, (GATEWAY, "spec.replicas", 2)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, "50%"), *FIXED, (GATEWAY, "spec.replicas", 2)),
    # As many pods as the runbook says, where the stack has none of the service.
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, 2), *FIXED, (GATEWAY, "", None)),
    # Whatever the number of pods is that nobody knows yet.
    ("pdb-lets-drain", ("api-gateway-hpa", "spec.minReplicas", UNKNOWN)),
    ("pdb-lets-drain", (BUDGET, "spec.selector", {"matchLabels": {"app": "other"}}), (BUDGET, MOST, "1%")),
    # All pods of the namespace together are many.
    ("pdb-lets-drain", (BUDGET, "spec.selector", {}), (BUDGET, MOST, None), (BUDGET, LEAST, 20)),
    ("bucket-retention", ("lifecycle", "rules.3.expiration", {"expiredObjectDeleteMarker": True})),
    ("run-as-non-root", (GATEWAY, f"{POD}.securityContext.runAsUser", 1)),
    ("drop-all-capabilities", (GATEWAY, f"{CONTEXT}.capabilities.add", ["NET_BIND_SERVICE"])),
    ("seccomp-profile", (GATEWAY, f"{POD}.securityContext.seccompProfile.type", "Localhost")),
    (
        "seccomp-profile",
        (GATEWAY, f"{POD}.securityContext.seccompProfile", None),
        (GATEWAY, f"{CONTEXT}.seccompProfile", {"type": "RuntimeDefault"}),
    ),
    *(
        (
            "run-as-non-root",
            (GATEWAY, f"{POD}.securityContext.{key}", None),
            (GATEWAY, f"{CONTEXT}.{key}", value),
        )
        for key, value in (("runAsNonRoot", True), ("runAsUser", 1000))
    ),
    *(
        (rule, (GATEWAY, f"{POD}.os", {"name": "windows"}), (GATEWAY, path, None))
        for rule, path in (
            ("run-as-non-root", f"{POD}.securityContext.runAsUser"),
            ("no-privilege-escalation", f"{CONTEXT}.allowPrivilegeEscalation"),
            ("drop-all-capabilities", f"{CONTEXT}.capabilities"),
            ("seccomp-profile", f"{POD}.securityContext.seccompProfile"),
            ("read-only-root", f"{CONTEXT}.readOnlyRootFilesystem"),
        )
    ),
    ("no-secret-in-env", (GATEWAY, f"{MAIN}.env", [{"name": "LOG_LEVEL", "value": "info"}])),
    ("cronjob-deadline", ("backup", "spec.startingDeadlineSeconds", 10)),
    ("bucket-encryption", ("encryption", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "AES256")),
    ("bucket-retention", ("lifecycle", "rules.0.expiration.days", 31)),
    ("bucket-retention", ("lifecycle", "rules.3.abortIncompleteMultipartUpload.daysAfterInitiation", 1)),
    ("bucket-spares-what-restores", ("lifecycle", "rules.0.filter", {"prefix": "s3/"})),
    (
        "bucket-spares-what-restores",
        ("lifecycle", "rules.0.filter", {"tag": {"key": "superseded", "value": "true"}}),
    ),
    ("redis-maxmemory", ("redis-config", "data", {"redis.conf": "maxmemory 805306368\n"})),
    ("redis-maxmemory", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "600mb"])),
    ("redis-maxmemory", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "4gb", "--maxmemory", "600mb"])),
    ("redis-maxmemory", ("redis-config", "data", {"redis.conf": 'maxmemory 4gb\n MaxMemory "600MB"\n'})),
    ("no-static-replicas", ("redis", "spec.replicas", 2)),
]
FAILS: list[Case] = [
    *(
        ("no-secret-in-env", variable(name, value))
        for name, value in (
            ("DATABASE_URL", "postgres://u:hunter2@db/x"),
            ("MYSQL_PWD", "hunter2"),
            ("DB_PASS", "hunter2"),
            ("REDIS_AUTH", "hunter2"),
            ("SIGNING_KEY", "hunter2"),
            ("PASSPHRASE", "hunter2"),
            ("dbPassword", "12345678"),
            ("JWT_SECRET_OLD", "hunter2"),
            ("ANYTHING", "ghp_" + "a" * 36),
        )
    ),
    *(
        ("no-secret-in-env", (GATEWAY, f"{MAIN}.{key}", words))
        for key, words in (
            ("args", ["--db-password=hunter2"]),
            ("args", ["--verbose", "--token", "hunter2"]),
            ("command", ["serve", "DB_PASS=hunter2"]),
            ("args", ["redis://:hunter2@cache"]),
        )
    ),
    ("no-secret-in-env", (GATEWAY, EPHEMERAL, [{"name": "e", "env": [{"name": "DB_PASS", "value": "hunter2"}]}])),
    ("no-host-access", (GATEWAY, f"{CONTEXT}.windowsOptions.hostProcess", True)),
    ("no-host-access", (GATEWAY, f"{POD}.securityContext.windowsOptions.hostProcess", True)),
    ("no-host-access", ("volume", "", VOLUME)),
    ("no-privilege-escalation", (GATEWAY, EPHEMERAL, [{"name": "e", "securityContext": {"privileged": True}}])),
    (RESTRICTED, (GATEWAY, f"{POD}.securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}])),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.procMount", "Unmasked")),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.appArmorProfile", {"type": "Unconfined"})),
    (RESTRICTED, (GATEWAY, f"{POD}.securityContext.appArmorProfile", {"type": "Unconfined"})),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.seLinuxOptions", {"type": "spc_t"})),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.seLinuxOptions", {"user": "system_u"})),
    (RESTRICTED, (GATEWAY, f"{CONTEXT}.seLinuxOptions", {"role": "sysadm_r"})),
    (RESTRICTED, (GATEWAY, f"{POD}.volumes", [{"name": "a", "nfs": {"server": "a", "path": "/"}}])),
    (RESTRICTED, (GATEWAY, f"{MAIN}.livenessProbe", {"httpGet": {"host": "a", "port": 1}})),
    (RESTRICTED, (GATEWAY, f"{MAIN}.lifecycle.postStart", {"tcpSocket": {"host": "a", "port": 1}})),
    (RESTRICTED, (GATEWAY, EPHEMERAL, [{"name": "e", "securityContext": {"procMount": "Unmasked"}}])),
    (RESTRICTED, (GATEWAY, ("spec", "template", "metadata", "annotations", ARMOUR), "unconfined")),
    ("probes", (GATEWAY, f"{MAIN}.livenessProbe", {**PROBE, "periodSeconds": 10, "failureThreshold": 3})),
    ("image-pinned", (CONFIG, "image-pinned", DIGEST), (GATEWAY, f"{MAIN}.image", "api:1.0")),
    ("image-pinned", (CONFIG, "image-pinned", {"registries": ["localhost/cry"]}), (GATEWAY, f"{MAIN}.image", "api:1")),
    ("hpa-range", ("api-gateway-hpa", "spec.minReplicas", 10), ("api-gateway-hpa", "spec.maxReplicas", UNKNOWN)),
    ("hpa-range", ("api-gateway-hpa", "spec.maxReplicas", 3), ("api-gateway-hpa", "spec.minReplicas", UNKNOWN)),
    (
        "hpa-range",
        ("api-gateway-hpa", "spec.scaleTargetRef.name", "other"),
        ("api-gateway-hpa", "spec.minReplicas", 5),
        ("api-gateway-hpa", "spec.maxReplicas", 5),
    ),
    ("service-has-hpa", ("api-gateway-hpa", "spec.scaleTargetRef.kind", "StatefulSet")),
    ("redis-maxmemory", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "lots"])),
    *(("stateful-protected", (name, PROTECTED, None)) for name in ("redis", "bucket", "key")),
    *(("cronjob-unambiguous", ("backup", "spec.schedule", cron)) for cron in (*AMBIGUOUS, *UNREADABLE)),
    ("namespace", ("redis-config", "metadata.namespace", "default")),
    ("namespace", (GATEWAY, "metadata.namespace", None)),
    ("namespace-pod-security", ("crypto", "metadata.labels", {"pod-security.kubernetes.io/enforce": "baseline"})),
    ("namespace-pod-security", ("crypto", "metadata.labels", None)),
    ("sentiment-memory-range", (SENTIMENT, MEMORY, "1Gi")),
    ("sentiment-memory-range", (SENTIMENT, MEMORY, 4 * 2**30 - 1)),
    ("sentiment-memory-range", (SENTIMENT, LIMIT, 8 * 2**30 + 1)),
    ("hpa-range", ("api-gateway-hpa", "spec.minReplicas", 2)),
    ("hpa-range", ("api-gateway-hpa", "spec.minReplicas", None)),
    ("hpa-range", ("api-gateway-hpa", "spec.minReplicas", 10)),
    ("hpa-range", ("api-gateway-hpa", "spec.maxReplicas", 11)),
    ("hpa-range", ("api-gateway-hpa", "spec.maxReplicas", 3)),
    ("hpa-range", ("analytics-hpa", "spec.maxReplicas", 9)),
    ("hpa-range", ("sentiment-hpa", "spec.maxReplicas", 6)),
    ("hpa-range", ("sentiment-hpa", "spec.minReplicas", 1)),
    ("service-has-hpa", ("api-gateway-hpa", "metadata.namespace", "crypto-2")),
    ("no-static-replicas", (GATEWAY, "spec.replicas", 3)),
    ("service-has-pdb", ("api-gateway-pdb", "spec.selector.matchLabels", {"app": "other"})),
    # An empty selector is all pods of the namespace, and two budgets for a pod let none of them go.
    ("service-has-pdb", ("api-gateway-pdb", "spec.selector", {})),
    ("service-has-pdb", (BUDGET, "spec.selector", {"matchExpressions": [among("app", "redis")]})),
    ("service-has-pdb", (BUDGET, "spec.selector.matchExpressions", [{"key": "app", "operator": "DoesNotExist"}])),
    ("pdb-lets-drain", ("api-gateway-pdb", "spec.maxUnavailable", 0)),
    ("pdb-lets-drain", ("api-gateway-pdb", "spec.maxUnavailable", "0%")),
    ("pdb-lets-drain", ("api-gateway-pdb", "spec.maxUnavailable", None)),
    ("pdb-lets-drain", (BUDGET, LEAST, 2)),
    *(
        ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, number))
        for number in (3, "67%", "100%", "101%", -1, "2", "many", 1.5, True)
    ),
    *(("pdb-lets-drain", (BUDGET, MOST, number)) for number in ("00%", "1", "101%", -1)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, 1), ("api-gateway-hpa", "spec.minReplicas", None)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, 1), *FIXED),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, "51%"), *FIXED, (GATEWAY, "spec.replicas", 2)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, "100%"), ("api-gateway-hpa", MINIMUM, UNKNOWN)),
    ("pdb-lets-drain", (BUDGET, MOST, None), (BUDGET, LEAST, 3), *FIXED, (GATEWAY, "", None)),
    # A datastore alone: Redis has one pod.
    ("pdb-lets-drain", (BUDGET, "spec", {"minAvailable": 1, "selector": {"matchLabels": {"app": "redis"}}})),
    (
        "pdb-lets-drain",
        (BUDGET, "spec", {"minAvailable": 4, "selector": {"matchExpressions": [among("app", "redis", "api-gateway")]}}),
    ),
    ("requests-and-limits", (GATEWAY, LIMIT, None)),
    ("requests-and-limits", (GATEWAY, MEMORY, None)),
    ("requests-and-limits", (GATEWAY, MEMORY, "1537Mi")),
    ("requests-and-limits", (GATEWAY, MEMORY, "much")),
    ("requests-and-limits", (GATEWAY, f"{MAIN}.resources.requests.cpu", None)),
    ("requests-and-limits", (GATEWAY, f"{MAIN}.resources.requests.cpu", "0")),
    ("image-pinned", (GATEWAY, f"{MAIN}.image", "registry:5000/crypto/api")),
    ("image-pinned", (GATEWAY, f"{MAIN}.image", "api:latest")),
    ("image-pinned", (GATEWAY, f"{MAIN}.image", None)),
    ("probes", (GATEWAY, f"{MAIN}.livenessProbe", None)),
    ("probes", (GATEWAY, f"{MAIN}.readinessProbe", None)),
    ("probes", (GATEWAY, f"{MAIN}.livenessProbe", {"httpGet": {"path": "/api/health", "port": "http"}})),
    ("run-as-non-root", (GATEWAY, f"{POD}.securityContext.runAsUser", 0)),
    ("run-as-non-root", (GATEWAY, f"{POD}.securityContext.runAsUser", None)),
    ("run-as-non-root", (GATEWAY, f"{POD}.securityContext.runAsNonRoot", None)),
    ("run-as-non-root", (GATEWAY, f"{CONTEXT}.runAsNonRoot", False)),
    *(
        (
            rule,
            (GATEWAY, f"{POD}.securityContext.{key}", wrong),
            (GATEWAY, f"{CONTEXT}.{key}", right),
        )
        for rule, key, wrong, right in (
            ("run-as-non-root", "runAsNonRoot", False, True),
            ("run-as-non-root", "runAsUser", 0, 1000),
            ("seccomp-profile", "seccompProfile", {"type": "Unconfined"}, {"type": "RuntimeDefault"}),
        )
    ),
    ("no-privilege-escalation", (GATEWAY, f"{CONTEXT}.allowPrivilegeEscalation", None)),
    ("no-privilege-escalation", (GATEWAY, f"{CONTEXT}.privileged", True)),
    ("drop-all-capabilities", (GATEWAY, f"{CONTEXT}.capabilities", None)),
    ("drop-all-capabilities", (GATEWAY, f"{CONTEXT}.capabilities.drop", ["NET_RAW"])),
    ("drop-all-capabilities", (GATEWAY, f"{CONTEXT}.capabilities.add", ["SYS_ADMIN"])),
    ("seccomp-profile", (GATEWAY, f"{POD}.securityContext.seccompProfile", None)),
    ("seccomp-profile", (GATEWAY, f"{CONTEXT}.seccompProfile", {"type": "Unconfined"})),
    ("read-only-root", (GATEWAY, f"{CONTEXT}.readOnlyRootFilesystem", None)),
    ("no-host-access", (GATEWAY, f"{POD}.hostNetwork", True)),
    ("no-host-access", (GATEWAY, f"{POD}.volumes", [{"name": "host", "hostPath": {"path": "/"}}])),
    ("no-secret-in-env", (GATEWAY, f"{MAIN}.env", [{"name": "DB_PASSWORD", "value": "hunter2"}])),
    ("no-secret-in-env", (GATEWAY, f"{MAIN}.env", [FROM_SECRET])),
    ("no-secret-in-env", (GATEWAY, f"{MAIN}.envFrom", [{"secretRef": {"name": "jwt-secret"}}])),
    ("cronjob-forbids-overlap", ("backup", "spec.concurrencyPolicy", "Replace")),
    ("cronjob-forbids-overlap", ("backup", "spec.concurrencyPolicy", None)),
    ("cronjob-time-zone", ("backup", "spec.timeZone", None)),
    ("cronjob-time-zone", ("backup", "spec.timeZone", "Mars/Olympus")),
    ("cronjob-time-zone", ("backup", "spec.timeZone", "../etc/passwd")),
    ("cronjob-time-zone", ("backup", "spec.timeZone", "Europe")),
    ("cronjob-deadline", ("backup", "spec.startingDeadlineSeconds", None)),
    ("cronjob-deadline", ("backup", "spec.startingDeadlineSeconds", 9)),
    ("cronjob-as-in-runbook", ("backup", "spec.schedule", "1 2 * * *")),
    ("bucket-encryption", ("encryption", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "none")),
    ("bucket-encryption", ("encryption", "rules", None)),
    ("bucket-encryption", ("encryption", "rules", [])),
    ("bucket-versioning", ("versioning", "versioningConfiguration.status", "Suspended")),
    ("bucket-public-access", ("public-access", "blockPublicAcls", None)),
    ("bucket-public-access", ("public-access", "restrictPublicBuckets", False)),
    ("bucket-retention", ("lifecycle", "rules.0.expiration.days", 29)),
    ("bucket-retention", ("lifecycle", "rules.3.expiration", {"expiredObjectDeleteMarker": True, "days": 29})),
    ("bucket-retention", ("lifecycle", "rules.3.abortIncompleteMultipartUpload.daysAfterInitiation", 0)),
    ("bucket-retention", ("lifecycle", "rules.0.expiration", {"date": "2030-01-01"})),
    ("bucket-retention", ("lifecycle", "rules", [{"status": "Disabled", "expiration": {"days": 30}}, ABORT])),
    ("bucket-retention", ("lifecycle", "rules.3", {"id": "other", "status": "Enabled"})),
    ("bucket-spares-what-restores", ("lifecycle", "rules.0.filter", {"prefix": "crypto/redis/"})),
    ("bucket-spares-what-restores", ("lifecycle", "rules.0.filter", {"prefix": ""})),
    (
        "bucket-spares-what-restores",
        ("lifecycle", "rules.0.filter", {"and": {"prefix": "x/redis/", "tags": {"a": "b"}}}),
    ),
    ("bucket-fully-configured", ("lifecycle", "bucket", "another-bucket")),
    ("redis-maxmemory", ("redis-config", "data", {"redis.conf": "maxmemory 805306369\n"})),
    ("redis-maxmemory", ("redis-config", "data", {"redis.conf": "maxmemory 0\n"})),
    *(
        ("redis-maxmemory", ("redis-config", "data", {"redis.conf": f"maxmemory 1mb\nmaxmemory {last}\n"}))
        for last in ("lots", "50%", "1tb", "9" * 5000, "4gb")
    ),
    ("redis-maxmemory", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "600mb", "--maxmemory", "4gb"])),
    ("redis-maxmemory", ("redis-config", "data", {"redis.conf": "# maxmemory 1mb\n"})),
    ("redis-maxmemory", ("redis", f"{POD}.volumes", None)),
    ("redis-maxmemory", ("redis", f"{MAIN}.args", ["redis-server", "--maxmemory", "4gb"])),
]
WAITS: list[Waiting] = [
    (RESTRICTED, GATEWAY, f"{POD}.securityContext.sysctls"),
    ("no-secret-in-env", GATEWAY, f"{MAIN}.envFrom"),
    ("namespace", GATEWAY, "metadata.namespace"),
    ("namespace-pod-security", "crypto", "metadata.labels"),
    ("sentiment-memory-range", SENTIMENT, MEMORY),
    ("requests-and-limits", SENTIMENT, MEMORY),
    ("image-pinned", GATEWAY, f"{MAIN}.image"),
    ("probes", GATEWAY, f"{MAIN}.livenessProbe.tcpSocket"),
    ("hpa-range", "api-gateway-hpa", "spec.minReplicas"),
    ("hpa-range", "api-gateway-hpa", "spec.scaleTargetRef.name"),
    ("service-has-hpa", "api-gateway-hpa", "spec.scaleTargetRef.name"),
    ("no-static-replicas", GATEWAY, "spec.replicas"),
    ("service-has-pdb", "api-gateway-pdb", "spec.selector.matchLabels"),
    ("pdb-lets-drain", "api-gateway-pdb", "spec.maxUnavailable"),
    ("run-as-non-root", GATEWAY, f"{POD}.securityContext.runAsUser"),
    ("no-privilege-escalation", GATEWAY, f"{CONTEXT}.allowPrivilegeEscalation"),
    ("drop-all-capabilities", GATEWAY, f"{CONTEXT}.capabilities.drop"),
    ("seccomp-profile", GATEWAY, f"{POD}.securityContext.seccompProfile"),
    ("read-only-root", GATEWAY, f"{CONTEXT}.readOnlyRootFilesystem"),
    ("no-host-access", GATEWAY, f"{POD}.volumes"),
    ("no-secret-in-env", GATEWAY, f"{MAIN}.env"),
    ("no-secret-in-env", GATEWAY, f"{MAIN}.env.0.name"),
    ("cronjob-forbids-overlap", "backup", "spec.concurrencyPolicy"),
    ("cronjob-time-zone", "backup", "spec.timeZone"),
    ("cronjob-deadline", "backup", "spec.startingDeadlineSeconds"),
    ("cronjob-unambiguous", "backup", "spec.schedule"),
    ("cronjob-as-in-runbook", "backup", "spec.schedule"),
    ("bucket-encryption", "encryption", "rules"),
    ("bucket-versioning", "versioning", "versioningConfiguration"),
    ("bucket-public-access", "public-access", "blockPublicAcls"),
    ("bucket-retention", "lifecycle", "rules"),
    ("bucket-retention", "lifecycle", "rules.3.status"),
    ("bucket-spares-what-restores", "lifecycle", "rules.0.filter"),
    ("bucket-retention", "lifecycle", "rules.0.expiration.days"),
    ("service-has-pdb", "api-gateway-pdb", "spec.selector.matchLabels.app"),
    ("service-has-pdb", GATEWAY, "spec.template.metadata.labels.app"),
    ("redis-maxmemory", "redis", f"{POD}.volumes.0.configMap.name"),
    ("redis-maxmemory", "redis", f"{MAIN}.args"),
    ("bucket-fully-configured", "lifecycle", "bucket"),
    ("redis-maxmemory", "redis", LIMIT),
    ("requests-and-limits", "redis", LIMIT),
    ("redis-maxmemory", "redis-config", "data"),
]
