"""boto3 clients that can reach the embedded endpoint and nothing else."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from local.aws.provider.errors import ProviderError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

READY_WITHIN_SECONDS = 30.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Connection:
    """Where the endpoint is and as whom to speak to it; `endpoints` are URLs by service name."""

    endpoints: Mapping[str, str]
    region: str
    access_key: str
    secret_key: str


class Clients:
    """Clients by service and region, made when first needed: importing boto3 takes a third of a second."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._session: Any = None

    def s3(self, region: str | None = None) -> S3Client:
        return cast("S3Client", self._client("s3", region))

    def kms(self, region: str | None = None) -> KMSClient:
        return cast("KMSClient", self._client("kms", region))

    def iam(self) -> IAMClient:
        return cast("IAMClient", self._client("iam", None))

    def sts(self) -> Any:
        return self._client("sts", None)

    def _client(self, service: str, region: str | None) -> Any:
        where = (service, region or self.connection.region)
        with self._lock:
            if where not in self._made:
                self._made[where] = self._make(*where)
            return self._made[where]

    def _make(self, service: str, region: str) -> Any:
        endpoint = self.connection.endpoints.get(service)
        if endpoint is None:
            raise ProviderError(f"no endpoint for the service {service} is configured: set aws:endpoints")
        if not self._made:
            wait_until_answering(endpoint, READY_WITHIN_SECONDS)
        from botocore.config import Config

        config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"total_max_attempts": 4, "mode": "standard"},
            s3={"addressing_style": "path"},
            proxies={},
        )
        return self._own_session().client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=self.connection.access_key,
            aws_secret_access_key=self.connection.secret_key,
            config=config,
        )

    def _own_session(self) -> Any:
        if self._session is None:
            import boto3
            from botocore.session import Session

            # The user's own AWS files and profile must not matter here, not even when they are broken.
            variables: dict[str, Any] = {
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
            self._session = boto3.Session(botocore_session=Session(session_vars=variables))
        return self._session


def wait_until_answering(endpoint: str, within_seconds: float) -> None:
    """Return as soon as `endpoint` answers HTTP in any way; raises ProviderError when it does not in time."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            with contextlib.suppress(urllib.error.HTTPError):
                opener.open(f"{endpoint.rstrip('/')}/healthz", timeout=5).close()
        except OSError as error:
            if time.monotonic() >= deadline:
                reason = getattr(error, "reason", error)
                raise ProviderError(
                    f"the AWS endpoint {endpoint} did not answer within {within_seconds:g} s ({reason});"
                    " start the embedded environment with `make up`"
                ) from None
        else:
            return
        time.sleep(_POLL_SECONDS)
