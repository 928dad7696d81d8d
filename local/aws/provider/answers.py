"""What AWS says when something does not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

_T = TypeVar("_T")


def code_of(error: ClientError) -> str:
    """The error code of an AWS answer, such as ``NoSuchBucket``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def unless_missing(call: Callable[[], _T], *missing: str) -> _T | None:
    """The result of `call`, or None when AWS answers with one of the error codes `missing`."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in missing:
            return None
        raise
