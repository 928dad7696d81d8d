"""The stored object as a stream that survives broken connections and is never taken for another object."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from scripts import lazy, log
from scripts.backup.manifest import Manifest
from scripts.backup.pipeline import CHUNK_BYTES, Meter
from scripts.clients.s3 import Bucket, NotFoundError
from scripts.exits import CheckFailedError, TemporaryError

# Connections that may break in a row without a byte between them.
_MOST_FAILURES: Final = 5


class DamagedError(CheckFailedError):
    """The stored object is not what its manifest says."""


class Source:
    """A backup's object, pinned to the version that was looked at first."""

    def __init__(self, bucket: Bucket, key: str, manifest: Manifest) -> None:
        """Look at the object.

        Raises:
            CheckFailedError: it is missing or of another size than its manifest says.
        """
        self._bucket = bucket
        self._key = key
        self._manifest = manifest
        try:
            found, self._etag = bucket.describe(key)
        except NotFoundError:
            raise self.damaged("it is missing") from None
        if found != manifest.stored.bytes:
            raise self.damaged(f"it has {found} bytes and the manifest says {manifest.stored.bytes}")

    def verify(self) -> None:
        """Read all of it once, and touch nothing.

        Raises:
            CheckFailedError: its SHA-256 is not the manifest's.
        """
        meter = Meter()
        for chunk in self.chunks():
            meter.update(chunk)
        self.compare(meter)

    def compare(self, meter: Meter) -> None:
        """Raise unless what ``meter`` saw is the object of the manifest."""
        if meter.digest() != self._manifest.stored:
            raise self.damaged(
                f"its SHA-256 is {meter.digest().sha256} and the manifest says {self._manifest.stored.sha256}"
            )

    def chunks(self) -> Iterator[bytes]:
        """The object's bytes; a broken connection is taken up where it broke."""
        offset, failures = 0, 0
        while offset < self._manifest.stored.bytes:
            try:
                for chunk in self._range(offset):
                    offset, failures = offset + len(chunk), 0
                    yield chunk
            except TemporaryError as error:
                failures += 1
                if failures > _MOST_FAILURES:
                    raise
                log.warning("connection broke, going on", key=self._key, offset=offset, reason=str(error))
                time.sleep(min(2.0**failures / 10, 5))

    def _range(self, offset: int) -> Iterator[bytes]:
        with self._bucket.errors(self._key):
            body = self._bucket.client.get_object(
                Bucket=self._bucket.name, Key=self._key, Range=f"bytes={offset}-", IfMatch=self._etag
            )["Body"]
            try:
                while chunk := body.read(CHUNK_BYTES):
                    yield chunk
            except lazy.botocore.exceptions.IncompleteReadError as error:
                raise TemporaryError(f"{self._key}: {error}") from None
            finally:
                body.close()

    def damaged(self, reason: str) -> DamagedError:
        """The error for content that cannot be read."""
        return DamagedError(
            f"backup {self._manifest.id} is damaged: s3://{self._bucket.name}/{self._key}: {reason}; "
            "nothing was touched, choose another with --id"
        )
