"""Volume claims of the datastores, declared beside their StatefulSets so that they can grow.

A StatefulSet's claim templates cannot be changed, and a replacement of the StatefulSet would stop the datastore. Its
controller takes a claim that is there already by its name, so the program declares the claims themselves: a larger
size is then a change of one field, which the storage class carries out under the running pod. A claim that the
controller made before the program declared it is taken over with all that is on it.
"""

from __future__ import annotations

from typing import Final

from pulumi_kubernetes import core

from components.context import Context
from components.labels import PATCH_FORCE, SKIP_AWAIT
from runbook.sections import Section

# A claim is bound when its first pod is scheduled, so that waiting for it would wait for the StatefulSet after it. Its
# size may stand under the name of the StatefulSet's controller, which made the claim: ours is to win.
_ANNOTATIONS: Final = {**SKIP_AWAIT, **PATCH_FORCE}


def name_of(volume: str, stateful_set: str, ordinal: int) -> str:
    """The name by which a StatefulSet's controller looks for the claim of a pod."""
    return f"{volume}-{stateful_set}-{ordinal}"


def spec(size: str, context: Context) -> core.v1.PersistentVolumeClaimSpecArgs:
    """What a claim and its template ask for."""
    return core.v1.PersistentVolumeClaimSpecArgs(
        access_modes=["ReadWriteOnce"],
        storage_class_name=context.settings.storage_class,
        resources=core.v1.VolumeResourceRequirementsArgs(requests={"storage": size}),
    )


def claim_args(
    name: str, section: Section, datastore: str, size: str, context: Context
) -> core.v1.PersistentVolumeClaimInitArgs:
    """A datastore's claim of this name and size."""
    metadata = context.metadata(datastore, "datastore", section, _ANNOTATIONS)
    metadata.name = name
    return core.v1.PersistentVolumeClaimInitArgs(metadata=metadata, spec=spec(size, context))
