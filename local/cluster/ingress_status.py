"""Tells Ingresses of the class `skipper` the address at which they are served: skipper itself does not.

Whoever declares an Ingress waits for that address, Pulumi among them.
"""

from __future__ import annotations

from contextlib import suppress

from local.platform.names import INGRESS_CLASS
from scripts.clients.kubernetes import Cluster, NotFoundError, Object

INGRESSES = "/apis/networking.k8s.io/v1/ingresses"


def wants_address(ingress: Object, address: str) -> bool:
    """Whether the Ingress is served here and does not say so yet."""
    served = ingress["spec"].get("ingressClassName") == INGRESS_CLASS
    told = ingress.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return served and told != [{"ip": address}] and "deletionTimestamp" not in ingress["metadata"]


def tell_addresses(api: Cluster, address: str) -> None:
    """One pass over all Ingresses. Raises OpsError; the next pass tries again."""
    for ingress in api.items(INGRESSES):
        if wants_address(ingress, address):
            space, name = ingress["metadata"]["namespace"], ingress["metadata"]["name"]
            path = f"/apis/networking.k8s.io/v1/namespaces/{space}/ingresses/{name}/status"
            with suppress(NotFoundError):
                api.patch(path, {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
                print(f"told {space}/{name} the address {address}", flush=True)
