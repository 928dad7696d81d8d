"""A small client of the Kubernetes API: plain HTTP and JSON with a client certificate."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, cast

import httpx
import yaml

Object = dict[str, Any]


class ApiClient:
    """Requests to one API server. Methods raise httpx.HTTPError where it cannot be reached or refuses."""

    def __init__(self, server: str, context: ssl.SSLContext, timeout_seconds: float = 10.0) -> None:
        self._http = httpx.Client(base_url=server, verify=context, timeout=timeout_seconds, trust_env=False)

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Self:
        """A client for the first cluster and user of a kubeconfig with embedded certificates."""
        document = cast("Object", yaml.safe_load(path.read_text()))
        cluster = cast("Object", document["clusters"][0]["cluster"])
        user = cast("Object", document["users"][0]["user"])
        authority = base64.b64decode(cast("str", cluster["certificate-authority-data"])).decode()
        context = ssl.create_default_context(cadata=authority)
        # The ssl module takes client certificates from files only.
        with tempfile.NamedTemporaryFile(prefix="client-", suffix=".pem") as pair:
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(cast("str", user[part])))
            pair.flush()
            context.load_cert_chain(pair.name)
        return cls(cast("str", cluster["server"]), context)

    def get(self, path: str) -> Object | None:
        """One object, or None where there is none."""
        response = self._http.get(path)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        return cast("Object", response.raise_for_status().json())

    def items(self, path: str) -> list[Object]:
        """All objects of a collection."""
        return cast("list[Object]", self._http.get(path).raise_for_status().json()["items"])

    def listing(self, path: str) -> tuple[list[Object], str]:
        """All objects of a collection, and the version from which `watch` tells what changes after."""
        document = self._http.get(path).raise_for_status().json()
        return cast("list[Object]", document["items"]), str(document["metadata"]["resourceVersion"])

    def create(self, path: str, body: Object) -> bool:
        """Create an object; False where it exists already."""
        response = self._http.post(path, json=body)
        if response.status_code == HTTPStatus.CONFLICT:
            return False
        response.raise_for_status()
        return True

    def patch(self, path: str, changes: Object) -> bool:
        """Merge changes into an object; False where there is none."""
        headers = {"Content-Type": "application/merge-patch+json"}
        response = self._http.patch(path, content=json.dumps(changes), headers=headers)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return False
        response.raise_for_status()
        return True

    def delete(self, path: str) -> bool:
        """Delete an object; False where there is none."""
        response = self._http.delete(path)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return False
        response.raise_for_status()
        return True

    def watch(self, path: str, seconds: int, since: str | None = None) -> Iterator[Object]:
        """Changes of a collection for `seconds`: after the version `since`, or with each present object first."""
        parameters = {"watch": "1", "timeoutSeconds": str(seconds)} | ({"resourceVersion": since} if since else {})
        with self._http.stream("GET", path, params=parameters, timeout=seconds + 10) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                yield cast("Object", json.loads(line))
