"""The whole system on a cluster of its own: what `make up` promises, in the order in which it can be seen."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook import services
from tests.cluster.environment import ROOT, Environment, wait_until
from tests.cluster.host_state import HostState, look

_NAMESPACE = "--namespace=crypto"


def _running_pods(system: Environment) -> list[dict[str, Any]]:
    pods = system.get("pods", _NAMESPACE)["items"]
    return [pod for pod in pods if not any(owner["kind"] == "Job" for owner in pod["metadata"]["ownerReferences"])]


def test_every_pod_runs_and_is_ready_without_a_restart(system: Environment) -> None:
    pods = _running_pods(system)
    expected = sum(spec.replicas.normal for spec in services.ALL) + 4
    assert len(pods) >= expected
    for pod in pods:
        status = pod["status"]
        assert status["phase"] == "Running", pod["metadata"]["name"]
        assert all(item["ready"] and item["restartCount"] == 0 for item in status["containerStatuses"]), (
            pod["metadata"]["name"],
            status["containerStatuses"],
        )


def test_a_second_up_changes_nothing(system: Environment) -> None:
    answer = system.local("up")
    assert answer.code == 0, answer.output
    summary = answer.output[answer.output.index("Resources:") :]
    assert "unchanged" in summary
    assert not any(word in summary for word in ("created", "updated", "replaced", "deleted")), summary


def test_autoscalers_see_real_cpu_figures(system: Environment) -> None:
    def all_measured() -> bool:
        scalers = system.get("hpa", _NAMESPACE)["items"]
        assert len(scalers) == len(services.ALL)
        return all('"averageUtilization"' in json.dumps(scaler["status"]) for scaler in scalers)

    wait_until(all_measured, 120, "every HPA has a CPU figure")


def test_a_refresh_finds_no_drift(system: Environment) -> None:
    preview = ("pulumi", "preview", "--stack=local", "--refresh", "--expect-no-changes", "--non-interactive")
    system.ok(*preview)


def test_the_services_fill_the_database(system: Environment) -> None:
    wait_until(lambda: int(system.sql("SELECT count(*) FROM prices")) > 0, 60, "there are prices")
    assert int(system.sql("SELECT count(*) FROM users")) > 0


def test_health_is_green(system: Environment) -> None:
    assert _result(system.ok("ops", "health", "--json"))["exit"] == 0


def test_sentiment_at_one_gibibyte_fails_the_preview_and_names_rule_and_section(
    system: Environment, tmp_path: Path
) -> None:
    document = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    document["config"]["crypto:services"]["sentiment"]["resources"]["memoryRequest"] = "1Gi"
    config = tmp_path / "Pulumi.local.yaml"
    config.write_text(yaml.safe_dump(document))
    preview = ("pulumi", "preview", "--stack=local", "--policy-pack=policies", "--non-interactive")
    answer = system.run(*preview, f"--config-file={config}")
    assert answer.code != 0
    assert "sentiment-memory-range" in answer.output
    assert "3.5" in answer.output
    assert "docs/runbook.md#section-3-5" in answer.output


def test_a_wrong_setting_is_one_line_without_a_traceback(system: Environment, tmp_path: Path) -> None:
    document = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    document["config"]["crypto:timeZone"] = "Mars/Base"
    config = tmp_path / "Pulumi.local.yaml"
    config.write_text(yaml.safe_dump(document))
    answer = system.run("pulumi", "preview", "--stack=local", "--non-interactive", f"--config-file={config}")
    assert answer.code != 0
    assert "crypto:timeZone is 'Mars/Base': must be a name of the tz database" in answer.output
    assert "Traceback" not in answer.output


def test_the_namespace_refuses_a_privileged_pod(system: Environment) -> None:
    image = _running_pods(system)[0]["spec"]["containers"][0]["image"]
    answer = system.run("kubectl", "run", _NAMESPACE, "root", f"--image={image}", "--privileged", "--dry-run=server")
    assert answer.code != 0
    assert 'violates PodSecurity "restricted' in answer.output


@pytest.mark.parametrize(
    ("account", "verb", "resource", "allowed"),
    [
        ("backup-postgres", "list", "pods", "no"),
        ("backup-postgres", "get", "secrets", "no"),
        ("health-check", "list", "pods", "yes"),
        ("health-check", "get", "secrets", "no"),
        ("health-check", "delete", "pods", "no"),
        ("api-gateway", "list", "pods", "no"),
    ],
)
def test_an_account_may_do_what_its_job_needs_and_no_more(
    system: Environment, account: str, verb: str, resource: str, allowed: str
) -> None:
    who = f"--as=system:serviceaccount:crypto:{account}"
    assert system.run("kubectl", "auth", "can-i", verb, resource, _NAMESPACE, who).output.strip() == allowed


def _counts(system: Environment) -> dict[str, int]:
    return {table: int(system.sql(f"SELECT count(*) FROM {table}")) for table in ("users", "prices")}  # noqa: S608


def _result(output: str) -> dict[str, Any]:
    """The one line of result in what ``ops --json`` said; its log lines have no exit code."""
    results = [line for line in output.splitlines() if '"exit":' in line]
    assert len(results) == 1, output
    return json.loads(results[0])


def _run_job(system: Environment, cron_job: str, name: str) -> dict[str, Any]:
    system.ok("kubectl", "create", "job", _NAMESPACE, f"--from=cronjob/{cron_job}", name)

    def ended() -> bool:
        conditions = system.get("job", name, _NAMESPACE)["status"].get("conditions", [])
        return any(item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions)

    wait_until(ended, 180, f"the job {name} ends")
    result = _result(system.ok("kubectl", "logs", _NAMESPACE, f"job/{name}"))
    assert result["exit"] == 0, result
    return result


def test_a_backup_by_the_job_is_in_the_bucket_with_exactly_the_rows_that_it_saved(system: Environment) -> None:
    made = _run_job(system, "backup-postgres", "b1")
    assert _backup_ids(system) == [made["id"]]
    assert made["rows"] > 0
    system.ok("ops", "restore", "postgres", "--into", "proof", "--json", "--yes")
    rows = sum(int(system.sql(f"SELECT count(*) FROM {table}", "proof")) for table in system.tables("proof"))  # noqa: S608
    assert rows == made["rows"]
    system.sql("DROP DATABASE proof", "postgres")


def test_a_restore_brings_back_what_was_lost_while_the_services_go_on(system: Environment) -> None:
    before = _counts(system)["users"]
    system.sql("DELETE FROM users")
    restored = _result(system.ok("ops", "restore", "postgres", "--yes", "--json"))
    assert restored["rows"] > 0
    assert restored["kept"].startswith("crypto_db_before_")
    assert 0 < _counts(system)["users"] <= before + restored["rows"]
    prices = _counts(system)["prices"]
    wait_until(lambda: _counts(system)["prices"] > prices, 60, "the services write into the restored database")


def test_the_health_job_runs_in_the_cluster(system: Environment) -> None:
    # The restore above ended every connection; the services need a moment to open theirs again.
    wait_until(lambda: system.run("ops", "health", "--json").code == 0, 60, "the system is healthy again")
    checks = {check["name"]: check["status"] for check in _run_job(system, "health-check", "h1")["checks"]}
    assert len(checks) > len(services.ALL)
    # The job may not ask kubelets about volumes; what it cannot see it does not call healthy.
    assert {name for name, status in checks.items() if status != "ok"} <= {"volumes"}


def _backup_ids(system: Environment) -> list[str]:
    return [backup["id"] for backup in _result(system.ok("ops", "backups", "list", "--json"))["backups"]]


def test_the_whole_system_survives_down_and_up_with_its_data(system: Environment) -> None:
    backups = _backup_ids(system)
    users = _counts(system)["users"]
    assert system.local("down").code == 0
    answer = system.local("up")
    assert answer.code == 0, answer.output
    assert _counts(system)["users"] >= users
    assert _backup_ids(system) == backups != []
    system.ok("pulumi", "preview", "--stack=local", "--refresh", "--expect-no-changes", "--non-interactive")


def test_up_works_after_everything_was_killed_from_outside(system: Environment) -> None:
    from local.cluster import identity
    from local.cluster.layout import Layout

    users = _counts(system)["users"]
    layout = Layout.of(system.instance)
    supervisor = identity.find_supervisor(layout.process, layout.supervisor_config)
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    answer = system.local("up")
    assert answer.code == 0, answer.output
    assert _counts(system)["users"] >= users


def test_an_up_that_is_killed_while_it_deploys_does_not_lock_the_next_one_out(system: Environment) -> None:
    locks = system.instance.state_dir / "pulumi-state" / ".pulumi" / "locks"
    with system.start("up") as process:
        wait_until(lambda: any(locks.rglob("*.json")), 120, "the engine has locked the stack")
        os.killpg(process.pid, signal.SIGKILL)
    assert any(locks.rglob("*.json"))
    answer = system.local("up")
    assert answer.code == 0, answer.output


def test_a_destroyed_stack_comes_up_again_on_the_cluster_as_an_existing_one(system: Environment) -> None:
    system.ok("pulumi", "destroy", "--stack=local", "--yes", "--skip-preview", "--non-interactive", timeout=600)
    assert system.run("kubectl", "get", "namespace", "crypto").code != 0
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
    assert _running_pods(other)
    other.ok("pulumi", "destroy", "--stack=local", "--yes", "--skip-preview", "--non-interactive", timeout=600)
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
