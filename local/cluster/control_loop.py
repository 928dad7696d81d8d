"""A level-triggered loop: at every change, and every RESYNC_SECONDS, what is is compared with what should be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from scripts.clients.kubernetes import Cluster
from scripts.exits import OpsError

RESYNC_SECONDS = 30
RETRY_SECONDS = 1.0
REQUEST_SECONDS = 10.0


def run(api: Cluster, collections: Sequence[str], reconcile: Callable[[], None]) -> None:
    """Work for ever; `reconcile` may raise OpsError or OSError, which are logged, and is then called again."""
    changed = threading.Event()
    for path in collections:
        threading.Thread(target=_notify, args=(api, path, changed), daemon=True).start()
    while True:
        changed.clear()
        try:
            reconcile()
        except (OpsError, OSError) as error:
            print(f"trying again in {RETRY_SECONDS:g} s: {error}", flush=True)
            changed.wait(RETRY_SECONDS)
            changed.set()
        changed.wait(RESYNC_SECONDS)


def _notify(api: Cluster, path: str, changed: threading.Event) -> None:
    for _ in api.watch(path, wait_after):
        changed.set()


def wait_after(error: OpsError) -> None:
    """What a watch does about a lost connection."""
    print(f"watching again in {RETRY_SECONDS:g} s: {error}", flush=True)
    time.sleep(RETRY_SECONDS)
