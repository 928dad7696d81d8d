"""Maintenance mode: a lock, the page in place of the gateway, and jobs that wait (section 8.2)."""
