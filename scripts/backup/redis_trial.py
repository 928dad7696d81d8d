"""A Redis backup restored up to the swap, in the throwaway server that has loaded it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runbook.ops_settings import OpsSettings
from scripts.backup import redis_copy, redis_scratch, redis_staging
from scripts.backup.manifest import RedisManifest
from scripts.backup.result import Result
from scripts.clients.s3 import Bucket


def run(settings: OpsSettings, bucket: Bucket, manifest: RedisManifest, scratch: Path | None) -> Result:
    """Load it into a throwaway server and restore it there.

    Raises:
        CheckFailedError: the object is damaged, or what comes back is not what is in it.
        UsageError: there is no throwaway server, or it is not as it must be.
    """
    with redis_scratch.loaded(settings, bucket, manifest, scratch) as source:
        with source.connect() as client:
            last = redis_staging.databases(client).last
        with source.connect(last) as client:
            staging = redis_staging.claim(client, [space.index for space in source.spaces])
            redis_copy.copy(source, staging, manifest, keep=False)
            untyped: Any = client
            untyped.function_restore(source.functions, "FLUSH")
            staging.release()
        return Result(source.method, source.counts, ("keys of each database",), source.digests)
