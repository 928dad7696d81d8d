"""Incidents: their tickets, reminders, RCAs and the weekly review (sections 2.2 and 2.4)."""
