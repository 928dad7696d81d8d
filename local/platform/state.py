"""What of the platform runs, for `make status`."""

from __future__ import annotations

from local import toolchain
from local.errors import LocalError
from local.kubectl import Kubectl
from local.paths import Instance
from local.platform.install import present, unsettled


def describe(instance: Instance) -> str:
    """One line for the platform, and one for each part of it that does not run."""
    kubectl = Kubectl(toolchain.bin_dir() / "kubectl", instance.kubeconfig, instance.name)
    try:
        found = present(kubectl)
    except (LocalError, OSError) as error:
        return f"platform: {error}"
    if not found:
        return "platform: not there, `make up` brings it"
    lines = unsettled(found)
    return "\n".join(
        [f"platform: {len(found) - len(lines)} of {len(found)} parts run", *(f"  {line}" for line in lines)]
    )
