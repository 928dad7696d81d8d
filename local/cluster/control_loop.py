"""A level-triggered loop: at every change, and every RESYNC_SECONDS, what is is compared with what should be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import httpx

from local.cluster.api import ApiClient

RESYNC_SECONDS = 30
RETRY_SECONDS = 1.0


def run(api: ApiClient, collections: Sequence[str], reconcile: Callable[[], None]) -> None:
    """Work for ever; `reconcile` may raise httpx.HTTPError or OSError, which are logged, and is then called again."""
    changed = threading.Event()
    for path in collections:
        threading.Thread(target=_notify, args=(api, path, changed), daemon=True).start()
    while True:
        changed.clear()
        try:
            reconcile()
        except (httpx.HTTPError, OSError) as error:
            print(f"trying again in {RETRY_SECONDS:g} s: {error}", flush=True)
            changed.wait(RETRY_SECONDS)
            changed.set()
        changed.wait(RESYNC_SECONDS)


def _notify(api: ApiClient, path: str, changed: threading.Event) -> None:
    while True:
        try:
            for _ in api.watch(path, RESYNC_SECONDS * 10):
                changed.set()
        except (httpx.HTTPError, ValueError):
            time.sleep(RETRY_SECONDS)
