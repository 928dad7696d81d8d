"""Deployments: where they are, and how a template is changed so that its pods are replaced."""

from __future__ import annotations

from typing import Any

from scripts.clients.kubernetes import Cluster, NotFoundError
from scripts.exits import UsageError


def path(namespace: str, name: str) -> str:
    """The Deployment's address in the API."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def read(cluster: Cluster, namespace: str, name: str) -> Any:
    """A Deployment as plain data.

    Raises:
        UsageError: there is none.
    """
    try:
        return cluster.get(path(namespace, name))
    except NotFoundError:
        raise UsageError(
            f"there is no Deployment {name} in the namespace {namespace} (see: kubectl -n {namespace} get deployments)"
        ) from None


def annotate(
    cluster: Cluster, namespace: str, name: str, annotation: str, value: str, *, dry_run: bool = False
) -> None:
    """Set an annotation of the pod template, which replaces the pods; the value that it has already changes nothing."""
    template = {"metadata": {"annotations": {annotation: value}}}
    cluster.patch(path(namespace, name), {"spec": {"template": template}}, dry_run=dry_run)
