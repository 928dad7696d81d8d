"""JSON web tokens (HS256) with an overlap: the previous secret still verifies while a rotation runs."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any, Final

from .errors import DependencyError, HttpError

LIFETIME_SECONDS: Final = 3600
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(signed: str, secret: bytes) -> bytes:
    return hmac.new(secret, signed.encode(), hashlib.sha256).digest()


class Tokens:
    """Signs and verifies; the files are read each time, so that a mounted secret may change under a running service."""

    def __init__(self, secret_file: Path | None, previous_file: Path | None = None) -> None:
        self._secret_file = secret_file
        self._previous_file = previous_file

    def check(self) -> None:
        """Raises `DependencyError` when there is no secret to sign with."""
        self._secret()

    def sign(self, subject: str) -> str:
        """A token for `subject`, valid for an hour."""
        claims = {"sub": subject, "exp": int(time.time()) + LIFETIME_SECONDS}
        signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, claims))
        return f"{signed}.{_encode(_signature(signed, self._secret()))}"

    def verify(self, token: str) -> str:
        """The token's subject.

        Raises:
            HttpError: 401 when it is malformed, expired or signed with another secret.
        """
        try:
            signed, _, given = token.rpartition(".")
            header, claims = (self._object(part) for part in signed.split("."))
            signature = _decode(given)
        except ValueError as error:
            raise HttpError(401, "not a token") from error
        if header.get("alg") != _HEADER["alg"] or not any(
            hmac.compare_digest(signature, _signature(signed, secret)) for secret in self._accepted()
        ):
            raise HttpError(401, "signature does not match")
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
            raise HttpError(401, "token has expired")
        return str(claims.get("sub"))

    @staticmethod
    def _object(part: str) -> dict[str, Any]:
        value = json.loads(_decode(part))
        if not isinstance(value, dict):
            raise ValueError("not an object")  # noqa: TRY004 - like every other flaw of a token
        return value  # pyright: ignore[reportUnknownVariableType]

    def _accepted(self) -> list[bytes]:
        previous = self._previous_file
        older = [previous.read_bytes().strip()] if previous is not None and previous.is_file() else []
        return [self._secret(), *(secret for secret in older if secret)]

    def _secret(self) -> bytes:
        try:
            secret = self._secret_file.read_bytes().strip() if self._secret_file else b""
        except OSError as error:
            raise DependencyError("jwt-secret", "the file cannot be read") from error
        if not secret:
            raise DependencyError("jwt-secret", "JWT_SECRET_FILE names no file with a secret")
        return secret
