"""What every component is given: the stack's settings and the providers' options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi
from pulumi_kubernetes import meta

from components.labels import labels, section_annotations
from runbook.sections import Section
from runbook.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, and the namespace's name as an output where one must wait for it."""

    settings: Settings
    namespace: pulumi.Input[str]

    def metadata(
        self, name: str, component: str, section: Section, extra: dict[str, str] | None = None
    ) -> meta.v1.ObjectMetaArgs:
        """Metadata of an object in the namespace, with its owner and its section of the runbook."""
        return meta.v1.ObjectMetaArgs(
            name=name,
            namespace=self.namespace,
            labels=labels(name, self.settings.owner, component),
            annotations=section_annotations(section, **(extra or {})),
        )

    def cluster_metadata(
        self, name: str, component: str, section: Section, extra: dict[str, str] | None = None
    ) -> meta.v1.ObjectMetaArgs:
        """Metadata of an object that has no namespace."""
        return meta.v1.ObjectMetaArgs(
            name=name,
            labels=labels(name, self.settings.owner, component),
            annotations=section_annotations(section, **(extra or {})),
        )

    def in_namespace(self, namespace: pulumi.Input[str]) -> Context:
        """The same context, with a namespace that is known only when it exists."""
        return replace(self, namespace=namespace)


def child(
    parent: pulumi.Resource,
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    protect: bool | None = None,
    retain_on_delete: bool | None = None,
    ignore_changes: Sequence[str] | None = None,
) -> pulumi.ResourceOptions:
    """Options of a component's child. What it protects, retains or ignores is said here: none of it is inherited."""
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        protect=protect,
        retain_on_delete=retain_on_delete,
        ignore_changes=list(ignore_changes) if ignore_changes else None,
    )
