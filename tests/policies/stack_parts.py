"""What the good stack is made of: one object of each kind that a rule looks at, as the engine shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from components.monitoring.alertmanager_config import config_spec
from runbook import admission, alerts, jobs, marks, services
from runbook.admission import Subjects
from runbook.alerting.rendering import Scope, rule_groups
from runbook.bucket import BACKUP_KINDS
from runbook.jobs import Job
from runbook.services import ServiceSpec
from runbook.settings import AlertingSettings
from tests.policies.stack import NAMESPACE, Declared

OWNER = {marks.OWNER_LABEL: "platform"}
SECTION = {marks.SECTION_ANNOTATION: "docs/runbook.md#section-3-5"}
POSTGRESQL = "max_connections = 300\nlog_min_duration_statement = 500ms\n"
PGBOUNCER = "[pgbouncer]\npool_mode = transaction\nmax_db_connections = 90\nmax_client_conn = 2000\n"
REDIS = "port 6379\nmaxmemory 600mb\nmaxmemory-policy allkeys-lru\nappendonly yes\naclfile /run/redis/users.acl\n"
APP_CONFIG = {
    "DATABASE_HOST": "pgbouncer",
    "DATABASE_MAX_OVERFLOW": "50",
    "DATABASE_POOL_TIMEOUT": "10",
    "DATABASE_POOL_RECYCLE": "3600",
}
SIGNERS = {name: {"publicKeys": [f"key of {name}"]} for name in ("postgres", "redis", "resources", "verify")}
OPS_CONFIG = {
    "backup": {
        "bucket": "crypto-backups",
        "prefix": "crypto/",
        "retentionDays": 30,
        "publicKey": "age1example",
        "signers": SIGNERS,
    },
    "postgres": {"host": "postgres.crypto.svc", "port": 5432},
    "redis": {"host": "redis.crypto.svc", "port": 6379},
    "kafka": {"bootstrap": "kafka.crypto.svc:9092"},
}
BUCKET_ARN = "arn:aws:s3:::crypto-backups"


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **more}


def container(name: str, memory: tuple[str, str], *env: dict[str, Any], **more: Any) -> dict[str, Any]:
    request, limit = memory
    return {
        "name": name,
        "image": f"localhost/crypto/{name}:1a2b3c",
        "resources": {"requests": {"cpu": "250m", "memory": request}, "limits": {"memory": limit}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "env": [{"name": "DATABASE_PASSWORD_FILE", "value": "/etc/secrets/password"}, *env],
        **more,
    }


def probed(given: dict[str, Any], path: str = "/health") -> dict[str, Any]:
    probes = {
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": path, "port": "http"}},
        "livenessProbe": {"tcpSocket": {"port": 8000}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    return {**given, **probes}


def pod(app: str, account: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "metadata": {"labels": {"app": app, **OWNER}},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "priorityClassName": "crypto-service",
            "terminationGracePeriodSeconds": 30,
            "securityContext": security,
            "containers": list(containers),
            **spec,
        },
    }


def spread(app: str) -> list[dict[str, Any]]:
    labels = {"matchLabels": {"app": app}}
    return [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "labelSelector": labels}]


def account(name: str) -> Declared:
    return Declared(
        "kubernetes:core/v1:ServiceAccount",
        f"{name}-account",
        {"metadata": metadata(name), "automountServiceAccountToken": False},
    )


def network_policy(app: str) -> Declared:
    peer = {"podSelector": {"matchLabels": {"app": "api-gateway"}}}
    ports = [{"protocol": "TCP", "port": 8000}]
    spec = {
        "podSelector": {"matchLabels": {"app": app}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [peer], "ports": ports}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": ports}],
    }
    return Declared(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy", f"{app}-network", {"metadata": metadata(app), "spec": spec}
    )


def config_map(name: str, data: dict[str, str]) -> Declared:
    return Declared("kubernetes:core/v1:ConfigMap", name, {"metadata": metadata(name), "data": data})


def marked(name: str) -> dict[str, Any]:
    return metadata(name, labels={"app": name, **OWNER}, annotations=SECTION)


def deployment(name: str, resource: str, template: dict[str, Any], **spec: Any) -> Declared:
    template["spec"]["topologySpreadConstraints"] = spread(name)
    selector = {"matchLabels": {"app": name}}
    return Declared(
        "kubernetes:apps/v1:Deployment",
        resource,
        {"metadata": marked(name), "spec": {"selector": selector, "template": template, **spec}},
    )


def stateful(name: str, main: dict[str, Any], **spec: Any) -> list[Declared]:
    template = pod(name, name, probed(main), topologySpreadConstraints=spread(name), **spec)
    retained = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    claims = [{"metadata": {"name": "data"}}]
    body = {
        "replicas": 1,
        "template": template,
        "volumeClaimTemplates": claims,
        "persistentVolumeClaimRetentionPolicy": retained,
    }
    found = Declared("kubernetes:apps/v1:StatefulSet", name, {"metadata": marked(name), "spec": body}, protect=True)
    return [found, account(name), network_policy(name)]


def service_resources(spec: ServiceSpec) -> list[Declared]:
    name, selector = spec.name, {"app": spec.name}
    memory = ("4Gi", "8Gi") if spec is services.SENTIMENT else ("256Mi", "1536Mi")
    variables = [{"name": key, "value": value} for key, value in (("DATABASE_POOL_SIZE", "12"), *spec.environment)]
    main = probed(container(name, memory, *variables), spec.health_path)
    main["envFrom"] = [{"configMapRef": {"name": "app-config"}}]
    volumes = [{"name": "database", "secret": {"secretName": "postgres-credentials", "defaultMode": 0o440}}]
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    utilization = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    scaling = {
        "scaleTargetRef": target,
        "minReplicas": spec.replicas.normal,
        "maxReplicas": spec.replicas.peak,
        "metrics": [{"type": "Resource", "resource": utilization}],
        "behavior": {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {"stabilizationWindowSeconds": 300}},
    }
    monitor = {
        "selector": {"matchLabels": {"app": spec.service_name}},
        "endpoints": [{"port": "http", "interval": "30s", "scrapeTimeout": "10s"}],
    }
    ports = [{"name": "http", "port": spec.port, "targetPort": "http"}]
    return [
        deployment(name, f"{name}-deployment", pod(name, name, main, volumes=volumes), strategy=strategy),
        Declared(
            "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
            f"{name}-hpa",
            {"metadata": metadata(name), "spec": scaling},
        ),
        Declared(
            "kubernetes:policy/v1:PodDisruptionBudget",
            f"{name}-pdb",
            {"metadata": metadata(name), "spec": {"selector": {"matchLabels": selector}, "maxUnavailable": 1}},
        ),
        Declared(
            "kubernetes:core/v1:Service",
            f"{name}-service",
            {
                "metadata": metadata(spec.service_name, labels={"app": spec.service_name}),
                "spec": {"selector": selector, "ports": ports},
            },
        ),
        Declared(
            "kubernetes:monitoring.coreos.com/v1:ServiceMonitor",
            f"{name}-monitor",
            {"metadata": metadata(name), "spec": monitor},
        ),
        account(name),
        network_policy(name),
    ]


def datastores() -> Iterator[Declared]:
    yield config_map("redis-config", {"redis.conf": REDIS})
    yield from stateful("redis", container("redis", ("1Gi", "1Gi")), volumes=_mounted("redis-config"))
    yield config_map("postgres-config", {"postgresql.conf": POSTGRESQL})
    yield from stateful("postgres", container("postgres", ("1Gi", "1Gi")), volumes=_mounted("postgres-config"))
    partitions = {"name": "KAFKA_NUM_PARTITIONS", "value": "24"}
    yield from stateful("kafka", container("kafka", ("1Gi", "1Gi"), partitions))
    yield config_map("pgbouncer-config", {"pgbouncer.ini": PGBOUNCER})
    main = probed(container("pgbouncer", ("64Mi", "128Mi")))
    template = pod("pgbouncer", "pgbouncer", main, volumes=_mounted("pgbouncer-config"))
    yield deployment("pgbouncer", "pgbouncer", template, replicas=2)
    yield from (account("pgbouncer"), network_policy("pgbouncer"))


def _mounted(name: str) -> list[dict[str, Any]]:
    return [{"name": "config", "configMap": {"name": name}}]


def cron_job(job: Job) -> Declared:
    template = pod("ops", "ops", container("ops", ("128Mi", "256Mi")), restartPolicy="Never")
    template["spec"]["automountServiceAccountToken"] = bool(job.rights)
    run = {"activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 86_400, "template": template}
    spec = {
        "schedule": job.schedule.cron,
        "timeZone": job.schedule.time_zone or "UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "jobTemplate": {"spec": run},
    }
    name = "backup" if job is jobs.BACKUP_POSTGRES else job.name
    return Declared("kubernetes:batch/v1:CronJob", name, {"metadata": marked(job.name), "spec": spec})


def access() -> Iterator[Declared]:
    reads = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}
    one = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["jwt-secret"]}
    every = {"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": ["get", "list"]}
    roles = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["get", "list"]}
    patches = {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["update", "patch"]}
    runs = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}
    subject = {"kind": "ServiceAccount", "name": "ops", "namespace": NAMESPACE}
    group = {"kind": "Group", "name": "crypto:on-call"}
    rbac = "kubernetes:rbac.authorization.k8s.io/v1"
    yield Declared(f"{rbac}:Role", "ops-role", {"metadata": metadata("ops"), "rules": [reads, one]})
    yield Declared(f"{rbac}:Role", "backup-role", {"metadata": metadata("backup-resources"), "rules": [every]})
    yield Declared(f"{rbac}:ClusterRole", "cluster-role", {"metadata": {"name": "crypto-review"}, "rules": [roles]})
    yield Declared(f"{rbac}:Role", "on-call-role", {"metadata": metadata("on-call"), "rules": [patches, runs]})
    for kind, role, name, who in (
        ("Role", "ops", "ops-binding", subject),
        ("ClusterRole", "view", "view-binding", subject),
        ("Role", "on-call", "on-call-binding", group),
    ):
        body = {"metadata": metadata(name), "roleRef": {"kind": kind, "name": role}, "subjects": [who]}
        yield Declared(f"{rbac}:RoleBinding", name, body)
    reference = {"kind": "ClusterRole", "name": "crypto-review"}
    body = {"metadata": {"name": "crypto-review"}, "roleRef": reference, "subjects": [subject]}
    yield Declared(f"{rbac}:ClusterRoleBinding", "cluster-binding", body)
    yield from (account("ops"), network_policy("ops"))


def limits() -> Iterator[Declared]:
    frozen = admission.freeze(NAMESPACE, Subjects(("crypto:on-call",)))
    api = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
    for kind, specs in ((api, frozen.policies), (f"{api}Binding", frozen.bindings)):
        for name, spec in specs.items():
            yield Declared(kind, f"{name}{kind.removeprefix(api)}", {"metadata": {"name": name}, "spec": spec})


def namespace() -> Iterator[Declared]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    yield Declared("kubernetes:core/v1:Namespace", "crypto", {"metadata": {"name": NAMESPACE, "labels": labels}})
    # Exactly what the stack asks for at its peak, so that one step less is too little.
    hard = {"requests.cpu": "15000m", "requests.memory": "37824Mi", "limits.memory": "103296Mi", "pods": "60"}
    yield Declared("kubernetes:core/v1:ResourceQuota", "quota", {"metadata": metadata("quota"), "spec": {"hard": hard}})
    yield Declared("kubernetes:core/v1:LimitRange", "limits", {"metadata": metadata("limits"), "spec": {"limits": []}})
    priority = {"metadata": {"name": "crypto-service"}, "value": 900_000}
    yield Declared("kubernetes:scheduling.k8s.io/v1:PriorityClass", "priority", priority)
    closed: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    body = {"metadata": metadata("default-deny"), "spec": closed}
    yield Declared("kubernetes:networking.k8s.io/v1:NetworkPolicy", "default-deny", body)


def edge() -> Iterator[Declared]:
    certificate = {
        "secretName": "tls-secret",
        "dnsNames": ["crypto.example.com"],
        "duration": "2160h0m0s",
        "renewBefore": "720h0m0s",
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"name": "crypto-acme", "kind": "ClusterIssuer"},
    }
    kind = "kubernetes:cert-manager.io/v1"
    yield Declared(f"{kind}:Certificate", "certificate", {"metadata": metadata("tls-secret"), "spec": certificate})
    acme = {"acme": {"server": "https://acme.example.com/directory", "email": "ops@example.com"}}
    yield Declared(f"{kind}:ClusterIssuer", "issuer", {"metadata": {"name": "crypto-acme"}, "spec": acme})
    backend = {"service": {"name": "api-gateway", "port": {"number": 8000}}}
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["crypto.example.com"], "secretName": "tls-secret"}],
        "rules": [{"host": "crypto.example.com", "http": {"paths": [{"path": "/", "backend": backend}]}}],
    }
    body = {"metadata": metadata("api-gateway"), "spec": spec}
    yield Declared("kubernetes:networking.k8s.io/v1:Ingress", "ingress", body)


def monitoring() -> Iterator[Declared]:
    groups = rule_groups(alerts.GROUPS, Scope(NAMESPACE, "https://git.example.com/blob/main"))
    kind = "kubernetes:monitoring.coreos.com"
    yield Declared(f"{kind}/v1:PrometheusRule", "rules", {"metadata": metadata("crypto-alerts"), "spec": groups})
    hook = "https://example.com/hook"
    spec = config_spec(AlertingSettings(webhook_url=hook))
    body = {"metadata": metadata("crypto-routes"), "spec": spec}
    yield Declared(f"{kind}/v1alpha1:AlertmanagerConfig", "routes", body)


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def plaintext_refused() -> dict[str, Any]:
    return {
        "Sid": "RefusePlaintext",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def allowing(**changed: Any) -> str:
    statement = {"Sid": "Write", "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": f"{BUCKET_ARN}/*"}
    return _document({**statement, **changed})


def storage() -> Iterator[Declared]:
    ours = {"bucket": "crypto-backups"}
    encryption = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ended = [
        {"id": kind, "status": "Enabled", "filter": superseded(kind), "expiration": {"days": 30}}
        for kind in BACKUP_KINDS
    ]
    abort = {"id": "abort", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "encryption": ("ServerSideEncryptionConfiguration", {"rules": [encryption]}),
        "versioning": ("Versioning", {"versioningConfiguration": {"status": "Enabled"}}),
        "public-access": ("PublicAccessBlock", dict.fromkeys(switches, True)),
        "lifecycle": ("LifecycleConfiguration", {"rules": [*ended, abort]}),
        "lock": ("ObjectLockConfiguration", {"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 7}}}),
        # An object, as in states of providers that read JSON; the others are texts.
        "bucket-policy": ("Policy", {"policy": {"Statement": [plaintext_refused()]}}),
    }
    yield Declared("aws:s3/bucket:Bucket", "bucket", ours, protect=True)
    for name, (kind, body) in bodies.items():
        yield Declared(f"aws:s3/bucket{kind}:Bucket{kind}", name, {**ours, **body})
    key = {"enableKeyRotation": True, "deletionWindowInDays": 30}
    yield Declared("aws:kms/key:Key", "key", key, protect=True)
    trust = _document({"Effect": "Allow", "Principal": {"Federated": "arn:x"}, "Action": "sts:AssumeRole"})
    yield Declared("aws:iam/role:Role", "iam-role", {"assumeRolePolicy": trust})
    yield Declared("aws:iam/rolePolicy:RolePolicy", "iam-policy", {"role": "writer", "policy": allowing()})


def policies() -> Iterator[Declared]:
    owned = {"StringEquals": {"aws:ResourceTag/Owner": "ops"}}
    stated = {"Effect": "Allow", "Action": ["ec2:StopInstances"], "Resource": "*", "Condition": owned}
    yield Declared("aws:iam/userPolicy:UserPolicy", "user-policy", {"policy": {"Statement": [stated]}})
    ours = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    sent = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:SendMessage", "Condition": ours}
    yield Declared("aws:sqs/queuePolicy:QueuePolicy", "queue-policy", {"policy": {"Statement": [sent]}})
    kept = {"policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"}
    yield Declared("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "attachment", kept)
    invoked = {"principal": "*", "sourceAccount": "111122223333"}
    yield Declared("aws:lambda/permission:Permission", "permission", invoked)


def superseded(kind: str) -> dict[str, Any]:
    """The filter of a lifecycle rule that ends what a newer backup of the kind has replaced."""
    return {"and": {"prefix": f"crypto/{kind}/", "tags": {"superseded": "true"}}}


def everything() -> Iterator[Declared]:
    yield from namespace()
    yield config_map("app-config", APP_CONFIG)
    yield config_map("ops-config", {"config.json": json.dumps(OPS_CONFIG)})
    for spec in services.ALL:
        yield from service_resources(spec)
    yield from datastores()
    yield from map(cron_job, jobs.ALL)
    for part in (access, limits, edge, monitoring, storage, policies):
        yield from part()
