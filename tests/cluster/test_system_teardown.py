"""How the whole system goes down and comes back. Last: it ends what the tests before it look at."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import Final

import pytest
import yaml

from tests.cluster.environment import ROOT, Answer, Environment
from tests.cluster.observing import NAMESPACE, backup_ids, counts, no_drift, run_job, running_pods
from tests.environment.cluster.host_state import HostState, look
from tests.waiting import wait_until

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_QUIET: Final = ("--stack=local", "--yes", "--skip-preview", "--non-interactive")


@pytest.fixture(scope="module", autouse=True)
def a_backup(system: Environment) -> None:
    """There is one, whatever ran before."""
    if not backup_ids(system):
        run_job(system, "backup-postgres", "before-teardown")


def test_the_whole_system_survives_down_and_up_with_its_data(system: Environment) -> None:
    backups = backup_ids(system)
    users = counts(system)["users"]
    assert system.local("down").code == 0
    # Everything that it needs is on this machine: whatever goes to the proxy of the shell fails.
    answer = system.beside(dict.fromkeys(_PROXIES, "http://127.0.0.1:9")).local("up")
    assert answer.code == 0, answer.output
    assert counts(system)["users"] >= users
    assert backup_ids(system) == backups != []
    no_drift(system)


def test_after_everything_was_killed_an_up_that_is_killed_while_it_deploys_does_not_lock_the_next_one_out(
    system: Environment,
) -> None:
    from local.cluster import identity
    from local.cluster.layout import Layout

    users = counts(system)["users"]
    layout = Layout.of(system.instance)
    supervisor = identity.find_supervisor(layout.process, layout.supervisor_config)
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    locks = system.instance.state_dir / "pulumi-state" / ".pulumi" / "locks"
    with system.start("up") as process:
        wait_until(lambda: any(locks.rglob("*.json")), "the engine has locked the stack", 240)
        os.killpg(process.pid, signal.SIGKILL)
    assert any(locks.rglob("*.json"))
    answer = system.local("up")
    assert answer.code == 0, answer.output
    assert counts(system)["users"] >= users


@dataclass(frozen=True)
class _Spared:
    """What a destroy said and left where data is protected."""

    refused: Answer
    users: int
    left: list[str]
    stateful_sets: dict[str, str]
    claims: int
    backups: list[str]


@pytest.fixture(scope="module")
def spared(system: Environment) -> _Spared:
    config = system.instance.state_dir / "Pulumi.local.yaml"
    protected = (ROOT / "Pulumi.local.yaml").read_text().replace("crypto:protect: false", "crypto:protect: true")
    assert "crypto:protect: true" in protected
    config.write_text(protected)
    users = counts(system)["users"]
    system.ok("pulumi", "up", *_QUIET, f"--config-file={config}")
    refused = system.run("pulumi", "destroy", *_QUIET, timeout=600)
    system.ok("pulumi", "destroy", *_QUIET, "--exclude-protected", timeout=600)
    return _Spared(
        refused,
        users,
        [item["kind"] for item in system.get("deployments,cronjobs,ingresses", NAMESPACE)["items"]],
        _uids(system, "statefulsets"),
        len(_uids(system, "persistentvolumeclaims")),
        backup_ids(system),
    )


def _uids(system: Environment, kind: str) -> dict[str, str]:
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in system.get(kind, NAMESPACE)["items"]}


def test_a_destroy_spares_what_is_protected_and_what_that_needs(spared: _Spared) -> None:
    assert spared.refused.code != 0
    assert "protected" in spared.refused.output
    assert spared.left == []
    assert set(spared.stateful_sets) == {"kafka", "postgres", "redis"}
    assert spared.claims == 3
    assert spared.backups != []


def test_what_was_spared_serves_again_and_a_volume_grows_under_its_running_pod(
    system: Environment, spared: _Spared
) -> None:
    document = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    document["config"]["crypto:redis"]["volumeSize"] = "3Gi"
    config = system.instance.state_dir / "Pulumi.local.yaml"
    config.write_text(yaml.safe_dump(document))
    before = _uids(system, "pods")["redis-0"]
    system.ok("pulumi", "up", *_QUIET, f"--config-file={config}", timeout=600)
    assert counts(system)["users"] >= spared.users
    assert running_pods(system)
    wait_until(lambda: _capacity(system, "data-redis-0") == "3Gi", "the claim has what it asks for", 60)
    assert _uids(system, "pods")["redis-0"] == before
    assert _uids(system, "statefulsets") == spared.stateful_sets
    refused = system.run("pulumi", "preview", "--stack=local", "--non-interactive")
    assert refused.code != 0, "a volume never shrinks"
    assert "less than" in refused.output


def _capacity(system: Environment, claim: str) -> str:
    return system.get("persistentvolumeclaim", claim, NAMESPACE)["status"]["capacity"]["storage"]


@pytest.fixture(scope="module")
def destroyed(system: Environment) -> None:
    system.ok("pulumi", "destroy", *_QUIET, timeout=600)
    assert system.run("kubectl", "get", "namespace", "crypto").code != 0


@pytest.mark.usefixtures("destroyed")
def test_a_namespace_of_somebody_else_is_adopted_and_given_back(system: Environment) -> None:
    """Only the namespace and what stands directly in it: the rest is the same for both kinds of namespace."""
    document = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    document["config"]["crypto:adoptNamespace"] = True
    config = system.instance.state_dir / "Pulumi.local.yaml"
    config.write_text(yaml.safe_dump(document))
    system.ok("kubectl", "create", "namespace", "crypto")
    system.ok("kubectl", "label", "namespace", "crypto", "owner-team=another")
    theirs = system.get("namespace", "crypto")["metadata"]
    system.ok("pulumi", "up", *_QUIET, f"--config-file={config}", "--target=**crypto:namespace:Namespace**")
    adopted = system.get("namespace", "crypto")["metadata"]
    assert adopted["uid"] == theirs["uid"]
    assert adopted["labels"]["owner-team"] == "another"
    assert adopted["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert system.get("resourcequotas", NAMESPACE)["items"] != []
    system.ok("pulumi", "destroy", *_QUIET, timeout=600)
    left = system.get("namespace", "crypto")["metadata"]
    assert (left["uid"], left["labels"]) == (theirs["uid"], theirs["labels"])
    assert system.get("resourcequotas", NAMESPACE)["items"] == []
    system.ok("kubectl", "delete", "namespace", "crypto")


@pytest.mark.usefixtures("destroyed")
def test_the_system_comes_up_on_the_cluster_as_an_existing_one(system: Environment) -> None:
    images = system.instance.state_dir / "images.json"
    facts = json.loads((system.instance.state_dir / "environment.json").read_text())
    images.write_text(json.dumps(facts["images"]))
    name = f"{system.instance.name}-x"
    existing = {
        "CRYPTO_INSTANCE": name,
        "CRYPTO_KUBECONFIG": str(system.instance.kubeconfig),
        "CRYPTO_KUBE_CONTEXT": facts["kubeContext"],
        "CRYPTO_IMAGES": str(images),
        "CRYPTO_AWS_ENDPOINT": system.instance.aws_url,
    }
    other = system.beside(existing)
    answer = other.local("up")
    assert answer.code == 0, answer.output
    assert f"context {facts['kubeContext']}" in answer.output
    other.load_shell()
    assert running_pods(other)
    assert other.local("clean").code == 0


def test_production_can_be_previewed_without_any_access(system: Environment) -> None:
    before = (ROOT / "Pulumi.prod.yaml").read_bytes()
    answer = system.local("preview", "--stack", "prod")
    assert answer.code == 0, answer.output
    assert "offline" in answer.output
    assert (ROOT / "Pulumi.prod.yaml").read_bytes() == before


def test_an_unknown_stack_is_named_with_those_that_there_are(system: Environment) -> None:
    answer = system.local("preview", "--stack", "staging")
    assert (answer.code, answer.output.strip()) == (1, "preview: unknown stack 'staging'; known are local, prod")


def test_clean_leaves_the_machine_as_it_was(system: Environment, machine_before: HostState) -> None:
    assert system.local("clean").code == 0
    assert not system.instance.state_dir.exists()
    assert look(system.instance).differences(machine_before) == []
