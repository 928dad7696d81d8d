"""The namespace and its Pod Security level (section 9.1)."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes import core, meta

from components.context import Context, child
from components.labels import labels, section_annotations
from runbook.sections import Section

POD_SECURITY_LEVEL: Final = "restricted"


def namespace_args(context: Context) -> core.v1.NamespaceInitArgs:
    """The namespace; pods that ask for more than ``restricted`` allows are refused, warned about and audited."""
    settings = context.settings
    security = {f"pod-security.kubernetes.io/{mode}": POD_SECURITY_LEVEL for mode in ("enforce", "audit", "warn")}
    return core.v1.NamespaceInitArgs(
        metadata=meta.v1.ObjectMetaArgs(
            name=settings.namespace,
            labels={**labels(settings.namespace, settings.owner, "namespace"), **security},
            annotations=section_annotations(Section.NAMESPACE),
        )
    )


class CryptoNamespace(pulumi.ComponentResource):
    """The namespace of the system. ``name`` is an output: what uses it waits for the namespace."""

    name: pulumi.Output[str]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:namespace:Namespace", name, None, opts)
        # Deleting a namespace deletes every volume claim in it.
        self.namespace = core.v1.Namespace(
            f"{name}-namespace", namespace_args(context), child(self, protect=context.settings.protect)
        )
        self.name = self.namespace.metadata.name
        self.register_outputs({"name": self.name})
