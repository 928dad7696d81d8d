"""Rules about kinds: which are judged, which need not be, and that nothing else passes in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from policies import documents, kinds
from policies.index import StackIndex
from policies.model import PASSED, Judgement, Level, Meta, Parameters, Resource, Severity, decide
from runbook.sections import Section

# Packages whose resources run code, grant rights or open doors.
_PACKAGES: Final = frozenset(
    {"aws", "aws-native", "azure", "azure-native", "command", "docker", "gcp", "google-native", "kubernetes"}
)
# Kinds that run nothing, grant nothing and open nothing by themselves.
HARMLESS: Final = frozenset(
    {
        "apps/ControllerRevision",
        "coordination.k8s.io/Lease",
        "core/Event",
        "core/PersistentVolumeClaim",
        "events.k8s.io/Event",
        "networking.k8s.io/IngressClass",
        "storage.k8s.io/StorageClass",
        *("aws:kms/Alias", "aws:s3/BucketLogging", "aws:s3/BucketOwnershipControls", "aws:s3/BucketObject"),
        # What these render is registered as resources of its own, which are judged.
        *("helm.sh/Chart", "yaml/ConfigFile", "yaml/ConfigGroup", "kustomize/Directory"),
    }
)
JUDGED: Final = (
    frozenset(
        value for name, value in vars(kinds).items() if name.isupper() and isinstance(value, str) and "/" in value
    )
    | documents.KINDS
)
_BY_NAME: Final = {kind.rpartition("/")[2].casefold(): kind for kind in JUDGED if ":" not in kind}


def _known(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for resource in (each for each in index.all if ":" not in each.kind):
        right = _BY_NAME.get(resource.kind.rpartition("/")[2].casefold())
        wrong = right is not None and right != resource.kind and _misspelt(resource.kind, right)
        if right is not None:
            allowed = f"{right}, which is the kind that the API server knows"
            yield resource, decide(not wrong, "kind", f'"{resource.kind}"', allowed)


def _misspelt(kind: str, right: str) -> bool:
    """Whether a kind is that of the API server under another group or in other letters, and no kind of its own."""
    group, wanted = kind.partition("/")[0], right.partition("/")[0]
    return group == wanted or (_built_in(group) and _built_in(wanted))


def _built_in(group: str) -> bool:
    return "." not in group or group.endswith(".k8s.io")


def _judged(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    kinds_of = Counter(resource.kind for resource in index.all)
    for kind, number in sorted(kinds_of.items()):
        first = index.of(kind)[0]
        if kind in JUDGED or kind in HARMLESS:
            yield first, PASSED
        elif first.type.partition(":")[0] in _PACKAGES:
            allowed = "a kind that a rule judges"
            yield first, decide(False, "kind", f"{kind}, which no rule judges ({number} of it)", allowed)


RULES: Final = (
    Meta(
        "kind-known",
        "An object is of a kind that the API server knows, in its letters and of its group.",
        Severity.HIGH,
        Section.NAMESPACE,
        "Write apiVersion and kind as the API server does: the object is refused, or another than it looks like.",
    ).of_stack(_known),
    Meta(
        "kind-judged",
        "No kind of object that can run code, grant rights or open a door passes without being judged.",
        Severity.MEDIUM,
        Section.NAMESPACE,
        "Look at the objects of the kind by hand, or waive it; a Helm Release installs objects that nothing here sees.",
        level=Level.ADVISORY,
    ).of_stack(_judged),
)
