"""What an alert is, how alerts become Prometheus's rule groups, and who gets which notification, when.

The catalogue itself is ``runbook.alerts``. An alert is data; ``rendering`` makes one structure of it that serves both a
rule file and the spec of a PrometheusRule.
"""
