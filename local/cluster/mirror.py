"""Keeps a copy of a collection of the API, and tells when it changes."""

from __future__ import annotations

import threading
import time

import httpx

from local.cluster.api import ApiClient, Object

WATCH_SECONDS = 300
RETRY_SECONDS = 1.0


class Mirror:
    """The objects of one collection as of the last news; while the API server is away they stay as they were."""

    def __init__(self, api: ApiClient, path: str, changed: threading.Event) -> None:
        self._api = api
        self._path = path
        self._changed = changed
        self._objects: dict[str, Object] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def objects(self) -> list[Object] | None:
        """The objects, or None before they were read once."""
        with self._lock:
            return None if self._objects is None else list(self._objects.values())

    def _run(self) -> None:
        while True:
            try:
                self.follow()
            except (httpx.HTTPError, ValueError) as error:
                print(f"reading {self._path} again in {RETRY_SECONDS:g} s: {error}", flush=True)
                time.sleep(RETRY_SECONDS)

    def follow(self) -> None:
        """Read the collection and follow its changes for WATCH_SECONDS. Raises httpx.HTTPError or ValueError."""
        listed, version = self._api.listing(self._path)
        with self._lock:
            self._objects = {item["metadata"]["uid"]: item for item in listed}
        self._changed.set()
        for event in self._api.watch(self._path, WATCH_SECONDS, version):
            # An expired version, say: the next round reads everything anew.
            if event["type"] == "ERROR":
                raise ValueError(str(event["object"].get("message")))
            self._take(event["type"], event["object"])
            self._changed.set()

    def _take(self, kind: str, item: Object) -> None:
        with self._lock:
            objects = self._objects if self._objects is not None else {}
            if kind == "DELETED":
                objects.pop(item["metadata"]["uid"], None)
            else:
                objects[item["metadata"]["uid"]] = item
