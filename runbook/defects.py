"""The defects of the runbook's own scripts, each with the tests that would have caught it.

A proof is ``file::test``. A test checks that each of them exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class Defect:
    """A trap of the runbook's script in a section, and what keeps the software out of it."""

    number: int
    section: Section
    trap: str
    proven: tuple[str, ...]


_CLUSTER: Final = "tests/cluster"
_POLICIES: Final = "tests/policies/test_rules.py"
_PROGRAM: Final = "tests/program"
_SERVICES: Final = "tests/services"
_UNIT: Final = "tests/unit"

ALL: Final[tuple[Defect, ...]] = (
    Defect(
        1,
        Section.DATABASE_BACKUP,
        "a dump that dies in a pipe uploads as a good backup",
        (
            f"{_SERVICES}/test_ops_backup.py::test_a_killed_dump_leaves_nothing_visible",
            f"{_SERVICES}/test_ops_backup.py::test_a_backend_that_ends_under_the_dump_leaves_nothing_visible",
        ),
    ),
    Defect(
        2,
        Section.DATABASE_BACKUP,
        "retention deletes by age while newer backups fail",
        (
            f"{_SERVICES}/test_ops_prune.py::test_the_newest_proven_backup_stays_however_old_and_everything_newer_too",
            f"{_SERVICES}/test_ops_prune.py::test_retention_keeps_its_promises_for_any_history",
        ),
    ),
    Defect(
        3,
        Section.DATABASE_RECOVERY,
        "a backup that was never restored is taken for a backup",
        (
            f"{_SERVICES}/test_ops_verify.py::test_a_backup_is_proven_only_once_it_was_restored_and_counted",
            f"{_UNIT}/test_ops_health_report.py::test_only_a_proven_backup_counts_as_one_that_comes_back",
        ),
    ),
    Defect(
        4,
        Section.HEALTH_CHECK,
        "`kubectl exec -it` has no terminal in cron",
        (f"{_UNIT}/test_runbook_defects.py::test_the_program_speaks_protocols_and_starts_no_kubectl",),
    ),
    Defect(
        5,
        Section.HEALTH_CHECK,
        "a pod in phase Running can be crash-looping",
        (f"{_UNIT}/test_ops_health.py::test_a_crash_looping_pod_in_phase_running_fails",),
    ),
    Defect(
        6,
        Section.CONNECTION_POOL,
        "the age of the last statement is not the age of the idleness; columns have other names since",
        (
            f"{_SERVICES}/test_ops_connections.py::"
            "test_the_age_is_that_of_the_idleness_and_not_that_of_the_last_statement",
            f"{_SERVICES}/test_ops_connections.py::test_the_columns_from_before_postgresql_13_are_understood",
        ),
    ),
    Defect(
        7,
        Section.QUERY_TUNING,
        "`log_statement = all` writes every value into the log",
        (f"{_PROGRAM}/test_datastores.py::test_postgres_logs_slow_statements_and_never_all",),
    ),
    Defect(
        8,
        Section.INDEX_MAINTENANCE,
        "CREATE INDEX locks writers out, and an interrupted build leaves an invalid index",
        (
            f"{_SERVICES}/test_ops_maintenance.py::test_writers_go_on_while_the_index_is_built",
            f"{_SERVICES}/test_ops_maintenance.py::"
            "test_an_index_that_an_interrupted_build_left_invalid_is_dropped_and_rebuilt",
        ),
    ),
    Defect(
        9,
        Section.CONNECTION_POOL,
        "ten gateways with 80 connections each do not fit into 300",
        (f"{_PROGRAM}/test_datastores.py::test_pgbouncer_fits_into_postgres_connections",),
    ),
    Defect(
        10,
        Section.REDIS_MEMORY,
        "maxmemory as large as the container is an OOM kill",
        (f"{_PROGRAM}/test_datastores.py::test_redis_leaves_room_for_a_fork_below_its_limit",),
    ),
    Defect(
        11,
        Section.REDIS_MEMORY,
        "KEYS blocks Redis, and unpack overflows",
        (f"{_SERVICES}/test_ops_redis.py::test_purging_100000_keys_holds_up_nobody",),
    ),
    Defect(
        12,
        Section.MAINTENANCE_WINDOWS,
        "`0 3 1-7 * 0` runs on every Sunday and on seven more days",
        (
            f"{_PROGRAM}/test_jobs.py::test_no_schedule_names_a_day_of_the_month_and_a_weekday",
            f"{_POLICIES}::test_what_is_not_allowed_is_caught_by_its_rule",
            f"{_UNIT}/test_ops_first_week.py::test_the_first_week_ends_with_the_seventh_in_the_zone_that_counts",
        ),
    ),
    Defect(
        13,
        Section.REDIS_PERSISTENCE,
        "a copied dump.rdb is overwritten at the shutdown, or ignored for the append-only file",
        (
            f"{_SERVICES}/test_ops_redis_backup.py::"
            "test_what_was_restored_survives_a_restart_with_the_append_only_file_on",
        ),
    ),
    Defect(
        14,
        Section.PEAK_SCALING,
        "`kubectl scale` fights the autoscaler",
        (
            f"{_SERVICES}/test_ops_scale.py::test_peak_and_normal_set_the_least_replicas_with_the_rights_of_the_job",
            f"{_PROGRAM}/test_services.py::test_replicas_belong_to_the_autoscaler_alone",
        ),
    ),
    Defect(
        15,
        Section.SECRET_ROTATION,
        "a JWT secret that is replaced at once logs everybody out",
        (
            f"{_SERVICES}/test_ops_rotate.py::"
            "test_the_new_key_is_known_everywhere_before_it_signs_and_the_old_one_stays_valid",
        ),
    ),
    Defect(
        16,
        Section.RESOURCE_BACKUP,
        "`kubectl get all` misses most kinds, and Secrets went to git in plain text",
        (
            f"{_SERVICES}/test_ops_resources.py::"
            "test_every_kind_is_saved_page_by_page_bare_and_without_secrets_in_plain_text",
        ),
    ),
    Defect(
        17,
        Section.MAINTENANCE_MODE,
        "the maintenance patch loses host and TLS",
        (
            f"{_PROGRAM}/test_edge.py::test_maintenance_changes_the_backend_and_keeps_host_and_certificate",
            f"{_SERVICES}/test_ops_window.py::"
            "test_on_shows_the_page_under_the_same_host_and_certificate_and_off_restores_everything",
        ),
    ),
    Defect(
        18,
        Section.TLS,
        "an Ingress cannot be restarted, and certbot renews nothing inside a cluster",
        (
            f"{_PROGRAM}/test_edge.py::test_a_certificate_is_renewed_before_its_alert_speaks",
            f"{_CLUSTER}/test_system_edge.py::test_every_certificate_is_ready",
        ),
    ),
    Defect(
        19,
        Section.MONITORING_ACCOUNT,
        "a ServiceAccount has no token Secret since Kubernetes 1.24",
        (
            f"{_PROGRAM}/test_access.py::test_no_token_lies_in_a_secret",
            f"{_CLUSTER}/test_system_access.py::test_monitoring_has_a_token_that_works_and_ends",
        ),
    ),
    Defect(
        20,
        Section.RESPONSE_TIMES,
        "the default buckets cannot show 200 ms, and an alert on a metric that is not there is silent for ever",
        (
            f"{_UNIT}/test_alerts.py::test_the_latency_limit_is_an_edge_of_the_histogram",
            f"{_UNIT}/test_alerts.py::test_a_metric_that_is_gone_is_noticed",
        ),
    ),
    Defect(
        21,
        Section.API_ERRORS,
        "an SLO of 0.5% does not page on 1% for more than a day",
        (f"{_UNIT}/test_runbook_defects.py::test_more_than_one_percent_errors_is_a_rule_of_its_own",),
    ),
    Defect(
        22,
        Section.PEAK_SCALING,
        "08:00 is no time without a time zone",
        (
            f"{_PROGRAM}/test_jobs.py::test_jobs_never_overlap_and_say_their_time_zone",
            f"{_POLICIES}::test_what_is_not_allowed_is_caught_by_its_rule",
        ),
    ),
)
