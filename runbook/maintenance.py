"""Maintenance mode (section 8.2): what the stack declares and ``ops maintenance`` holds, by the same names."""

from __future__ import annotations

from typing import Final

from runbook import services

# The page's Service, and its port.
PAGE: Final = "maintenance"
PAGE_PORT: Final = 80
# The Ingress that leads users to the gateway or to the page.
INGRESS: Final = services.API_GATEWAY.name
# The Lease that says who works on the system, and until when. The stack makes it; its spec belongs to `ops`.
LEASE: Final = "maintenance"
# On the Lease: whether the stack itself asks for maintenance (`crypto:maintenance`).
DECLARED: Final = "crypto.analytics/maintenance-declared"
# On the Ingress while `ops` shows the page: the rules from before.
BEFORE: Final = "crypto.analytics/rules-before-maintenance"
# Whose the page's rules and the jobs' suspension are, in the objects' managedFields.
MANAGER: Final = "ops-maintenance"
