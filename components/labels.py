"""Labels: what belongs together, who owns it and which section of the runbook it comes from."""

from __future__ import annotations

from typing import Final

from runbook.marks import APP_LABEL, OWNER_LABEL, SECTION_ANNOTATION
from runbook.sections import Section

PART_OF: Final = "crypto-analytics"
CHECKSUM_ANNOTATION: Final = "crypto.analytics/config-checksum"
# The IAM role that the pods of a ServiceAccount become.
ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
# The provider else waits ten seconds for each Service to get endpoints, which what depends on it waits for anyway.
SKIP_AWAIT: Final = {"pulumi.com/skipAwait": "true"}
# A condition, or a list of them, in place of the provider's own idea of what is ready.
WAIT_FOR: Final = "pulumi.com/waitFor"
# A field that stands under another manager's name is ours to set.
PATCH_FORCE: Final = {"pulumi.com/patchForce": "true"}


def selector(name: str) -> dict[str, str]:
    """Labels that never change, because a selector is immutable."""
    return {APP_LABEL: name}


def labels(name: str, owner: str, component: str) -> dict[str, str]:
    """Labels of an object: the selector, the recommended ones, and the owner."""
    return {
        **selector(name),
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
        OWNER_LABEL: owner,
    }


def section_annotations(section: Section, **more: str) -> dict[str, str]:
    """Annotations of an object: the runbook's section, as a link."""
    return {SECTION_ANNOTATION: section.link, **more}
