"""The runbook's sections: what a threshold, a policy or an alert refers to."""

from __future__ import annotations

from enum import Enum
from typing import Final

RUNBOOK_PAGE: Final = "docs/runbook.md"


class Section(Enum):
    """A section of the runbook: ``number`` as in the table of procedures, ``title`` as its heading reads."""

    HEALTH_CHECK = ("1.1", "Morning Health Check")
    DASHBOARD_CHECK = ("1.2", "Monitoring Dashboard Check")
    LOG_REVIEW = ("1.3", "Log Review")
    SEVERITIES = ("2.1", "Incident Severity Levels")
    INCIDENT_PROCESS = ("2.2", "Incident Response Process")
    DIAGNOSIS = ("2.3", "Diagnosis")
    ESCALATION = ("2.4", "On-Call Escalation")
    API_ERRORS = ("3.1", "API Gateway: High Error Rate")
    CONNECTION_POOL = ("3.2", "Database: Connection Pool Exhausted")
    REDIS_MEMORY = ("3.3", "Redis: Memory Usage High")
    KAFKA_LAG = ("3.4", "Kafka: Consumer Lag High")
    SENTIMENT_MODEL = ("3.5", "Sentiment Service: NLP Model Loading Failure")
    MEMORY_LEAK = ("3.6", "Memory Leak")
    AUTOSCALING = ("4.1", "Horizontal Pod Autoscaling")
    PEAK_SCALING = ("4.2", "Manual Scaling for Peak Hours")
    POOL_SCALING = ("4.3", "Database Connection Pool Scaling")
    DATABASE_BACKUP = ("5.1", "Database Backups")
    DATABASE_RECOVERY = ("5.2", "Database Recovery")
    REDIS_PERSISTENCE = ("5.3", "Redis Persistence")
    RESOURCE_BACKUP = ("5.4", "Kubernetes Resource Backup")
    RESTORE_DRILL = ("5.5", "Restore Drill")
    QUERY_TUNING = ("6.1", "Database Query Optimization")
    INDEX_MAINTENANCE = ("6.2", "Index Maintenance")
    RESPONSE_TIMES = ("6.3", "Application Performance Optimization")
    ACCESS_REVIEW = ("7.1", "Access Control")
    MONITORING_ACCOUNT = ("7.2", "Monitoring Service Account")
    SECRET_ROTATION = ("7.3", "Secret Rotation")
    TLS = ("7.4", "SSL/TLS Certificate Renewal")
    MAINTENANCE_WINDOWS = ("8.1", "Planned Maintenance Schedule")
    MAINTENANCE_MODE = ("8.2", "Maintenance Mode")
    UPGRADE = ("8.3", "Upgrade Procedure")
    NAMESPACE = ("9.1", "Namespace, Access and Quotas")

    def __init__(self, number: str, title: str) -> None:
        self.number = number
        self.title = title

    @property
    def anchor(self) -> str:
        """The section's anchor in the printed runbook, e.g. ``section-3-5``: stable when a title is reworded."""
        return f"section-{self.number.replace('.', '-')}"

    @property
    def link(self) -> str:
        """The section as a link relative to the repository's root."""
        return f"{RUNBOOK_PAGE}#{self.anchor}"

    def __str__(self) -> str:
        return f"{self.number} {self.title}"
