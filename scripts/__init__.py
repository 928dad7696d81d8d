"""The operations program: what CronJobs and on-call engineers run as ``ops``."""
