"""What each procedure of the runbook has become: the code that implements it and the tests that prove it.

A place is ``file:name``; a proof is ``file::test``. A test checks that each of them exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure: what the runbook asks for, in a few words, and where that is."""

    section: Section
    asks: str
    implemented: tuple[str, ...]
    proven: tuple[str, ...]


_ALERTS: Final = "tests/alerts"
_CLUSTER: Final = "tests/cluster"
_ENVIRONMENT: Final = "tests/environment/cluster"
_PROGRAM: Final = "tests/program"
_SERVICES: Final = "tests/services"
_UNIT: Final = "tests/unit"
_JOBS: Final = f"{_PROGRAM}/test_jobs.py::test_every_job_of_the_runbook_is_declared_with_its_command"

ALL: Final[tuple[Procedure, ...]] = (
    Procedure(
        Section.HEALTH_CHECK,
        "everything is checked at 08:00, and people are told what changed",
        ("runbook/jobs.py:HEALTH_CHECK", "components/ops_job.py:OpsCronJob", "scripts/commands/health.py:health"),
        (
            _JOBS,
            f"{_SERVICES}/test_ops_health_report.py::test_people_hear_first_what_has_changed_since_they_heard_last",
        ),
    ),
    Procedure(
        Section.DASHBOARD_CHECK,
        "latency, errors, nodes, prices and sentiment are judged every hour, and shown",
        (
            "runbook/jobs.py:SLO_CHECK",
            "scripts/commands/slo.py:slo",
            "components/monitoring/dashboards.py:config_map_args",
        ),
        (
            f"{_SERVICES}/test_ops_slo.py::test_a_real_prometheus_is_judged_figure_by_figure",
            f"{_PROGRAM}/test_monitoring.py::test_grafana_finds_the_runbooks_dashboards",
        ),
    ),
    Procedure(
        Section.LOG_REVIEW,
        "the past hour's errors are reviewed, new ones first",
        ("runbook/jobs.py:LOG_REVIEW", "scripts/commands/logs.py:logs"),
        (_JOBS, f"{_SERVICES}/test_ops_logs.py::test_a_new_error_fails_and_the_next_review_knows_it"),
    ),
    Procedure(
        Section.SEVERITIES,
        "P1 to P4 reach somebody within their time to answer",
        ("runbook/severities.py:Severity", "components/monitoring/alertmanager_config.py:alertmanager_config"),
        (
            f"{_UNIT}/test_alerts.py::test_somebody_is_told_before_the_time_to_answer_is_over",
            f"{_ALERTS}/test_routes.py::test_an_alert_reaches_exactly_the_receivers_of_whatever_severity_it_has",
            f"{_CLUSTER}/test_system_monitoring.py::test_the_sign_of_life_reaches_the_alertmanager_by_the_systems_own_route",
        ),
    ),
    Procedure(
        Section.INCIDENT_PROCESS,
        "an incident has a ticket, updates every 15 minutes and an RCA within a day",
        ("runbook/jobs.py:INCIDENT_REMINDER", "scripts/commands/incident.py:remind"),
        (_JOBS, f"{_SERVICES}/test_ops_incident.py::test_an_incident_lives_from_opening_to_its_rca"),
    ),
    Procedure(
        Section.DIAGNOSIS,
        "logs, metrics, usage and descriptions are gathered in one bundle without secrets",
        ("scripts/commands/diagnose.py:diagnose",),
        (f"{_SERVICES}/test_ops_diagnose.py::test_a_bundle_has_everything_and_no_secret",),
    ),
    Procedure(
        Section.ESCALATION,
        "who does not answer is followed by manager, lead and CTO; incidents are reviewed on Mondays",
        ("runbook/alerting/routing.py:Route", "runbook/jobs.py:INCIDENT_REVIEW"),
        (f"{_UNIT}/test_alert_routing.py::test_a_page_that_nobody_ends_climbs_role_by_role", _JOBS),
    ),
    Procedure(
        Section.API_ERRORS,
        "more than 1% errors are an alert",
        ("runbook/alerting/services.py:ALL", "components/monitoring/prometheus_rule.py:prometheus_rule"),
        (
            f"{_ALERTS}/test_firing.py::test_an_alert_fires_beyond_its_limit_after_its_time_and_ends",
            f"{_CLUSTER}/test_system_incidents.py::test_an_incident_reaches_its_receiver_and_its_end_does_too",
            f"{_CLUSTER}/test_system_monitoring.py::test_prometheus_has_loaded_every_rule_of_the_runbook_without_an_error",
        ),
    ),
    Procedure(
        Section.CONNECTION_POOL,
        "connections are shared, limited, watched, and ended when they idle",
        (
            "components/pgbouncer.py:PgBouncer",
            "components/postgres.py:Postgres",
            "components/exporters.py:Exporter",
            "runbook/jobs.py:CONNECTION_REAPER",
            "scripts/database/reaper.py:run",
        ),
        (
            f"{_PROGRAM}/test_datastores.py::test_pgbouncer_fits_into_postgres_connections",
            f"{_SERVICES}/test_ops_connections.py::test_idle_sessions_end_and_are_counted_by_user_and_application",
            f"{_CLUSTER}/test_system_monitoring.py::test_the_exporters_see_their_datastores",
        ),
    ),
    Procedure(
        Section.REDIS_MEMORY,
        "Redis evicts, has room for a fork, is watched, and can be cleared without blocking it",
        ("components/redis.py:Redis", "scripts/cache/purge.py:run", "scripts/cache/bigkeys.py:run"),
        (
            f"{_PROGRAM}/test_datastores.py::test_redis_leaves_room_for_a_fork_below_its_limit",
            f"{_SERVICES}/test_ops_redis.py::test_purging_100000_keys_holds_up_nobody",
        ),
    ),
    Procedure(
        Section.KAFKA_LAG,
        "24 partitions, and a lag above 10,000 is an alert",
        ("components/kafka.py:Kafka", "runbook/alerting/datastores.py:ALL", "scripts/commands/kafka.py:lag"),
        (
            f"{_SERVICES}/test_ops_kafka.py::test_the_lag_is_what_the_group_has_not_committed_in_each_partition",
            f"{_CLUSTER}/test_system_monitoring.py::test_the_exporters_see_their_datastores",
        ),
    ),
    Procedure(
        Section.SENTIMENT_MODEL,
        "the model has its memory, its time to load and its settings",
        ("components/service.py:Microservice", "runbook/services.py:SENTIMENT"),
        (
            f"{_PROGRAM}/test_services.py::test_sentiment_gets_the_memory_that_its_model_needs",
            f"{_CLUSTER}/test_system.py::test_sentiment_at_one_gibibyte_fails_the_preview_and_names_rule_and_section",
        ),
    ),
    Procedure(
        Section.MEMORY_LEAK,
        "a service above 1 GB is an alert, and is restarted one pod after the other",
        ("runbook/alerting/services.py:ALL", "scripts/commands/restart.py:restart"),
        (f"{_SERVICES}/test_ops_workloads.py::test_a_restart_replaces_the_pods_and_waits_for_the_new_ones",),
    ),
    Procedure(
        Section.AUTOSCALING,
        "every service has an autoscaler and a disruption budget",
        ("components/service.py:autoscaler_args", "components/pods.py:disruption_budget_args"),
        (
            f"{_PROGRAM}/test_services.py::test_every_service_has_all_that_belongs_to_it",
            f"{_CLUSTER}/test_system.py::test_autoscalers_see_real_cpu_figures",
        ),
    ),
    Procedure(
        Section.PEAK_SCALING,
        "more pods from 08:00 to 10:00, in a named time zone",
        ("runbook/jobs.py:PEAK_START", "runbook/jobs.py:PEAK_END", "scripts/commands/scale.py:peak"),
        (
            f"{_PROGRAM}/test_jobs.py::test_the_peak_begins_at_eight_and_ends_at_ten",
            f"{_SERVICES}/test_ops_scale.py::test_peak_and_normal_set_the_least_replicas_with_the_rights_of_the_job",
            f"{_CLUSTER}/test_system_jobs.py::test_the_peak_begins_and_ends_by_its_jobs",
        ),
    ),
    Procedure(
        Section.POOL_SCALING,
        "a pool has cores * 2 + 4 connections; a change of it rolls the pods",
        ("runbook/pool.py:recommended_pool_size", "components/app_config.py:AppConfig"),
        (
            f"{_UNIT}/test_runbook_thresholds.py::test_pool_size_follows_the_cores_up_to_the_runbooks_pool",
            f"{_PROGRAM}/test_services.py::test_a_change_of_the_shared_configuration_rolls_the_services",
        ),
    ),
    Procedure(
        Section.DATABASE_BACKUP,
        "PostgreSQL is saved at 02:00 to S3 and kept for 30 days",
        (
            "runbook/jobs.py:BACKUP_POSTGRES",
            "runbook/jobs.py:BACKUP_PRUNE",
            "components/storage/backups.py:BackupStorage",
            "components/storage/replica.py:Replica",
            "scripts/commands/backup.py:postgres",
        ),
        (
            f"{_PROGRAM}/test_storage.py::test_backups_are_kept_thirty_days_and_broken_uploads_go",
            f"{_PROGRAM}/test_storage.py::test_no_backup_ends_by_its_age_alone_and_neither_does_its_copy",
            f"{_SERVICES}/test_ops_faults.py::"
            "test_a_backup_ended_at_any_moment_is_whole_or_not_there_and_the_next_one_succeeds",
            f"{_CLUSTER}/test_system.py::test_a_backup_by_the_job_is_in_the_bucket_with_exactly_the_rows_that_it_saved",
        ),
    ),
    Procedure(
        Section.DATABASE_RECOVERY,
        "a backup is restored beside the database, counted, and swapped; each night the newest is proven, and one that "
        "has shrunk supersedes nothing",
        (
            "scripts/commands/restore.py:postgres",
            "runbook/jobs.py:BACKUP_VERIFY",
            "scripts/commands/backups.py:verify",
            "scripts/commands/backups.py:accept_backup",
            "scripts/commands/backups.py:metrics",
        ),
        (
            f"{_SERVICES}/test_ops_verify.py::test_a_backup_is_proven_only_once_it_was_restored_and_counted",
            f"{_SERVICES}/test_ops_shrunk.py::"
            "test_the_backup_of_an_emptied_redis_supersedes_nothing_until_a_person_accepts_it",
            f"{_SERVICES}/test_ops_faults.py::"
            "test_a_restore_ended_at_any_moment_leaves_the_old_state_or_the_new_and_the_next_one_succeeds",
            f"{_CLUSTER}/test_system.py::test_a_restore_brings_back_what_was_lost_while_the_services_go_on",
            f"{_CLUSTER}/test_system_jobs.py::test_the_nights_backups_are_proven_and_a_drill_restores_them",
        ),
    ),
    Procedure(
        Section.REDIS_PERSISTENCE,
        "Redis is saved and comes back, append-only file or not",
        ("runbook/jobs.py:BACKUP_REDIS", "scripts/commands/backup.py:redis", "scripts/commands/restore.py:redis"),
        (
            f"{_SERVICES}/test_ops_redis_backup.py::test_a_backup_counts_every_key_and_comes_back_to_the_bit",
            f"{_SERVICES}/test_ops_redis_faults.py::"
            "test_a_restore_ended_at_any_moment_leaves_the_old_keys_or_the_new_and_the_next_one_succeeds",
        ),
    ),
    Procedure(
        Section.RESOURCE_BACKUP,
        "every object of the namespace is saved, Secrets only encrypted",
        ("runbook/jobs.py:BACKUP_RESOURCES", "scripts/commands/backup.py:resources"),
        (
            f"{_SERVICES}/test_ops_resources.py::test_secrets_are_saved_where_backups_are_encrypted",
            f"{_CLUSTER}/test_system_jobs.py::test_the_nights_backups_are_proven_and_a_drill_restores_them",
        ),
    ),
    Procedure(
        Section.RESTORE_DRILL,
        "each quarter everything is restored from the bucket alone, measured and signed",
        ("runbook/jobs.py:RESTORE_DRILL", "scripts/commands/drill.py:drill"),
        (
            f"{_SERVICES}/test_ops_resources.py::test_a_drill_restores_what_is_proven_and_its_report_cannot_be_forged",
            f"{_CLUSTER}/test_system_jobs.py::test_the_nights_backups_are_proven_and_a_drill_restores_them",
        ),
    ),
    Procedure(
        Section.QUERY_TUNING,
        "statements above 500 ms are logged, and the ten that take most are shown",
        ("components/postgres.py:postgresql_conf", "scripts/commands/db.py:slow"),
        (
            f"{_PROGRAM}/test_datastores.py::test_postgres_logs_slow_statements_and_never_all",
            f"{_SERVICES}/test_ops_connections.py::"
            "test_the_ten_statements_that_take_most_time_are_shown_and_the_slow_ones_marked",
        ),
    ),
    Procedure(
        Section.INDEX_MAINTENANCE,
        "the index on prices exists, is built without locking, and tables are vacuumed by need",
        ("runbook/jobs.py:WEEKLY_MAINTENANCE", "scripts/database/index.py:ensure"),
        (f"{_SERVICES}/test_ops_maintenance.py::test_writers_go_on_while_the_index_is_built",),
    ),
    Procedure(
        Section.RESPONSE_TIMES,
        "response times are a histogram with an edge at the limit",
        ("runbook/alerting/recordings.py:ALL", "components/monitoring/service_monitors.py:service_monitor"),
        (f"{_UNIT}/test_alerts.py::test_the_latency_limit_is_an_edge_of_the_histogram",),
    ),
    Procedure(
        Section.ACCESS_REVIEW,
        "who may do what is declared, and reviewed each month, differences first",
        ("components/access.py:Access", "runbook/jobs.py:ACCESS_REVIEW", "scripts/commands/access.py:review"),
        (
            f"{_CLUSTER}/test_system_access.py::test_every_job_may_do_what_it_states_and_nothing_else",
            f"{_CLUSTER}/test_system_access.py::test_people_may_do_what_their_group_is_for",
            f"{_SERVICES}/test_ops_access.py::test_a_review_is_kept_and_the_next_one_begins_with_what_differs",
        ),
    ),
    Procedure(
        Section.MONITORING_ACCOUNT,
        "a monitoring account sees the namespace, by a token that ends",
        ("components/access.py:Access",),
        (
            f"{_PROGRAM}/test_access.py::test_monitoring_sees_the_namespace_and_no_more",
            f"{_CLUSTER}/test_system_access.py::test_monitoring_has_a_token_that_works_and_ends",
        ),
    ),
    Procedure(
        Section.SECRET_ROTATION,
        "the JWT secret is replaced, and the old one verifies for a day; one that leaked ends at once by"
        " `ops rotate jwt --compromised`",
        ("runbook/jobs.py:JWT_ROTATION", "scripts/commands/rotate.py:jwt"),
        (
            f"{_SERVICES}/test_ops_rotate.py::"
            "test_the_new_key_is_known_everywhere_before_it_signs_and_the_old_one_stays_valid",
            f"{_SERVICES}/test_ops_rotate.py::test_a_key_that_leaked_ends_now_whatever_the_rotation_is_at",
        ),
    ),
    Procedure(
        Section.TLS,
        "certificates are issued, used and renewed by themselves",
        ("components/certificates.py:Certificates", "components/ingress.py:Edge"),
        (
            f"{_PROGRAM}/test_edge.py::test_a_certificate_is_renewed_before_its_alert_speaks",
            f"{_CLUSTER}/test_system_edge.py::test_users_reach_the_gateway_by_a_certificate_of_the_authority",
        ),
    ),
    Procedure(
        Section.MAINTENANCE_WINDOWS,
        "weekly, monthly and quarterly work has its time; alerts below P1 are silent in it",
        ("runbook/jobs.py:MONTHLY_MAINTENANCE", "runbook/alerting/routing.py:Window"),
        (
            f"{_PROGRAM}/test_jobs.py::test_first_sunday_is_a_weekday_in_cron_and_a_question_in_the_job",
            f"{_UNIT}/test_alert_routing.py::test_maintenance_windows_are_those_of_the_runbook",
            f"{_CLUSTER}/test_system_incidents.py::test_maintenance_mutes_what_is_no_p1_and_a_p1_is_told",
        ),
    ),
    Procedure(
        Section.MAINTENANCE_MODE,
        "users see a page under the same name and certificate, and jobs wait",
        (
            "components/maintenance.py:Maintenance",
            "components/ingress.py:backend",
            "scripts/commands/maintenance.py:on",
        ),
        (
            f"{_SERVICES}/test_ops_window.py::"
            "test_on_shows_the_page_under_the_same_host_and_certificate_and_off_restores_everything",
            f"{_PROGRAM}/test_edge.py::test_maintenance_changes_the_backend_and_keeps_host_and_certificate",
            f"{_CLUSTER}/test_system_edge.py::test_maintenance_shows_the_page_under_the_same_name_and_ends_as_it_began",
        ),
    ),
    Procedure(
        Section.UPGRADE,
        "an image is rolled out, judged, and undone when it does not do",
        ("scripts/commands/upgrade.py:upgrade",),
        (
            f"{_SERVICES}/test_ops_workloads.py::test_an_image_that_does_not_come_up_is_undone_and_the_undo_is_proved",
            f"{_SERVICES}/test_ops_workloads.py::test_an_image_that_is_healthy_and_fails_requests_is_undone",
        ),
    ),
    Procedure(
        Section.NAMESPACE,
        "the namespace has quota, limits, closed network and roles for on-call",
        (
            "components/namespace.py:CryptoNamespace",
            "components/network.py:Network",
            "components/access.py:ON_CALL_RIGHTS",
        ),
        (
            f"{_PROGRAM}/test_namespace.py::test_the_quota_fits_the_sum_at_peak",
            f"{_PROGRAM}/test_network.py::test_what_is_open_between_pods_is_the_table_and_nothing_else",
            f"{_ENVIRONMENT}/test_network_policies.py::"
            "test_default_deny_closes_both_directions_and_no_other_namespace_and_its_removal_opens_them",
        ),
    ),
)


def of_section(section: Section) -> tuple[Procedure, ...]:
    """The procedures of a section."""
    return tuple(procedure for procedure in ALL if procedure.section is section)
