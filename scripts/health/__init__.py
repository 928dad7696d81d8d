"""The health check (section 1.1)."""
