"""The CrossGuard policy pack: the runbook's thresholds, judged on what the program declares.

Rules are pure functions over plain data, one module a concern; ``catalogue`` lists them, ``judging`` runs them and
makes findings, ``adapter`` speaks to the Pulumi SDK, and only ``__main__`` starts the pack's server.
"""
