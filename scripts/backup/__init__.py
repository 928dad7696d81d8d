"""Backups and their restores (sections 5.1 and 5.2)."""
