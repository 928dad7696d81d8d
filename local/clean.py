"""`make clean`: nothing of an instance stays, except what other instances share (the cache of tools and images)."""

from __future__ import annotations

import shutil
import sys

from local.cluster import lifecycle
from local.paths import Instance


def clean(instance: Instance) -> None:
    """Stops the instance and removes its folder: volumes, etcd, AWS state, Pulumi state, credentials.

    Raises:
        ClusterError: something of it could not be ended; then nothing was removed.
    """
    lifecycle.clean(instance, lambda line: print(line, file=sys.stderr))
    if instance.state_dir.exists():
        shutil.rmtree(instance.state_dir)
