"""Small documents in the bucket that several may write: nobody overwrites what he has not read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from runbook.ops_settings import OpsSettings
from scripts import lazy
from scripts.clients.s3 import Bucket, ChangedError, NotFoundError
from scripts.exits import TemporaryError

_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Document:
    """A document's text and the version that was read."""

    text: str
    version: str


class Store(Protocol):
    """Where documents are kept. Every method raises ``OpsError``."""

    def where(self, name: str = "") -> str:
        """The address of a document, for messages."""
        ...

    def names(self) -> list[str]:
        """All names, sorted."""
        ...

    def read(self, name: str) -> Document | None:
        """The document, None when there is none."""
        ...

    def write(self, name: str, text: str, version: str | None) -> None:
        """Put ``text`` in the place of ``version``; None stands for "there is none yet".

        Raises:
            ChangedError: somebody else has written meanwhile.
        """
        ...

    def attach(self, name: str, path: Path) -> None:
        """Put a file beside the documents."""
        ...


def change(store: Store, name: str, edit: Callable[[str | None], str | None]) -> str | None:
    """Write what ``edit`` makes of the present text, again from the start when somebody else was faster.

    ``edit`` gets None where there is no document, and returns None to leave everything as it is.

    Raises:
        TemporaryError: others were faster again and again.
    """
    for _ in range(_ATTEMPTS):
        found = store.read(name)
        text = edit(None if found is None else found.text)
        if text is None or (found is not None and text == found.text):
            return text
        try:
            store.write(name, text, None if found is None else found.version)
        except ChangedError:
            continue
        return text
    raise TemporaryError(f"{store.where(name)} is being written by others; run it again")


class Documents:
    """The documents below a folder of the backup prefix, like ``incidents/``: a ``Store`` in the bucket."""

    def __init__(self, settings: OpsSettings, folder: str, *, seconds: float | None = None) -> None:
        self._bucket = Bucket(settings.backup, seconds=seconds)
        self._start = settings.backup.prefix + folder

    def where(self, name: str = "") -> str:
        return f"s3://{self._bucket.name}/{self._start}{name}"

    def names(self) -> list[str]:
        return [key[len(self._start) :] for key in self._bucket.keys(self._start)]

    def read(self, name: str) -> Document | None:
        key = self._start + name
        try:
            with self._bucket.errors(key):
                found = self._bucket.client.get_object(Bucket=self._bucket.name, Key=key)
                return Document(found["Body"].read().decode("utf-8", "replace"), found["ETag"])
        except NotFoundError:
            return None

    def write(self, name: str, text: str, version: str | None) -> None:
        try:
            self._put(self._start + name, text.encode(), version)
        except ChangedError:
            # A repeated request meets what its first attempt has written: that is no conflict.
            found = self.read(name)
            if found is None or found.text != text:
                raise

    def attach(self, name: str, path: Path) -> None:
        key = self._start + name
        with self._bucket.errors(key), path.open("rb") as content:
            self._bucket.client.put_object(Bucket=self._bucket.name, Key=key, Body=content, ChecksumAlgorithm="SHA256")

    def _put(self, key: str, content: bytes, version: str | None) -> None:
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        with self._bucket.errors(key):
            try:
                self._bucket.client.put_object(
                    Bucket=self._bucket.name, Key=key, Body=content, ChecksumAlgorithm="SHA256", **condition
                )
            except lazy.botocore.exceptions.ClientError as error:
                code = str(error.response.get("Error", {}).get("Code"))
                if code == "ConditionalRequestConflict":
                    raise ChangedError(f"s3://{self._bucket.name}/{key} is being written by somebody else") from None
                if code != "NotImplemented":
                    raise
                self._put_checked(key, content, version)

    def _put_checked(self, key: str, content: bytes, version: str | None) -> None:
        """For stores that do not know conditions: look, then write. A writer in between is not noticed."""
        try:
            found = self._bucket.describe(key)[1]
        except NotFoundError:
            found = None
        if found != version:
            raise ChangedError(f"s3://{self._bucket.name}/{key} is no longer the object that was looked at")
        self._bucket.client.put_object(Bucket=self._bucket.name, Key=key, Body=content, ChecksumAlgorithm="SHA256")
