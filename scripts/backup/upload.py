"""A multipart upload of a stream: nothing is visible in the bucket before ``complete``."""

from __future__ import annotations

import base64
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from scripts import log
from scripts.backup.manifest import Digest
from scripts.backup.parts import MOST_PARTS
from scripts.backup.pipeline import Meter
from scripts.clients import background
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, OpsError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# Parts on their way at once: the next one fills while these travel. With them memory is (this + 1) parts.
_IN_FLIGHT: Final = 2
# What those may still take once the upload has failed; a bucket that never answers must not keep the process.
_SETTLE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What was uploaded."""

    digest: Digest
    parts: int


def upload(bucket: Bucket, key: str, blocks: Iterable[bytes], part_bytes: int) -> Stored:
    """Upload ``blocks`` as one object; S3 checks the CRC-32 of every part, the manifest has the SHA-256 of all.

    When anything raises, the blocks included, the upload is aborted and nothing remains.

    Raises:
        OpsError: S3 refuses or does not answer.
    """
    # A signal may come while the bucket begins the upload, which goes on: only with its id can it be aborted.
    begun: Future[str] = Future()
    try:
        background.start("begin-upload", partial(_begin, bucket, key), begun)
        meter = Meter()
        parts = _Parts(bucket, key, begun.result())
        try:
            for body in parts_of(blocks, part_bytes, meter):
                parts.send(body)
            done = parts.finish()
        finally:
            parts.settle()
        with bucket.errors(key):
            bucket.client.complete_multipart_upload(
                Bucket=bucket.name, Key=key, UploadId=begun.result(), MultipartUpload={"Parts": done}
            )
    except BaseException:
        wait([begun], timeout=_SETTLE_SECONDS)
        if begun.done() and not begun.exception():
            _abort(bucket, key, begun.result())
        raise
    return Stored(meter.digest(), len(done))


def _begin(bucket: Bucket, key: str) -> str:
    with bucket.errors(key):
        return bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key, ChecksumAlgorithm="CRC32")["UploadId"]


def parts_of(blocks: Iterable[bytes], part_bytes: int, meter: Meter) -> Iterator[bytearray]:
    """``blocks`` cut into parts of exactly ``part_bytes``, the last as long as the rest.

    An empty stream is one empty part. Each part fills in its place: joined from pieces, it would be there twice.
    """
    part, sent = bytearray(), False
    for block in blocks:
        meter.update(block)
        rest = memoryview(block)
        while len(part) + len(rest) >= part_bytes:
            cut = part_bytes - len(part)
            part += rest[:cut]
            rest = rest[cut:]
            yield part
            # No name may hold it any longer: who took it lets it go when it has arrived.
            part, sent = bytearray(), True
        part += rest
    if part or not sent:
        yield part


def abort_stale(bucket: Bucket, prefix: str, limit: datetime | None = None) -> int:
    """Abort unfinished uploads below ``prefix``, or those begun before ``limit`` by the bucket's time; how many.

    Who holds the lock of the kind knows that whoever began them is dead, however young they are.
    """
    with bucket.errors(prefix):
        pages = bucket.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket.name, Prefix=prefix)
        found = [
            (item.get("Key", ""), item.get("UploadId", ""))
            for page in pages
            for item in page.get("Uploads", [])
            if limit is None or item.get("Initiated", limit) <= limit
        ]
    for key, upload_id in found:
        log.warning("aborting what an earlier run left behind", key=key)
        _abort(bucket, key, upload_id)
    return len(found)


class _Parts:
    """Sends parts with a bounded number on their way."""

    def __init__(self, bucket: Bucket, key: str, upload_id: str) -> None:
        self.count = 0
        self._bucket = bucket
        self._key = key
        self._upload_id = upload_id
        self._running: deque[Future[CompletedPartTypeDef]] = deque()
        self._done: list[CompletedPartTypeDef] = []

    def send(self, body: bytearray) -> None:
        """Send a part; waits while enough are on their way."""
        if self.count == MOST_PARTS:
            raise CheckFailedError(
                f"{self._key}: the stream is more than twice as large as was expected and needs too many parts"
            )
        while len(self._running) >= _IN_FLIGHT:
            self._done.append(self._running.popleft().result())
        self.count += 1
        self._running.append(background.start(f"part-{self.count}", partial(self._send, self.count, body)))

    def finish(self) -> list[CompletedPartTypeDef]:
        """Wait for all parts; their receipts in order."""
        while self._running:
            self._done.append(self._running.popleft().result())
        return self._done

    def settle(self) -> None:
        """Let those on their way arrive before the upload is aborted: later ones would stay in the bucket, unseen."""
        wait(self._running, timeout=_SETTLE_SECONDS)

    def _send(self, number: int, body: bytearray) -> CompletedPartTypeDef:
        checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        with self._bucket.errors(self._key):
            answer = self._bucket.client.upload_part(
                Bucket=self._bucket.name,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=number,
                # The client takes it, its stubs do not say so.
                Body=cast("bytes", body),
                ChecksumAlgorithm="CRC32",
                ChecksumCRC32=checksum,
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": checksum}


def _abort(bucket: Bucket, key: str, upload_id: str) -> None:
    try:
        with bucket.errors(key):
            bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload_id)
    except OpsError as error:
        # The bucket's lifecycle rule removes it; until then it is invisible.
        log.warning("could not abort the upload", key=key, reason=str(error))
