"""Cases of the rules about workloads, services, accounts and scaling."""

from __future__ import annotations

from policies.plain import UNKNOWN
from runbook import marks
from tests.policies.cases import Case, Waiting
from tests.policies.cases_first import BUDGET, GATEWAY, MAIN, POD, SENTIMENT, among
from tests.policies.stack import Declared

LABELS = "metadata.labels"
POD_LABELS = "spec.template.metadata.labels"
STRATEGY = "spec.strategy.rollingUpdate.maxUnavailable"
SPREAD = f"{POD}.topologySpreadConstraints"
SLEEP = f"{MAIN}.lifecycle.preStop.sleep.seconds"
GRACE = f"{POD}.terminationGracePeriodSeconds"
HPA = "api-gateway-hpa"
TARGET = "spec.metrics.0.resource.target.averageUtilization"
UP = "spec.behavior.scaleUp.stabilizationWindowSeconds"
DOWN = "spec.behavior.scaleDown.stabilizationWindowSeconds"
HARD = "spec.hard"
SERVICE = "api-gateway-service"
JOB = "spec.jobTemplate.spec"
NOTE = ("metadata", "annotations", marks.SECTION_ANNOTATION)
OWNED = {"app": "api-gateway", marks.OWNER_LABEL: ""}
ENV = f"{MAIN}.env"
PORT = {"name": "http", "containerPort": 8000}

BINDINGS = ("ops-binding", "view-binding", "cluster-binding")
SECRET = {"metadata": {"name": "jwt-secret", "namespace": "crypto"}}
POOLER, DATABASE = "pgbouncer-config", "postgres-config"
NO_SURGE = ("pgbouncer", "spec.strategy", {"rollingUpdate": {"maxSurge": 0}})


def secret(**more: object) -> Declared:
    """A Secret that the program declares."""
    return Declared("kubernetes:core/v1:Secret", "secret", {**SECRET, **more})


# Another metric of the same autoscaler.
WAYS = ("scaleUp", "scaleDown")
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"averageUtilization": 70}}}


