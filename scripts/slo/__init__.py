"""The hourly look at the dashboards (section 1.2)."""
