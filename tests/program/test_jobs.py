"""What both stacks promise about the jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from components.ops_config import ops_settings
from components.ops_jobs import rights
from runbook import jobs, maintenance, practices, services, settings
from runbook.jobs import Job, Need
from runbook.ops_paths import CONFIG_FILE
from runbook.ops_settings import OpsSettings
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import load, stack_values


def _pod(stack: list[Registered], name: str) -> dict[str, Any]:
    return look.named(stack, "CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_every_job_of_the_runbook_is_declared_with_its_command(stack: list[Registered]) -> None:
    declared = {
        item.inputs["metadata"]["name"]: _pod(stack, item.inputs["metadata"]["name"])["containers"][0]["args"]
        for item in look.of(stack, "CronJob")
    }
    assert declared == {job.name: list(job.command) for job in jobs.ALL}


def test_jobs_never_overlap_and_say_their_time_zone(prod_stack: list[Registered]) -> None:
    values = {**stack_values("prod"), "timeZone": "Europe/Berlin"}
    chosen = settings.load(values)
    in_berlin = engine.registered(chosen, "berlin")
    for job in jobs.ALL:
        spec = look.named(in_berlin, "CronJob", job.name)["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        # A maintenance window that the runbook gives in UTC stays there; 08:00 is the office's.
        assert spec["timeZone"] == (job.schedule.time_zone or "Europe/Berlin")
        assert spec["startingDeadlineSeconds"] >= 10
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == job.deadline_seconds
    assert {look.named(prod_stack, "CronJob", job.name)["spec"]["timeZone"] for job in jobs.ALL} == {"UTC"}


def test_the_backup_runs_at_two_and_wrong_configuration_is_not_retried(stack: list[Registered]) -> None:
    spec = look.named(stack, "CronJob", "backup-postgres")["spec"]
    assert spec["schedule"] == "0 2 * * *"
    rule = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2])


@pytest.mark.parametrize("job", jobs.ALL, ids=lambda job: job.name)
def test_only_a_finding_fails_a_job_that_finds_for_its_tries(job: Job, stack: list[Registered]) -> None:
    spec = look.named(stack, "CronJob", job.name)["spec"]["jobTemplate"]["spec"]
    codes = [rule.get("onExitCodes") for rule in spec["podFailurePolicy"]["rules"]]
    assert (spec["backoffLimit"] == 0) is job.finds
    if job.finds:
        # An evicted pod ends with a code: what Kubernetes did to it is judged first.
        assert codes == [None, {"containerName": "ops", "operator": "NotIn", "values": [1]}]
        assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
        assert spec["podFailurePolicy"]["rules"][1]["action"] == "FailJob"
    else:
        assert codes == [{"containerName": "ops", "operator": "In", "values": [2]}, None]


def test_a_finding_is_not_tried_again() -> None:
    with pytest.raises(ValueError, match="slo-check: a finding is an answer"):
        replace(jobs.SLO_CHECK, retries=2)


def test_the_peak_begins_at_eight_and_ends_at_ten(stack: list[Registered]) -> None:
    begin, end = (look.named(stack, "CronJob", name)["spec"]["schedule"] for name in ("peak-start", "peak-end"))
    assert (begin, end) == ("0 8 * * *", "0 10 * * *")
    for name in ("peak-start", "peak-end"):
        rule = look.named(stack, "v1:Role", name)["rules"][0]
        assert (rule["resources"], rule["verbs"]) == (["horizontalpodautoscalers"], ["get", "patch"])
        assert rule["resourceNames"] == ["api-gateway", "analytics", "sentiment"]


def test_first_sunday_is_a_weekday_in_cron_and_a_question_in_the_job(stack: list[Registered]) -> None:
    spec = look.named(stack, "CronJob", "monthly-maintenance")["spec"]
    assert spec["schedule"] == "0 3 * * 0"
    asked = {item["name"]: item["value"] for item in _pod(stack, "monthly-maintenance")["containers"][0]["env"]}
    assert (asked["OPS_FIRST_WEEK_ONLY"], asked["OPS_TIME_ZONE"]) == ("1", "UTC")


def test_no_schedule_names_a_day_of_the_month_and_a_weekday() -> None:
    for job in jobs.ALL:
        assert not job.schedule.times.either, f"{job.name}: cron joins the two days of {job.schedule.cron} by or"


def test_only_a_job_with_rights_gets_a_token(stack: list[Registered]) -> None:
    with_token = {
        pod["serviceAccountName"] for _, pod in look.pods(stack) if pod.get("automountServiceAccountToken") is True
    }
    expected = {job.name for job in jobs.ALL if job.rights or Need.JWT_SECRET in job.needs}
    assert with_token == expected
    assert "backup-postgres" not in with_token


def _readers(stack: list[Registered]) -> dict[str, Any]:
    return {
        item.inputs["metadata"]["name"]: (rule["verbs"], rule.get("resourceNames"))
        for item in look.of(stack, "v1:Role")
        for rule in item.inputs["rules"]
        if "secrets" in rule["resources"]
    }


def test_one_job_reads_every_secret_and_one_writes_a_single_secret(prod_stack: list[Registered]) -> None:
    # What a backup of the namespace leaves out cannot be restored; it is encrypted before it leaves the pod.
    assert _readers(prod_stack) == {
        "backup-resources": (["get", "list"], None),
        "jwt-rotation": (["get", "patch"], ["jwt-secret"]),
    }


def test_without_a_key_to_encrypt_them_no_job_reads_every_secret(local_stack: list[Registered]) -> None:
    assert load("local").backup.public_key is None
    assert set(_readers(local_stack)) == {"jwt-rotation"}
    other = load("prod")
    encrypted, plain = (rights(jobs.BACKUP_RESOURCES, chosen) for chosen in (other, load("local")))
    lost = {right.api_group: set(right.resources) for right in encrypted}
    kept = {right.api_group: set(right.resources) for right in plain}
    assert {group: kinds - kept[group] for group, kinds in lost.items() if kinds - kept[group]} == {"": {"secrets"}}


@pytest.mark.parametrize("name", ["local", "prod"])
def test_the_service_that_verifies_tokens_is_rolled_before_the_one_that_signs_them(name: str) -> None:
    rolled = ops_settings(load(name)).jwt

    assert rolled is not None
    assert rolled.services == (services.API_GATEWAY.name, services.USER_SERVICE.name)


def test_no_role_of_a_job_uses_a_wildcard(stack: list[Registered]) -> None:
    for role in [*look.of(stack, "v1:Role"), *look.of(stack, "v1:ClusterRole")]:
        for rule in role.inputs["rules"]:
            assert "*" not in [*rule["resources"], *rule["verbs"], *rule["apiGroups"]]


def test_only_a_job_that_reads_what_has_no_namespace_gets_a_cluster_role(stack: list[Registered]) -> None:
    roles = {item.inputs["metadata"]["name"]: item.inputs["rules"] for item in look.of(stack, "v1:ClusterRole")}
    assert set(roles) == {"crypto-access-review"}
    assert {verb for rule in roles["crypto-access-review"] for verb in rule["verbs"]} == {"get", "list"}


@pytest.mark.parametrize("job", jobs.ALL, ids=lambda job: job.name)
def test_a_job_mounts_the_secrets_of_those_it_talks_to(stack: list[Registered], job: Job) -> None:
    mounted = {volume["secret"]["secretName"] for volume in _pod(stack, job.name)["volumes"] if "secret" in volume}
    assert "postgres-superuser" not in mounted
    assert ("postgres-backup" in mounted) == (Need.POSTGRES_BACKUP in job.needs)
    assert "jwt-secret" not in mounted
    environment = {item["name"] for item in _pod(stack, job.name)["containers"][0].get("env", [])}
    assert ("AWS_SHARED_CREDENTIALS_FILE" in environment) == ("backup-aws" in mounted)


def test_a_job_mounts_no_key_but_the_one_that_it_signs_with(prod_stack: list[Registered]) -> None:
    def signs(job: Job) -> set[str]:
        volumes = _pod(prod_stack, job.name)["volumes"]
        return {
            name for volume in volumes if (name := volume.get("secret", {}).get("secretName", "")).startswith("signing")
        }

    assert {job.name: keys for job in jobs.ALL if (keys := signs(job))} == {
        "backup-postgres": {"signing-postgres"},
        "backup-redis": {"signing-redis"},
        "backup-resources": {"signing-resources"},
        "backup-verify": {"signing-verify"},
    }


def test_throwaway_servers_have_the_image_of_the_datastore_and_nothing_that_is_secret(stack: list[Registered]) -> None:
    trying = [job for job in jobs.ALL if Need.SCRATCH in job.needs]
    assert {job.name for job in trying} == {"backup-verify", "restore-drill"}
    for job in trying:
        pod = _pod(stack, job.name)
        servers = {container["name"]: container for container in pod["initContainers"]}
        assert set(servers) == {"postgres", "redis"}
        for name, container in servers.items():
            production = look.named(stack, "StatefulSet", name)["spec"]["template"]["spec"]["containers"][0]
            assert container["image"] == production["image"]
            assert container["restartPolicy"] == "Always"
            assert [mount["name"] for mount in container["volumeMounts"]] == ["scratch"]
            assert "env" not in container
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "scratch"]
        data = look.named(stack, "StatefulSet", "postgres")["spec"]["volumeClaimTemplates"][0]["spec"]
        assert volume["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"] == data["resources"]


def test_maintenance_suspends_every_job(closed_stack: list[Registered]) -> None:
    assert {item.inputs["spec"]["suspend"] for item in look.of(closed_stack, "CronJob")} == {True}


def test_without_maintenance_the_stack_claims_nothing_that_ops_maintenance_changes(stack: list[Registered]) -> None:
    found = look.of(stack, "CronJob")
    assert found
    assert [item.inputs["metadata"]["name"] for item in found if "suspend" in item.inputs["spec"]] == []
    assert "spec" not in look.of(stack, "Lease")[0].inputs


@pytest.mark.parametrize("wanted", [True, False])
def test_the_lock_says_whether_the_stack_itself_asks_for_maintenance(
    wanted: bool, closed_stack: list[Registered], prod_stack: list[Registered]
) -> None:
    lease = look.of(closed_stack if wanted else prod_stack, "Lease")[0]
    assert lease.inputs["metadata"]["name"] == maintenance.LEASE
    assert lease.inputs["metadata"]["annotations"][maintenance.DECLARED] == str(wanted).lower()


def test_ops_reads_back_the_settings_that_the_program_wrote(stack: list[Registered]) -> None:
    text = look.named(stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    settings = OpsSettings.model_validate_json(text)
    assert {service.name for service in settings.services} == set(services.BY_NAME)
    assert settings.backup.bucket == look.of(stack, "Bucket")[0].inputs["bucket"]
    assert json.loads(text)["backup"]["shrinkShare"] == practices.BACKUP_SHRINK.value