def autoscaler(version: str, name: str = "api-gateway", **spec: object) -> Declared:
    """The gateway's autoscaler of another version of the API."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    body = {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 10, **spec}
    kind = f"kubernetes:autoscaling/{version}:HorizontalPodAutoscaler"
    return Declared(kind, HPA, {"metadata": {"name": "api-gateway", "namespace": "crypto"}, "spec": body})


def of_container(utilization: int) -> list[object]:
    """The CPU of one container of the pods, as an autoscaler measures it."""
    measured = {"container": "api-gateway", "name": "cpu", "target": {"averageUtilization": utilization}}
    return [MEMORY, {"type": "ContainerResource", "containerResource": measured}]


def other(token: str, name: str = "other") -> Declared:
    """An object of another type."""
    return Declared(token, "other", {"metadata": {"name": name, "namespace": "crypto"}})


def waiting(**more: object) -> dict[str, object]:
    """A sidecar with all that is asked of one, but for what is told."""
    context = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    resources = {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}}
    return {"name": "s", "image": "s:1", "resources": resources, "securityContext": context, **more}


SIDECAR = {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1m"}}}

PROBES = {"readinessProbe": {"exec": {"command": ["a"]}}, "livenessProbe": {"exec": {"command": ["b"]}}}
INITIAL = f"{POD}.initContainers"
PROJECTED = f"{POD}.volumes.0"
TOKEN = {"serviceAccountToken": {"path": "token"}}
MODE = {"name": "s", "items": [{"key": "a", "path": "a", "mode": 0o444}]}
PASSES: list[Case] = [
    ("kind-known", ("other", "", other("kubernetes:serving.knative.dev/v1:Service"))),
    ("kind-known", ("other", "", other("kubernetes:example.com/v1:deployment"))),
    ("kind-judged", ("other", "", other("kubernetes:core/v1:PersistentVolumeClaim"))),
    ("kind-judged", ("other", "", other("random:index/randomId:RandomId"))),
    ("kind-judged", ("other", "", other("kubernetes:core/v1:ReplicationController"))),
    ("probes", (GATEWAY, INITIAL, [waiting()])),
    ("probes", (GATEWAY, INITIAL, [waiting(restartPolicy="Always", **PROBES)])),
    (
        "requests-and-limits",
        (GATEWAY, f"{MAIN}.resources", None),
        (GATEWAY, f"{POD}.resources", {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}}),
    ),
    # The pod as a whole asks for what its container asked for.
    (
        "quota-fits-peak",
        (GATEWAY, f"{MAIN}.resources.requests.cpu", "9"),
        (GATEWAY, f"{POD}.resources", {"requests": {"cpu": "250m"}}),
    ),
    ("quota-fits-peak", (GATEWAY, INITIAL, [waiting(resources={"requests": {"cpu": "125m"}})] * 2)),
    ("secret-file-mode", (GATEWAY, PROJECTED, {"projected": {"defaultMode": 0o440, "sources": [{"secret": {}}]}})),
    ("secret-file-mode", (GATEWAY, PROJECTED, {"projected": {"sources": [{"configMap": {"name": "a"}}]}})),
    (
        "token-only-with-role",
        (GATEWAY, PROJECTED, {"projected": {"sources": [{"serviceAccountToken": {"audience": "v"}}]}}),
    ),
    *(
        ("no-secret-declared", ("app-config", "data", {key: value}))
        for key, value in (
            ("TOKENIZERS_PARALLELISM", "false"),
            ("app.properties", "db.password=/run/secrets/db\npassword_encryption=on\ntoken=$TOKEN"),
            ("DATABASE_URL", "postgres://user@db/x"),
            ("DATABASE_URL", "postgres://user:$(PASSWORD)@db/x"),
            ("PASSWORD_MIN_LENGTH", "8"),
        )
    ),
    ("no-secret-declared", ("secret", "", secret())),
    # Without a stated number PostgreSQL and PgBouncer accept 100, and PgBouncer opens 20.
    (
        "connection-budget",
        (DATABASE, "data", {"f": ""}),
        ("pgbouncer", "spec.replicas", 1),
        NO_SURGE,
        (POOLER, "data", {"f": "max_db_connections=93\nmax_client_conn=2000"}),
    ),
    (
        "connection-budget",
        (POOLER, "data", {"f": "max_client_conn=2000"}),
        (DATABASE, "data", {"f": "max_connections=67"}),
    ),
    ("connection-budget", (GATEWAY, f"{ENV}.1", None), (POOLER, "data", {"f": "max_client_conn=2102"})),
    (
        "connection-budget",
        ("app-config", "data.DATABASE_MAX_OVERFLOW", None),
        (POOLER, "data", {"f": "max_client_conn=1922"}),
    ),
    ("connection-budget", (HPA, "", None), (POOLER, "data", {"f": "max_client_conn=1922"})),
    ("connection-budget", (HPA, "spec.maxReplicas", None), (POOLER, "data", {"f": "max_client_conn=1922"})),
    ("runbook-annotation", (GATEWAY, NOTE, "docs/runbook.md#section-1-1")),
    ("rolling-update", (GATEWAY, STRATEGY, "0%")),
    ("rolling-update", (GATEWAY, "spec.strategy.type", None)),
    ("rolling-update", ("pgbouncer", "spec.strategy", {"type": "RollingUpdate"})),
    ("topology-spread", (GATEWAY, f"{SPREAD}.0.topologyKey", "topology.kubernetes.io/zone")),
    ("priority-class-declared", (GATEWAY, f"{POD}.priorityClassName", "system-cluster-critical")),
    ("priority-class-declared", (GATEWAY, f"{POD}.priorityClassName", None)),
    ("graceful-termination", (GATEWAY, SLEEP, 29)),
    ("graceful-termination", (GATEWAY, GRACE, 1), (GATEWAY, f"{MAIN}.lifecycle", None)),
    ("graceful-termination", (GATEWAY, GRACE, None), (GATEWAY, SLEEP, 29)),
    ("probe-port-declared", (GATEWAY, f"{MAIN}.readinessProbe.httpGet.port", 9999)),
    ("probe-port-declared", (GATEWAY, f"{MAIN}.readinessProbe", {"exec": {"command": ["true"]}})),
    ("service-selects-pods", (SERVICE, "spec.ports.0.targetPort", 8000)),
    ("service-selects-pods", (SERVICE, "spec.ports.0.targetPort", None)),
    ("service-selects-pods", (SERVICE, "spec.ports.0.targetPort", 1234)),
    ("service-selects-pods", (SERVICE, "spec.selector", None)),
    ("hpa-cpu-target", (HPA, TARGET, 79)),
    ("hpa-cpu-target", (HPA, TARGET, 1)),
    ("hpa-cpu-target", (HPA, "", autoscaler("v1", targetCPUUtilizationPercentage=79))),
    ("hpa-cpu-target", (HPA, "spec.metrics", of_container(79))),
    *(
        ("hpa-cpu-target", (HPA, "", autoscaler(version, metrics=[{"resource": {"name": "cpu", **target}}])))
        for version, target in (
            ("v2beta1", {"targetAverageUtilization": 70}),
            ("v2beta2", {"target": {"type": "Utilization", "averageUtilization": 70}}),
        )
    ),
    ("hpa-moves-both-ways", (HPA, "spec.behavior", None)),
    *(("hpa-moves-both-ways", (HPA, "spec.behavior.scaleDown.selectPolicy", policy)) for policy in ("Max", "Min")),
    ("pdb-target-exists", (BUDGET, "spec.selector", {})),
    ("pdb-target-exists", (BUDGET, "spec.selector", {"matchExpressions": [among("app", "redis", "nothing")]})),
    ("pdb-target-exists", (BUDGET, "spec.selector", {"matchExpressions": [among("app", "x", operator="NotIn")]})),
    ("hpa-scales-down-slowly", (HPA, DOWN, 1)),
    ("hpa-scales-down-slowly", (HPA, "spec.behavior", None)),
    ("hpa-scales-down-slowly", (HPA, "spec.behavior.scaleDown", None), (HPA, UP, 299)),
    ("hpa-scales-down-slowly", (HPA, UP, None), (HPA, DOWN, 1)),
    ("hpa-target-exists", (HPA, "spec.scaleTargetRef", {"kind": "StatefulSet", "name": "redis"})),
    ("quota-fits-peak", ("quota", f"{HARD}.pods", 60)),
    ("quota-fits-peak", (GATEWAY, f"{POD}.initContainers", [{"resources": {"requests": {"cpu": "250m"}}}])),
    ("quota-fits-peak", ("quota", HARD, {"services.nodeports": "0", "pods": "60"})),
    ("secret-file-mode", (GATEWAY, f"{POD}.volumes.0.secret.defaultMode", 0o400)),
    ("secret-file-mode", (GATEWAY, f"{POD}.volumes.0.secret.defaultMode", 0o770)),
    ("no-host-ports", (GATEWAY, f"{MAIN}.ports.0.hostPort", 0)),
    ("no-secret-declared", ("app-config", "data.JWT_SECRET", "")),
    ("no-secret-declared", ("app-config", "data.JWT_SECRET_FILE", "/etc/jwt")),
    ("pool-settings-as-in-runbook", (GATEWAY, f"{ENV}.1.value", "30")),
    ("pool-settings-as-in-runbook", ("app-config", "data.DATABASE_POOL_TIMEOUT", "9")),
    ("max-connections-range", ("postgres-config", "data", {"postgresql.conf": "max_connections = 200\n"})),
    ("slow-queries-logged", ("postgres-config", "data", {"f": "log_min_duration_statement=500\nlog_statement='ddl'"})),
    # 31 pods of services with (12 + 50) connections each go through PgBouncer: 1,922 of them.
    ("connection-budget", ("pgbouncer-config", "data", {"f": "max_db_connections=90\nmax_client_conn=1922"})),
    # Two pods and one of a rollout with 90 connections, four jobs, three reserved.
    ("connection-budget", ("postgres-config", "data", {"f": "max_connections = 277"})),
    ("connection-budget", ("pgbouncer", "spec.replicas", 3), NO_SURGE),
    ("connection-budget", ("pgbouncer-config", "data", {"f": "default_pool_size=20\nmax_client_conn=2000"})),
    ("cronjob-ends", ("backup", f"{JOB}.activeDeadlineSeconds", 1)),
    ("cronjob-tidies-up", ("backup", f"{JOB}.ttlSecondsAfterFinished", 1)),
]

FAILS: list[Case] = [
    ("kind-known", ("other", "", other("kubernetes:apps/v1:deployment"))),
    ("kind-known", ("other", "", other("kubernetes:core/v1:Deployment"))),
    ("kind-known", ("other", "", other("kubernetes:networking.k8s.io/v1:Deployment"))),
    ("kind-known", ("other", "", other("kubernetes:cert-manager.io/v1:certificate"))),
    ("kind-judged", ("other", "", other("kubernetes:helm.sh/v3:Release"))),
    ("kind-judged", ("other", "", other("kubernetes:apps/v1:DeploymentList"))),
    ("kind-judged", ("other", "", other("command:local:Command"))),
    ("probes", (GATEWAY, INITIAL, [waiting(restartPolicy="Always")])),
    (
        "requests-and-limits",
        (GATEWAY, f"{POD}.resources", {"requests": {"memory": "2Mi"}, "limits": {"memory": "1Mi"}}),
    ),
    (
        "requests-and-limits",
        (GATEWAY, f"{MAIN}.resources", None),
        (GATEWAY, f"{POD}.resources", {"requests": {"cpu": "1m", "memory": "1Mi"}}),
    ),
    ("requests-and-limits", (GATEWAY, f"{MAIN}.resources.requests", None), (GATEWAY, f"{POD}.resources", {})),
    ("quota-fits-peak", (GATEWAY, f"{POD}.resources", {"requests": {"cpu": "251m"}})),
    # An init container runs beside the sidecar that was started before it.
    ("quota-fits-peak", (GATEWAY, INITIAL, [SIDECAR, {"resources": {"requests": {"cpu": "250m"}}}])),
    # Without a request the limit is the request.
    (
        "quota-fits-peak",
        (GATEWAY, f"{MAIN}.resources.requests.cpu", None),
        (GATEWAY, f"{MAIN}.resources.limits.cpu", "251m"),
    ),
    ("secret-file-mode", (GATEWAY, PROJECTED, {"projected": {"defaultMode": 0o777, "sources": [{"secret": {}}]}})),
    ("secret-file-mode", (GATEWAY, PROJECTED, {"projected": {"sources": [{"secret": {}}]}})),
    ("secret-file-mode", (GATEWAY, PROJECTED, {"projected": {"defaultMode": 0o440, "sources": [{"secret": MODE}]}})),
    ("secret-file-mode", (GATEWAY, PROJECTED, {"secret": {"defaultMode": 0o440, "items": [{"mode": 0o604}]}})),
    ("token-only-with-role", (GATEWAY, PROJECTED, {"projected": {"sources": [TOKEN]}})),
    (
        "no-secret-declared",
        ("secret", "", secret(type="kubernetes.io/service-account-token")),
    ),
    ("no-secret-declared", ("app-config", "binaryData", {"password": "aGk="})),
    *(
        ("no-secret-declared", ("app-config", "data", {key: value}))
        for key, value in (
            ("db-password.txt", "hunter2"),
            ("passwords", "hunter2"),
            ("PASSWORD1", "hunter2"),
            ("app.properties", "a=b\ndb.password=hunter2"),
            ("app.properties", 'password: "hunter2"'),
            ("DATABASE_URL", "postgres://user:hunter2@db/x"),
            ("key.pem", "-----BEGIN RSA PRIVATE KEY-----"),
            ("settings", "AKIAIOSFODNN7EXAMPLE"),
        )
    ),
    ("no-secret-declared", ("secret", "", secret(data={"secret": "eA=="}))),
    ("no-secret-declared", ("secret", "", secret(stringData={"secret": "x"}))),
    (
        "connection-budget",
        (DATABASE, "data", {"f": ""}),
        ("pgbouncer", "spec.replicas", 1),
        NO_SURGE,
        (POOLER, "data", {"f": "max_db_connections=94\nmax_client_conn=2000"}),
    ),
    (
        "connection-budget",
        (POOLER, "data", {"f": "max_client_conn=2000"}),
        (DATABASE, "data", {"f": "max_connections=66"}),
    ),
    ("connection-budget", (GATEWAY, f"{ENV}.1", None), (POOLER, "data", {"f": "max_client_conn=2101"})),
    (
        "connection-budget",
        ("app-config", "data.DATABASE_MAX_OVERFLOW", None),
        (POOLER, "data", {"f": "max_client_conn=1921"}),
    ),
    ("connection-budget", (HPA, "", None), (POOLER, "data", {"f": "max_client_conn=1921"})),
    ("connection-budget", (HPA, "spec.maxReplicas", None), (POOLER, "data", {"f": "max_client_conn=1921"})),
    ("quota-fits-peak", ("quota", f"{HARD}.pods", "50"), (GATEWAY, "metadata.namespace", UNKNOWN)),
    ("graceful-termination", (GATEWAY, GRACE, 0), (GATEWAY, f"{MAIN}.lifecycle", None)),
    ("token-only-with-role", *((name, "subjects.0.namespace", "other") for name in BINDINGS)),
    ("namespace-has-quota", ("quota", "", None)),
    ("namespace-has-quota", ("limits", "", None)),
    ("namespace-has-quota", ("limits", "metadata.namespace", "other")),
    ("quota-fits-peak", ("quota", f"{HARD}.pods", "59")),
    ("quota-fits-peak", (HPA, "spec.maxReplicas", 11)),
    ("quota-fits-peak", ("redis", "spec.replicas", 2)),
    ("quota-fits-peak", (GATEWAY, f"{MAIN}.resources.requests.cpu", "251m")),
    ("quota-fits-peak", (GATEWAY, f"{MAIN}.resources.requests.memory", "257Mi")),
    ("quota-fits-peak", (GATEWAY, f"{MAIN}.resources.limits.memory", "1537Mi")),
    ("quota-fits-peak", (GATEWAY, "spec.strategy.rollingUpdate.maxSurge", 2)),
    ("quota-fits-peak", ("pgbouncer", "spec.strategy.rollingUpdate.maxSurge", "51%")),
    ("quota-fits-peak", (GATEWAY, f"{POD}.initContainers", [{"resources": {"requests": {"cpu": "251m"}}}])),
    ("quota-fits-peak", (GATEWAY, f"{POD}.initContainers", [SIDECAR])),
    ("owner-label", (GATEWAY, LABELS, {"app": "api-gateway"})),
    ("owner-label", (GATEWAY, LABELS, OWNED)),
    ("owner-label", (GATEWAY, POD_LABELS, {"app": "api-gateway"})),
    ("runbook-annotation", (GATEWAY, "metadata.annotations", None)),
    ("runbook-annotation", (GATEWAY, NOTE, "docs/runbook.md#section-9-9")),
    ("rolling-update", (GATEWAY, "spec.strategy.type", "Recreate")),
    ("rolling-update", (GATEWAY, STRATEGY, 1)),
    ("rolling-update", (GATEWAY, "spec.strategy", None)),
    ("topology-spread", (GATEWAY, SPREAD, None)),
    ("topology-spread", (GATEWAY, SPREAD, [])),
    ("topology-spread", (GATEWAY, f"{SPREAD}.0.maxSkew", 2)),
    ("topology-spread", (GATEWAY, f"{SPREAD}.0.maxSkew", 0)),
    ("topology-spread", (GATEWAY, f"{SPREAD}.0.topologyKey", "rack")),
    ("priority-class", (GATEWAY, f"{POD}.priorityClassName", None)),
    ("priority-class", (GATEWAY, f"{POD}.priorityClassName", "")),
    ("priority-class-declared", (GATEWAY, f"{POD}.priorityClassName", "other")),
    ("priority-class-declared", ("priority", "", None)),
    ("graceful-termination", (GATEWAY, GRACE, 0)),
    ("graceful-termination", (GATEWAY, SLEEP, 30)),
    ("graceful-termination", (GATEWAY, GRACE, None), (GATEWAY, SLEEP, 30)),
    ("health-path-as-in-runbook", (GATEWAY, f"{MAIN}.readinessProbe.httpGet.path", "/health")),
    ("health-path-as-in-runbook", (GATEWAY, f"{MAIN}.readinessProbe", None)),
    ("probe-port-declared", (GATEWAY, f"{MAIN}.readinessProbe.httpGet.port", "metrics")),
    ("probe-port-declared", (GATEWAY, f"{MAIN}.livenessProbe.tcpSocket.port", 1.5)),
    ("model-settings-as-in-runbook", (SENTIMENT, f"{ENV}.2.value", "cuda")),
    ("model-settings-as-in-runbook", (SENTIMENT, f"{ENV}.3", None)),
    ("service-port-as-in-runbook", (SERVICE, "spec.ports.0.port", 8001)),
    ("service-selects-pods", (SERVICE, "spec.selector.app", "gateway")),
    ("service-selects-pods", (SERVICE, "spec.ports.0.targetPort", "metrics")),
    ("service-selects-pods", (SERVICE, "metadata.namespace", "other")),
    ("hpa-cpu-target", (HPA, TARGET, 80)),
    ("hpa-cpu-target", (HPA, TARGET, 0)),
    ("hpa-cpu-target", (HPA, "spec.metrics", None)),
    ("hpa-cpu-target", (HPA, "spec.metrics", [MEMORY])),
    ("hpa-cpu-target", (HPA, "spec.metrics", of_container(80))),
    ("hpa-cpu-target", (HPA, "", autoscaler("v1", targetCPUUtilizationPercentage=80))),
    # Without a target the controller takes 80%.
    ("hpa-cpu-target", (HPA, "", autoscaler("v1"))),
    # What the version does not have.
    ("hpa-cpu-target", (HPA, "", autoscaler("v2", targetCPUUtilizationPercentage=60))),
    (
        "hpa-cpu-target",
        (HPA, "", autoscaler("v2beta1", metrics=[{"resource": {"name": "cpu", "targetAverageUtilization": 80}}])),
    ),
    *(("hpa-moves-both-ways", (HPA, f"spec.behavior.{way}.selectPolicy", "Disabled")) for way in WAYS),
    ("hpa-scales-down-slowly", (HPA, DOWN, 0)),
    ("hpa-scales-down-slowly", (HPA, UP, 300)),
    ("hpa-scales-down-slowly", (HPA, UP, None), (HPA, DOWN, 0)),
    ("hpa-scales-down-slowly", (HPA, "spec.behavior.scaleDown", None), (HPA, UP, 300)),
    ("hpa-target-exists", (HPA, "spec.scaleTargetRef.name", "gateway")),
    ("hpa-target-exists", (HPA, "spec.scaleTargetRef.kind", "ReplicaSet")),
    ("hpa-target-exists", (HPA, "spec.scaleTargetRef.kind", "StatefulSet")),
    ("hpa-target-exists", (HPA, "metadata.namespace", "other")),
    ("pdb-target-exists", ("api-gateway-pdb", "spec.selector.matchLabels.app", "gateway")),
    ("pdb-target-exists", ("api-gateway-pdb", "spec.selector", None)),
    ("pdb-target-exists", (BUDGET, "spec.selector", {"matchExpressions": [among("app", "nothing")]})),
    ("pdb-target-exists", (BUDGET, "spec.selector", {"matchExpressions": [among("app", operator="Exist")]})),
    ("pdb-target-exists", ("api-gateway-pdb", "metadata.namespace", "other")),
    ("pool-settings-as-in-runbook", (GATEWAY, f"{ENV}.1.value", "31")),
    ("pool-settings-as-in-runbook", ("app-config", "data.DATABASE_MAX_OVERFLOW", "51")),
    ("pool-settings-as-in-runbook", ("app-config", "data.DATABASE_POOL_TIMEOUT", "11")),
    ("pool-settings-as-in-runbook", ("app-config", "data.DATABASE_POOL_RECYCLE", "3601")),
    ("pool-settings-as-in-runbook", ("app-config", "data.DATABASE_POOL_RECYCLE", "never")),
    ("max-connections-range", ("postgres-config", "data", {"postgresql.conf": "max_connections = 199\n"})),
    ("max-connections-range", ("postgres-config", "data", {"postgresql.conf": "max_connections = 301\n"})),
    ("max-connections-range", ("postgres-config", "data", {"postgresql.conf": "# max_connections = 300\n"})),
    ("slow-queries-logged", ("postgres-config", "data", {"f": "log_min_duration_statement=501ms"})),
    ("slow-queries-logged", ("postgres-config", "data", {"f": "log_min_duration_statement=499ms"})),
    ("slow-queries-logged", ("postgres-config", "data", {"f": "log_min_duration_statement=500\nlog_statement=all"})),
    ("slow-queries-logged", ("postgres-config", "data", None)),
    ("pgbouncer-transaction-mode", ("pgbouncer-config", "data", {"pgbouncer.ini": "pool_mode = session\n"})),
    ("pgbouncer-transaction-mode", ("pgbouncer", f"{POD}.volumes", None)),
    ("connection-budget", ("pgbouncer-config", "data", {"f": "max_db_connections=90\nmax_client_conn=1921"})),
    ("connection-budget", ("postgres-config", "data", {"f": "max_connections = 276"})),
    ("connection-budget", ("postgres-config", "data", {"f": ""})),
    ("connection-budget", ("pgbouncer", "spec.replicas", 3)),
    ("connection-budget", ("pgbouncer", "spec.strategy", {"rollingUpdate": {"maxSurge": 2}})),
    ("connection-budget", ("app-config", "data.DATABASE_HOST", "postgres")),
    ("connection-budget", (HPA, "spec.maxReplicas", 12)),
    ("own-service-account", (GATEWAY, f"{POD}.serviceAccountName", None)),
    ("own-service-account", (GATEWAY, f"{POD}.serviceAccountName", "default")),
    ("own-service-account", (GATEWAY, f"{POD}.serviceAccountName", "")),
    ("service-account-declared", (GATEWAY, f"{POD}.serviceAccountName", "gateway")),
    ("service-account-declared", ("api-gateway-account", "metadata.namespace", "other")),
    ("service-account-without-token", ("api-gateway-account", "automountServiceAccountToken", None)),
    ("service-account-without-token", ("api-gateway-account", "automountServiceAccountToken", True)),
    ("token-only-with-role", (GATEWAY, f"{POD}.automountServiceAccountToken", True)),
    ("token-only-with-role", (GATEWAY, f"{POD}.automountServiceAccountToken", None)),
    (
        "token-only-with-role",
        *((name, "subjects.0.name", "other") for name in ("ops-binding", "view-binding", "cluster-binding")),
    ),
    (
        "token-only-with-role",
        *((name, "subjects.0.kind", "User") for name in ("ops-binding", "view-binding", "cluster-binding")),
    ),
    ("secret-file-mode", (GATEWAY, f"{POD}.volumes.0.secret.defaultMode", None)),
    ("secret-file-mode", (GATEWAY, f"{POD}.volumes.0.secret.defaultMode", 0o444)),
    ("secret-file-mode", (GATEWAY, f"{POD}.volumes.0.secret.defaultMode", 0o441)),
    ("no-secret-declared", ("app-config", "data.JWT_SECRET", "hunter2")),
    ("no-secret-declared", ("app-config", ("data", "db.password"), "hunter2")),
    ("no-host-ports", (GATEWAY, f"{MAIN}.ports.0.hostPort", 80)),
    ("cronjob-ends", ("backup", f"{JOB}.activeDeadlineSeconds", None)),
    ("cronjob-ends", ("backup", f"{JOB}.activeDeadlineSeconds", 0)),
    ("cronjob-ends", ("backup", f"{JOB}.template.spec.restartPolicy", "OnFailure")),
    ("cronjob-tidies-up", ("backup", f"{JOB}.ttlSecondsAfterFinished", None)),
    ("cronjob-tidies-up", ("backup", f"{JOB}.ttlSecondsAfterFinished", 0)),
]

WAITS: list[Waiting] = [
    ("namespace-has-quota", "quota", "metadata.namespace"),
    ("quota-fits-peak", "quota", f"{HARD}.pods"),
    ("quota-fits-peak", HPA, "spec.maxReplicas"),
    ("quota-fits-peak", GATEWAY, f"{MAIN}.resources.requests.cpu"),
    ("quota-fits-peak", GATEWAY, f"{POD}.containers"),
    ("owner-label", GATEWAY, LABELS),
    ("runbook-annotation", GATEWAY, "metadata.annotations"),
    ("rolling-update", GATEWAY, STRATEGY),
    ("topology-spread", GATEWAY, f"{SPREAD}.0.maxSkew"),
    ("priority-class", GATEWAY, f"{POD}.priorityClassName"),
    ("priority-class-declared", GATEWAY, f"{POD}.priorityClassName"),
    ("priority-class-declared", "priority", "metadata.name"),
    ("graceful-termination", GATEWAY, GRACE),
    ("graceful-termination", GATEWAY, SLEEP),
    ("health-path-as-in-runbook", GATEWAY, f"{MAIN}.readinessProbe"),
    ("probe-port-declared", GATEWAY, f"{MAIN}.ports"),
    ("probe-port-declared", GATEWAY, f"{MAIN}.ports.0.name"),
    ("probe-port-declared", GATEWAY, f"{MAIN}.livenessProbe.tcpSocket.port"),
    ("model-settings-as-in-runbook", SENTIMENT, f"{ENV}.2.value"),
    ("model-settings-as-in-runbook", SENTIMENT, f"{ENV}.2.name"),
    ("service-port-as-in-runbook", SERVICE, "spec.ports.0.port"),
    ("service-selects-pods", SERVICE, "spec.selector"),
    ("service-selects-pods", SERVICE, "spec.ports.0.targetPort"),
    ("service-selects-pods", GATEWAY, f"{MAIN}.ports.0.name"),
    ("hpa-cpu-target", HPA, TARGET),
    ("hpa-cpu-target", HPA, "spec.metrics.0.resource.name"),
    ("hpa-scales-down-slowly", HPA, UP),
    ("hpa-scales-down-slowly", HPA, DOWN),
    ("hpa-moves-both-ways", HPA, "spec.behavior.scaleUp"),
    ("hpa-target-exists", HPA, "spec.scaleTargetRef.kind"),
    ("hpa-target-exists", HPA, "spec.scaleTargetRef.name"),
    ("hpa-target-exists", GATEWAY, "metadata.name"),
    ("pdb-target-exists", "api-gateway-pdb", "spec.selector"),
    ("pool-settings-as-in-runbook", "app-config", "data.DATABASE_MAX_OVERFLOW"),
    ("max-connections-range", "postgres-config", "data"),
    ("slow-queries-logged", "postgres-config", "data"),
    ("pgbouncer-transaction-mode", "pgbouncer-config", "data"),
    ("connection-budget", "postgres-config", "data"),
    ("connection-budget", "pgbouncer-config", "data"),
    ("connection-budget", "pgbouncer", "spec.replicas"),
    ("connection-budget", HPA, "spec.maxReplicas"),
    ("connection-budget", GATEWAY, f"{ENV}.1.value"),
    ("connection-budget", "app-config", "data"),
    ("connection-budget", "app-config", "data.DATABASE_HOST"),
    ("own-service-account", GATEWAY, f"{POD}.serviceAccountName"),
    ("service-account-declared", GATEWAY, f"{POD}.serviceAccountName"),
    ("service-account-declared", "api-gateway-account", "metadata.name"),
    ("service-account-without-token", "api-gateway-account", "automountServiceAccountToken"),
    ("token-only-with-role", GATEWAY, f"{POD}.automountServiceAccountToken"),
    ("secret-file-mode", GATEWAY, f"{POD}.volumes.0.secret.defaultMode"),
    ("no-secret-declared", "app-config", "data"),
    ("no-host-ports", GATEWAY, f"{MAIN}.ports.0.hostPort"),
    ("cronjob-ends", "backup", f"{JOB}.activeDeadlineSeconds"),
    ("cronjob-tidies-up", "backup", f"{JOB}.ttlSecondsAfterFinished"),
]
