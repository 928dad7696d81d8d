"""What both stacks promise, checked on the resources that the program registers."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from components import pods
from components.app_config import shared_environment
from components.ops_config import CONFIG_FILE
from runbook import services, thresholds
from runbook.ops_settings import OpsSettings
from runbook.quantity import to_bytes
from tests.program.engine import Registered
from tests.program.settings import ROOT, stack_values


def _of(stack: list[Registered], token_end: str) -> list[Registered]:
    known = (item for item in stack if item.custom and item.token != "aws:iam/role:Role")
    found = [item for item in known if item.token.endswith(f":{token_end}")]
    assert found, f"the program registers no {token_end}"
    return found


def _named(stack: list[Registered], token_end: str, name: str) -> dict[str, Any]:
    found = [item for item in _of(stack, token_end) if item.inputs["metadata"]["name"] == name]
    assert len(found) == 1, f"{token_end} {name}: {len(found)} of them"
    return found[0].inputs


def _pods(stack: list[Registered]) -> list[tuple[str, dict[str, Any]]]:
    workloads = [*_of(stack, "Deployment"), *_of(stack, "StatefulSet")]
    running = [(item.name, item.inputs["spec"]["template"]["spec"]) for item in workloads]
    jobs = [
        (item.name, item.inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]) for item in _of(stack, "CronJob")
    ]
    return running + jobs


def test_every_service_has_all_that_belongs_to_it(stack: list[Registered]) -> None:
    for spec in services.ALL:
        for kind in ("Deployment", "ServiceAccount", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
            _named(stack, kind, spec.name)
        service = _named(stack, "Service", spec.service_name)
        assert service["spec"]["ports"][0]["port"] == spec.port
        assert service["spec"]["selector"] == {"app": spec.name}


def test_replicas_belong_to_the_autoscaler_alone(stack: list[Registered]) -> None:
    for spec in services.ALL:
        assert "replicas" not in _named(stack, "Deployment", spec.name)["spec"]
        scaler = _named(stack, "HorizontalPodAutoscaler", spec.name)["spec"]
        assert (scaler["minReplicas"], scaler["maxReplicas"]) == (spec.replicas.normal, spec.replicas.peak)
        assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": spec.name}


def test_sentiment_gets_the_memory_that_its_model_needs(stack: list[Registered]) -> None:
    container = _named(stack, "Deployment", "sentiment")["spec"]["template"]["spec"]["containers"][0]
    assert to_bytes(container["resources"]["requests"]["memory"]) == thresholds.SENTIMENT_MEMORY_REQUEST.value
    assert to_bytes(container["resources"]["limits"]["memory"]) == thresholds.SENTIMENT_MEMORY_LIMIT.value
    values = {item["name"]: item.get("value") for item in container["env"]}
    assert (values["TORCH_DEVICE"], values["HUGGINGFACE_MODEL"]) == ("cpu", "distilbert-base-uncased")


def test_no_pod_asks_for_more_than_restricted_allows(stack: list[Registered]) -> None:
    for name, pod in _pods(stack):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name


def test_only_a_job_with_a_role_gets_a_token(stack: list[Registered]) -> None:
    with_token = {
        pod["serviceAccountName"] for _, pod in _pods(stack) if pod.get("automountServiceAccountToken") is True
    }
    roles = {item.inputs["metadata"]["name"] for item in _of(stack, "Role")}
    assert with_token == roles == {"health-check"}


def test_no_role_may_read_secrets_or_use_a_wildcard(stack: list[Registered]) -> None:
    for role in _of(stack, "Role"):
        for rule in role.inputs["rules"]:
            assert "secrets" not in rule["resources"]
            assert "*" not in [*rule["resources"], *rule["verbs"], *rule["apiGroups"]]


def test_every_container_states_what_it_needs(stack: list[Registered]) -> None:
    for name, pod in _pods(stack):
        for container in pod["containers"]:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_probes_of_a_service_ask_different_things(stack: list[Registered]) -> None:
    for spec in services.ALL:
        container = _named(stack, "Deployment", spec.name)["spec"]["template"]["spec"]["containers"][0]
        assert container["readinessProbe"]["httpGet"]["path"] == spec.health_path
        assert "tcpSocket" in container["livenessProbe"]
        assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 300


def test_the_namespace_enforces_restricted_pods(stack: list[Registered]) -> None:
    labels = _of(stack, "Namespace")[0].inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_everything_lives_in_the_namespace(stack: list[Registered]) -> None:
    namespaced = [
        item for item in stack if item.token.startswith("kubernetes:") and not item.token.endswith(":Namespace")
    ]
    assert namespaced
    assert {item.inputs["metadata"]["namespace"] for item in namespaced} == {"crypto"}


def test_no_secret_is_declared_and_no_container_gets_one_as_a_variable(stack: list[Registered]) -> None:
    assert not [item.name for item in stack if item.token.endswith(":Secret")]
    for name, pod in _pods(stack):
        for container in pod["containers"]:
            sources = [item.get("valueFrom", {}) for item in container.get("env", [])]
            assert not any("secretKeyRef" in source for source in sources), name


def test_jobs_never_overlap_and_say_their_time_zone(stack: list[Registered]) -> None:
    for job in _of(stack, "CronJob"):
        spec = job.inputs["spec"]
        assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "UTC")
        assert spec["startingDeadlineSeconds"] >= 10
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0


def test_the_backup_runs_at_two_and_wrong_configuration_is_not_retried(stack: list[Registered]) -> None:
    spec = _named(stack, "CronJob", "backup-postgres")["spec"]
    assert spec["schedule"] == "0 2 * * *"
    rule = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2])


def test_backups_are_kept_thirty_days_and_broken_uploads_go(stack: list[Registered]) -> None:
    rules = _of(stack, "BucketLifecycleConfiguration")[0].inputs["rules"]
    expiry = [rule["expiration"]["days"] for rule in rules if "expiration" in rule]
    assert expiry == [thresholds.BACKUP_RETENTION.value]
    assert any("abortIncompleteMultipartUpload" in rule for rule in rules)


def test_the_bucket_is_encrypted_versioned_and_private(stack: list[Registered]) -> None:
    encryption = _of(stack, "BucketServerSideEncryptionConfiguration")[0].inputs["rules"][0]
    assert encryption["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    assert _of(stack, "BucketVersioning")[0].inputs["versioningConfiguration"] == {"status": "Enabled"}
    block = _of(stack, "BucketPublicAccessBlock")[0].inputs
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(block[flag] is True for flag in flags)


def test_the_backup_role_cannot_delete_a_backup(prod_stack: list[Registered]) -> None:
    policy = json.loads(_of(prod_stack, "RolePolicy")[0].inputs["policy"])
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    assert "s3:PutObject" in actions
    assert not [action for action in actions if "Delete" in action or "*" in action]


def test_only_the_backup_jobs_may_become_the_backup_role(prod_stack: list[Registered]) -> None:
    trust = json.loads(
        next(item.inputs["assumeRolePolicy"] for item in prod_stack if item.token == "aws:iam/role:Role")
    )
    condition = trust["Statement"][0]["Condition"]["StringEquals"]
    subjects = next(value for key, value in condition.items() if key.endswith(":sub"))
    assert subjects == ["system:serviceaccount:crypto:backup-postgres", "system:serviceaccount:crypto:health-check"]


def test_production_protects_what_holds_data(prod_stack: list[Registered]) -> None:
    holders = [
        *_of(prod_stack, "StatefulSet"),
        *_of(prod_stack, "Bucket"),
        *_of(prod_stack, "Key"),
        *_of(prod_stack, "Namespace"),
    ]
    assert len(holders) == 6
    assert all(item.protect for item in holders)


def test_production_runs_images_by_digest(prod_stack: list[Registered]) -> None:
    images = [container["image"] for _, pod in _pods(prod_stack) for container in pod["containers"]]
    assert len(images) >= 11
    assert all("@sha256:" in image for image in images)


def test_deployments_wait_for_what_they_need(stack: list[Registered]) -> None:
    deployment = next(item for item in stack if item.name == "api-gateway-deployment")
    waited = {urn.rsplit("::", 1)[-1] for urn in deployment.depends_on}
    assert {"app-config-map", "pgbouncer-deployment", "redis-stateful-set", "kafka-stateful-set"} <= waited


def test_ops_reads_back_the_settings_that_the_program_wrote(stack: list[Registered]) -> None:
    text = _named(stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    settings = OpsSettings.model_validate_json(text)
    assert {service.name for service in settings.services} == set(services.BY_NAME)
    assert settings.backup.bucket == _of(stack, "Bucket")[0].inputs["bucket"]


def test_redis_leaves_room_for_a_fork_below_its_limit(stack: list[Registered]) -> None:
    conf = _named(stack, "ConfigMap", "redis-config")["data"]["redis.conf"]
    maxmemory = int(next(line.split()[1] for line in conf.splitlines() if line.startswith("maxmemory ")))
    container = _named(stack, "StatefulSet", "redis")["spec"]["template"]["spec"]["containers"][0]
    assert maxmemory <= 0.75 * to_bytes(container["resources"]["limits"]["memory"])
    assert "maxmemory-policy allkeys-lru" in conf


def test_postgres_logs_slow_statements_and_never_all(stack: list[Registered]) -> None:
    conf = _named(stack, "ConfigMap", "postgres-config")["data"]["postgresql.conf"]
    assert "log_min_duration_statement = 500ms" in conf
    assert "log_statement" not in conf


def test_pgbouncer_fits_into_postgres_connections(stack: list[Registered]) -> None:
    deployment = _named(stack, "Deployment", "pgbouncer")["spec"]
    ini = _named(stack, "ConfigMap", "pgbouncer-config")["data"]["pgbouncer.ini"]
    pool = int(next(line.split("=")[1] for line in ini.splitlines() if line.startswith("max_db_connections")))
    conf = _named(stack, "ConfigMap", "postgres-config")["data"]["postgresql.conf"]
    limit = int(next(line.split("=")[1] for line in conf.splitlines() if line.startswith("max_connections")))
    # One more pod exists while a rollout replaces another.
    assert (deployment["replicas"] + 1) * pool <= limit


@pytest.mark.parametrize("name", ["local", "prod"])
def test_every_key_of_a_stack_file_is_explained_in_the_project_file(name: str) -> None:
    explained = {key.removeprefix("crypto:") for key in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]}
    assert set(stack_values(name)) <= explained


def test_a_change_of_the_shared_configuration_rolls_the_services(stack: list[Registered]) -> None:
    template = _named(stack, "Deployment", "api-gateway")["spec"]["template"]
    stamp = template["metadata"]["annotations"]["crypto.analytics/config-checksum"]
    assert stamp == pods.checksum(shared_environment())
    assert stamp != pods.checksum({**shared_environment(), "DATABASE_MAX_OVERFLOW": "1"})
