"""The proxy of a shell leads to the internet: an environment's own addresses are reached without it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from local.paths import Instance

# Programs read one spelling or the other: gRPC the small letters, some the capitals first.
NAMES = ("NO_PROXY", "no_proxy")
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "GRPC_PROXY")


def without_proxy(*instances: Instance, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """``NO_PROXY`` and ``no_proxy`` with loopback and the addresses of these instances; empty where no proxy is set.

    What the variables have stays. Go understands subnets; Python needs each address.
    """
    given = os.environ if environ is None else environ
    if not any(given.get(name) or given.get(name.lower()) for name in _PROXIES):
        return {}
    before = [part.strip() for name in NAMES for part in given.get(name, "").split(",")]
    own = ["localhost", "127.0.0.1", "::1"]
    for instance in instances:
        own += [str(instance.node_address), str(instance.host_address)]
        own += map(str, (instance.node_subnet, instance.pod_subnet, instance.service_subnet))
    value = ",".join(dict.fromkeys(part for part in (*before, *own) if part))
    return dict.fromkeys(NAMES, value)
