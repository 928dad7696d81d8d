"""What watches the system, for a Prometheus that its operator runs: targets, rules, routes and dashboards.

The operator's CustomResourceDefinitions must be in the cluster; docs/production.md says which.
"""
