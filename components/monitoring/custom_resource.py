"""A custom resource of the monitoring: what the Kubernetes SDK has no types for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, meta

from components.context import Context
from components.labels import labels
from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object of the operator's API; ``spec`` is plain data in the API's own spelling."""

    api_version: str
    kind: str
    metadata: meta.v1.ObjectMetaArgs
    spec: dict[str, Any]

    def register(self, name: str, options: pulumi.ResourceOptions) -> apiextensions.CustomResource:
        """The resource of that name."""
        return apiextensions.CustomResource(
            name, api_version=self.api_version, kind=self.kind, metadata=self.metadata, spec=self.spec, opts=options
        )


def labelled_metadata(name: str, section: Section, context: Context, more: Mapping[str, str]) -> meta.v1.ObjectMetaArgs:
    """Metadata of an object of the monitoring, with ``more`` labels by which others find it."""
    metadata = context.metadata(name, "monitoring", section)
    metadata.labels = {**labels(name, context.settings.owner, "monitoring"), **more}
    return metadata


def selected_metadata(name: str, section: Section, context: Context) -> meta.v1.ObjectMetaArgs:
    """Metadata with the labels by which the cluster's Prometheus and Alertmanager select what is theirs."""
    return labelled_metadata(name, section, context, context.settings.monitoring.labels)
