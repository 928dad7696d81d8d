"""What happens to the running system when something is changed: by hand, by a job, by a new release."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runbook import services
from tests.cluster.deploying import PREVIEW, UP, stack_file, with_settings
from tests.cluster.environment import ROOT, Environment
from tests.cluster.observing import NAMESPACE, no_drift

# What a release had and this one has no more; nothing of it holds data. A Job makes the roles now.
_DROPPED = ("kubernetes:core/v1:ConfigMap::postgres-postgres-init",)
_RELEASES = Path(__file__).parent / "states"


def test_a_change_by_hand_is_seen_and_healed(system: Environment) -> None:
    patch = '{"spec":{"maxReplicas":99}}'
    system.ok("kubectl", "patch", "hpa", "user-service", NAMESPACE, "--type=merge", f"--patch={patch}")
    seen = system.run(*PREVIEW, "--refresh", "--expect-no-changes", "--diff")
    assert seen.code != 0
    assert "maxReplicas" in seen.output
    system.ok(*UP, "--refresh")
    healed = system.get("hpa", "user-service", NAMESPACE)["spec"]["maxReplicas"]
    assert healed == services.USER_SERVICE.replicas.peak
    no_drift(system)


def test_a_deployment_in_the_morning_does_not_end_the_peak(system: Environment, tmp_path: Path) -> None:
    def least() -> dict[str, int]:
        scalers = [system.get("hpa", spec.name, NAMESPACE) for spec in services.SCALED_AT_PEAK]
        return {scaler["metadata"]["name"]: scaler["spec"]["minReplicas"] for scaler in scalers}

    peak = {spec.name: spec.replicas.normal + 1 for spec in services.SCALED_AT_PEAK}
    for name, number in peak.items():
        patch = f'{{"spec":{{"minReplicas":{number}}}}}'
        system.ok("kubectl", "patch", "hpa", name, NAMESPACE, "--type=merge", f"--patch={patch}")
    document = yaml.safe_load(stack_file())
    document["config"]["crypto:services"]["analytics"]["replicasPeak"] = services.ANALYTICS.replicas.peak + 1
    try:
        system.ok(*UP, with_settings(tmp_path, yaml.safe_dump(document)))
        assert system.get("hpa", "analytics", NAMESPACE)["spec"]["maxReplicas"] == services.ANALYTICS.replicas.peak + 1
        assert least() == peak
    finally:
        for spec in services.SCALED_AT_PEAK:
            patch = f'{{"spec":{{"minReplicas":{spec.replicas.normal}}}}}'
            system.ok("kubectl", "patch", "hpa", spec.name, NAMESPACE, "--type=merge", f"--patch={patch}")
        system.ok(*UP)


def _field_managers(state: Mapping[str, Any]) -> dict[str, str]:
    """Under which name each object was applied: a state with other names would be refused as somebody else's."""
    outputs = ((resource["urn"], resource.get("outputs", {})) for resource in state["deployment"]["resources"])
    return {urn: known["__fieldManager"] for urn, known in outputs if "__fieldManager" in known}


def _state(release: Path, environment: Mapping[str, str], managers: Mapping[str, str]) -> dict[str, Any]:
    """A release's state, as it would stand if that release had been deployed here."""
    state = json.loads(gzip.decompress(release.read_bytes()))
    facts = json.loads(Path(environment["CRYPTO_ENVIRONMENT_FILE"]).read_text())
    text = json.dumps(state).replace("http://10.231.0.2:4566", facts["awsEndpoint"])
    state = json.loads(text)
    for resource in state["deployment"]["resources"]:
        if resource["type"] == "pulumi:providers:kubernetes":
            # Of the two files, a release knew the one that has everything.
            kubeconfig = environment["KUBECONFIG"].rpartition(os.pathsep)[2]
            known = {"context": facts["kubeContext"], "kubeconfig": kubeconfig}
            resource["inputs"] |= known
            resource["outputs"] |= known
        if resource["urn"] in managers:
            resource["outputs"]["__fieldManager"] = managers[resource["urn"]]
    return state


def test_the_state_names_no_kubeconfig_of_the_machine_that_deploys(system: Environment) -> None:
    state = system.ok("pulumi", "stack", "export", "--stack=local", "--show-secrets")
    assert "pulumi:providers:kubernetes" in state
    assert str(system.instance.kubeconfig) not in state


def test_an_upgrade_from_every_release_replaces_nothing_and_deletes_nothing_that_holds_data(
    system: Environment, tmp_path: Path
) -> None:
    releases = sorted(_RELEASES.glob("*.json.gz"))
    assert releases
    managers = _field_managers(json.loads(system.ok("pulumi", "stack", "export", "--stack=local")))
    assert managers
    for release in releases:
        backend = tmp_path / release.stem
        backend.mkdir()
        state = backend / "state.json"
        before = _state(release, system.shell, managers)
        state.write_text(json.dumps(before))
        beside = Environment(system.instance, system.base, {**system.shell, "PULUMI_BACKEND_URL": f"file://{backend}"})
        folder = backend / "project"
        folder.mkdir()
        for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
            (folder / name).write_text((ROOT / name).read_text())
        beside.ok("pulumi", "stack", "init", "local", "--non-interactive", f"--cwd={folder}")
        beside.ok("pulumi", "stack", "import", "--stack=local", "--force", f"--file={state}", "--non-interactive")
        shown = json.loads(_only_json(beside.ok(*PREVIEW, "--json", "--suppress-progress")))
        operations = {step["urn"]: step["op"] for step in shown["steps"]}
        assert "create" in operations.values(), "a new release declares something new"
        deployed = [resource["urn"] for resource in before["deployment"]["resources"]]
        assert len(deployed) > 80
        # What stays as it is has no step.
        wrong = {urn: operations[urn] for urn in deployed if operations.get(urn, "same") not in ("same", "update")}
        dropped = {urn for urn in deployed if urn.endswith(_DROPPED)}
        assert wrong == dict.fromkeys(dropped, "delete")
        assert {urn for urn, operation in operations.items() if operation == "delete"} == dropped


def _only_json(output: str) -> str:
    """The document in an output that may begin with lines of a log."""
    start = output.index("{" + os.linesep) if "{" + os.linesep in output else output.index("{")
    return output[start : output.rindex("}") + 1]
