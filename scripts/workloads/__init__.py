"""Changes of what runs: autoscalers, restarts, upgrades; and what is due for one (sections 4.2, 8.1, 8.3)."""
