"""The backup bucket."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, cast

from runbook.ops_settings import BackupTarget
from scripts import lazy, log, redact
from scripts.clients import tls
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError
from scripts.output import one_line

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# botocore's own retries, with growing waits: throttling, 5xx and broken connections pass without the run failing.
_ATTEMPTS: Final = 6
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60
# What a request and the whole seconds of an answer's date may make of two clocks that agree.
_SKEW: Final = timedelta(minutes=1)
# Of an answer that is no error of S3's, as a proxy's page.
_SHOWN: Final = 300
# S3's own say where the bucket is, and botocore follows them.
_REDIRECTS: Final = ("PermanentRedirect", "TemporaryRedirect")

_WRONG: Final = frozenset(
    {
        "AccessDenied", "403", "NoSuchBucket", "AllAccessDisabled", "InvalidBucketName",
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
        "PermanentRedirect", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "NotImplemented",
        "AccountProblem", "IllegalLocationConstraintException", "MethodNotAllowed", "TokenRefreshRequired",
    }
)  # fmt: skip
_TEMPORARY: Final = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestLimitExceeded",
        "NoSuchUpload",
        "OperationAborted",
    }
)


class NotFoundError(CheckFailedError):
    """There is no object of that key."""


class ChangedError(CheckFailedError):
    """The object is no longer the one that was looked at."""


class Bucket:
    """The bucket of the backups. Every method raises ``OpsError`` with the bucket and the key in its line."""

    def __init__(self, target: BackupTarget, *, seconds: float | None = None) -> None:
        """The bucket of ``target``.

        With ``seconds`` each request may take so long and is not repeated; without, it is patient.
        """
        # boto3 has botocore make its clients, and loads a manager of transfers besides: a tenth of a second of every
        # start, for what a stream cannot use.
        self.name = target.bucket
        config = lazy.botocore.config.Config(
            region_name=target.region,
            retries={"mode": "standard", "max_attempts": 1 if seconds else _ATTEMPTS},
            connect_timeout=seconds or _CONNECT_SECONDS,
            read_timeout=seconds or _READ_SECONDS,
            # A body is vouched for by the checksum among the signed headers, as is boto3's way over TLS: its SHA-256
            # besides would be one more pass over every byte.
            s3={"addressing_style": "path" if target.endpoint else "auto", "payload_signing_enabled": False},
            user_agent_extra="crypto-operations",
        )
        with self.errors(""):
            session = lazy.botocore.session.Session()
            _log_in(session)
            self.client = cast("S3Client", session.create_client("s3", endpoint_url=target.endpoint, config=config))
        # botocore looks for the region of a bucket in any redirection, without end.
        self.client.meta.events.register("response-received.s3", self._refuse_redirect)

    def _refuse_redirect(self, response_dict: Any = None, parsed_response: Any = None, **_: Any) -> None:
        if response_dict is None or not 300 <= response_dict["status_code"] < 400:
            return
        headers, parsed = response_dict["headers"], cast("dict[str, Any]", parsed_response or {})
        if "x-amz-bucket-region" in headers or parsed.get("Error", {}).get("Code") in _REDIRECTS:
            return
        raise UsageError(
            f"s3://{self.name}/: the endpoint answers {response_dict['status_code']} and leads to "
            f"{one_line(headers.get('location', 'nowhere'))[:_SHOWN]}; give backup.endpoint the address of S3 itself"
        )

    @contextmanager
    def errors(self, key: str) -> Generator[None]:
        """Turn errors of boto3 into errors of this program."""
        where = f"s3://{self.name}/{key}"
        try:
            yield
        except lazy.botocore.exceptions.ClientError as error:
            raise _client_error(error.response, where) from None
        except lazy.botocore.exceptions.BotoCoreError as error:
            raise _local_error(error, where) from None

    def keys(self, prefix: str) -> list[str]:
        """All keys below ``prefix``, sorted."""
        return sorted(self.etags(prefix))

    def etags(self, prefix: str) -> dict[str, str]:
        """All keys below ``prefix`` with their ETags: an object that is written anew has another."""
        with self.errors(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            found = (item for page in pages for item in self._listed(page).get("Contents", []))
            return {item["Key"]: item.get("ETag", "") for item in found if "Key" in item}

    def _listed(self, page: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of a list. Without its flag another server answers, whose page botocore takes for an empty bucket."""
        if "IsTruncated" not in page:
            raise UsageError(
                f"s3://{self.name}/: the endpoint answers, and not as S3 does; give backup.endpoint the address of S3"
            )
        return page

    def read(self, key: str) -> bytes:
        """A small object, whole.

        Raises:
            NotFoundError: there is none.
        """
        with self.errors(key):
            return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def write_json(self, key: str, text: str) -> None:
        """Create an object; one that exists already is never overwritten."""
        self._put_json(key, text, IfNoneMatch="*")

    def replace_json(self, key: str, text: str) -> None:
        """Create an object, or a new version of one that exists."""
        self._put_json(key, text)

    def _put_json(self, key: str, text: str, **condition: str) -> None:
        json.loads(text)
        given: dict[str, Any] = {"ContentType": "application/json", "ChecksumAlgorithm": "SHA256", **condition}
        with self.errors(key):
            self.client.put_object(Bucket=self.name, Key=key, Body=text.encode(), **given)

    def locked_until(self, key: str) -> str | None:
        """What holds an object against deletion (object lock, legal hold), in words; None: nothing.

        Raises:
            NotFoundError: there is none.
        """
        with self.errors(key):
            head = cast("Mapping[str, Any]", self.client.head_object(Bucket=self.name, Key=key))
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            return "under legal hold"
        until = head.get("ObjectLockRetainUntilDate")
        if until is None or until <= datetime.now(UTC):
            return None
        return f"locked until {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def delete(self, key: str) -> None:
        """Delete an object; in a versioned bucket its versions stay for as long as the lifecycle says."""
        with self.errors(key):
            self.client.delete_object(Bucket=self.name, Key=key)

    def tags(self, key: str) -> dict[str, str]:
        """The tags of an object.

        Raises:
            NotFoundError: there is none.
        """
        with self.errors(key):
            found = self.client.get_object_tagging(Bucket=self.name, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def set_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of an object."""
        with self.errors(key):
            pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
            self.client.put_object_tagging(Bucket=self.name, Key=key, Tagging={"TagSet": pairs})  # pyright: ignore[reportArgumentType]

    def now(self, prefix: str) -> datetime:
        """The bucket's own time: it dates the objects, and does not jump with the clock of this machine.

        Raises:
            OpsError: the bucket does not answer, or may not be listed.
        """
        here = datetime.now(UTC)
        with self.errors(prefix):
            answer = self._listed(self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1))
        stamp = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if stamp is None:
            return here
        there = parsedate_to_datetime(stamp).astimezone(UTC)
        if abs(there - here) > _SKEW:
            log.warning("the clock of this machine is wrong", here=here.isoformat(), bucket=there.isoformat())
        return there

    def describe(self, key: str) -> tuple[int, str]:
        """Size in bytes and ETag of an object.

        Raises:
            NotFoundError: there is none.
        """
        with self.errors(key):
            head = self.client.head_object(Bucket=self.name, Key=key)
            return head["ContentLength"], head["ETag"]

    def check(self, prefix: str) -> None:
        """Raise unless the bucket answers and may be listed."""
        with self.errors(prefix):
            self._listed(self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1))


def _log_in(session: Any) -> None:
    try:
        credentials = session.get_credentials()
        if credentials is None:
            raise UsageError(
                "no AWS credentials: run with a role (web identity) or name a file in AWS_SHARED_CREDENTIALS_FILE"
            )
        frozen = credentials.get_frozen_credentials()
    except OSError as error:
        raise UsageError(f"the AWS credentials cannot be read: {error}") from None
    redact.hide(frozen.secret_key)
    redact.hide(frozen.token)


def _client_error(response: Any, where: str) -> OpsError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = one_line(str(response.get("Error", {}).get("Message", "")))[:_SHOWN]
    text = f"{where}: {code or status} {message}".rstrip()
    if code in _WRONG:
        return UsageError(text)
    if code in ("NoSuchKey", "404", "NoSuchVersion"):
        return NotFoundError(f"{where} does not exist")
    if code in ("PreconditionFailed", "412"):
        return ChangedError(f"{where} is no longer the object that was looked at, or exists already")
    if code in _TEMPORARY or status == 429 or status >= 500:
        return TemporaryError(text)
    return CheckFailedError(text)


def _local_error(error: Exception, where: str) -> OpsError:
    exceptions = lazy.botocore.exceptions
    text = f"{where}: {one_line(str(error))}"
    if isinstance(error, exceptions.SSLError) and _is_final(error):
        return UsageError(f"{text}; check the endpoint and AWS_CA_BUNDLE")
    # What a server has part in; botocore's other errors are about what it was given.
    passing = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
    )
    return TemporaryError(text) if isinstance(error, passing) else UsageError(text)


def _is_final(error: BaseException | None) -> bool:
    """Whether TLS failed for a reason that stays, which may be that there is no such file of authorities."""
    if tls.mistaken(error):
        return True
    while error is not None:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            return True
        error = error.__cause__ or error.__context__
    return False
