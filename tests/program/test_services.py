"""What both stacks promise about the services and their pods."""

from __future__ import annotations

from components import pods
from components.app_config import shared_environment
from runbook import services, thresholds
from runbook.units import to_bytes
from tests.program import look
from tests.program.engine import Registered
from tests.program.settings import load


def test_every_service_has_all_that_belongs_to_it(stack: list[Registered]) -> None:
    for spec in services.ALL:
        for kind in ("Deployment", "ServiceAccount", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
            look.named(stack, kind, spec.name)
        service = look.named(stack, "Service", spec.service_name)
        assert service["spec"]["ports"][0]["port"] == spec.port
        assert service["spec"]["selector"] == {"app": spec.name}


def _replicas(stack: list[Registered]) -> dict[str, tuple[int, int]]:
    scalers = {spec.name: look.named(stack, "HorizontalPodAutoscaler", spec.name)["spec"] for spec in services.ALL}
    return {name: (scaler["minReplicas"], scaler["maxReplicas"]) for name, scaler in scalers.items()}


def test_replicas_belong_to_the_autoscaler_alone(stack: list[Registered]) -> None:
    for spec in services.ALL:
        assert "replicas" not in look.named(stack, "Deployment", spec.name)["spec"]
        scaler = look.named(stack, "HorizontalPodAutoscaler", spec.name)["spec"]
        assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": spec.name}


def test_production_has_the_runbooks_replicas_and_local_as_many_as_one_node_takes(
    local_stack: list[Registered], prod_stack: list[Registered]
) -> None:
    runbook = {spec.name: (spec.replicas.normal, spec.replicas.peak) for spec in services.ALL}
    assert _replicas(prod_stack) == runbook
    assert _replicas(local_stack) == runbook | {"sentiment": (services.SENTIMENT.replicas.normal, 4)}


def test_sentiment_gets_the_memory_that_its_model_needs(stack: list[Registered]) -> None:
    container = look.named(stack, "Deployment", "sentiment")["spec"]["template"]["spec"]["containers"][0]
    assert to_bytes(container["resources"]["requests"]["memory"]) == thresholds.SENTIMENT_MEMORY_REQUEST.value
    assert to_bytes(container["resources"]["limits"]["memory"]) == thresholds.SENTIMENT_MEMORY_LIMIT.value
    values = {item["name"]: item.get("value") for item in container["env"]}
    assert (values["TORCH_DEVICE"], values["HUGGINGFACE_MODEL"]) == ("cpu", "distilbert-base-uncased")


def test_no_pod_asks_for_more_than_restricted_allows(stack: list[Registered]) -> None:
    for name, pod in look.pods(stack):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name


def test_every_container_states_what_it_needs(stack: list[Registered]) -> None:
    for name, pod in look.pods(stack):
        for container in pod["containers"]:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_probes_of_a_service_ask_different_things(stack: list[Registered]) -> None:
    for spec in services.ALL:
        container = look.named(stack, "Deployment", spec.name)["spec"]["template"]["spec"]["containers"][0]
        assert container["readinessProbe"]["httpGet"]["path"] == spec.health_path
        assert "tcpSocket" in container["livenessProbe"]
        assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 300


def test_no_secret_is_declared_and_no_container_gets_one_as_a_variable(stack: list[Registered]) -> None:
    assert not [item.name for item in stack if item.token.endswith(":Secret")]
    for name, pod in look.pods(stack):
        for container in pod["containers"]:
            sources = [item.get("valueFrom", {}) for item in container.get("env", [])]
            assert not any("secretKeyRef" in source for source in sources), name


def test_production_runs_images_by_digest(prod_stack: list[Registered]) -> None:
    images = [container["image"] for _, pod in look.pods(prod_stack) for container in pod["containers"]]
    assert len(images) >= 11
    assert all("@sha256:" in image for image in images)


def test_deployments_wait_for_what_they_need(stack: list[Registered]) -> None:
    deployment = next(item for item in stack if item.name == "api-gateway-deployment")
    waited = {urn.rsplit("::", 1)[-1] for urn in deployment.depends_on}
    assert {"app-config-map", "pgbouncer-deployment", "redis-stateful-set", "kafka-stateful-set"} <= waited


def test_an_autoscaler_is_made_beside_its_deployment_so_that_all_pods_start_together(stack: list[Registered]) -> None:
    by_name = {item.name: item for item in stack}
    for spec in services.ALL:
        waited = {
            kind: {urn.rsplit("::", 1)[-1] for urn in by_name[f"{spec.name}-{kind}"].depends_on}
            for kind in ("deployment", "autoscaler")
        }
        assert f"{spec.name}-deployment" not in waited["autoscaler"]
        # Not before either: it would tell again and again that there is nothing to scale.
        assert waited["autoscaler"] == waited["deployment"] - {f"{spec.name}-service-account"} != set()


def test_a_change_of_the_shared_configuration_rolls_the_services(stack: list[Registered]) -> None:
    template = look.named(stack, "Deployment", "api-gateway")["spec"]["template"]
    stamp = template["metadata"]["annotations"]["crypto.analytics/config-checksum"]
    shared = shared_environment(load("prod"))
    assert stamp == pods.checksum(shared)
    assert stamp != pods.checksum({**shared, "DATABASE_MAX_OVERFLOW": "1"})


def test_what_a_pod_is_decides_who_stays_when_a_node_is_full(stack: list[Registered]) -> None:
    classes = {pod["serviceAccountName"]: pod["priorityClassName"] for _, pod in look.pods(stack)}
    chosen = [classes[name] for name in ("postgres", "api-gateway", "kafka-exporter", "backup-postgres")]
    assert chosen == ["crypto-datastore", "crypto-service", "crypto-exporter", "crypto-operations"]
    values = [item.inputs["value"] for item in look.of(stack, "PriorityClass")]
    assert values == sorted(values, reverse=True)


def test_a_service_mounts_only_the_secrets_that_it_uses(stack: list[Registered]) -> None:
    for spec in services.ALL:
        volumes = look.named(stack, "Deployment", spec.name)["spec"]["template"]["spec"]["volumes"]
        mounted = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
        assert ("jwt-secret" in mounted) == spec.uses_jwt
        assert "postgres-superuser" not in mounted


def test_a_deployment_in_the_morning_does_not_end_the_peak(stack: list[Registered]) -> None:
    for item in look.of(stack, "HorizontalPodAutoscaler"):
        scaled = item.inputs["metadata"]["name"] in {spec.name for spec in services.SCALED_AT_PEAK}
        assert item.ignored == (("spec.minReplicas",) if scaled else ())
