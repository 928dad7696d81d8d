"""Encryption for a public key (age, X25519), as a stream: whoever writes backups cannot read them.

The only module that knows ``pyrage``, which has no types. Its ``encrypt_io`` and ``decrypt_io`` read and write 64 KiB
at a time, so that memory does not grow with the stream; each of these pieces is authenticated, and the last one is
marked as the last.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import lazy, redact
from scripts.backup.stage import Inlet, Outlet, through
from scripts.exits import UsageError


def encrypt(chunks: Iterable[bytes], public_key: str) -> Iterator[bytes]:
    """``chunks`` encrypted for ``public_key``.

    Raises:
        UsageError: it is no age recipient.
    """
    recipient = _recipient(public_key)

    def work(inlet: Inlet, outlet: Outlet) -> None:
        lazy.pyrage.encrypt_io(inlet, outlet, [recipient])

    return through(chunks, work)


def check(public_key: str) -> None:
    """Raise ``UsageError`` unless ``public_key`` is an age recipient."""
    _recipient(public_key)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The private key of a file; ``public_key`` is what is encrypted for it."""

    path: str
    public_key: str
    _identity: Any = field(repr=False)

    @staticmethod
    def read(path: str) -> PrivateKey:
        """The key in a file as age-keygen writes it: one line ``AGE-SECRET-KEY-1...``, lines with ``#`` are comments.

        Raises:
            UsageError: the file cannot be read or holds no key.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise UsageError(f"cannot read the private key file {path}: {reason}") from None
        secret = next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
        for line in lines:
            redact.hide(None if line.startswith("#") else line)
        try:
            identity = lazy.pyrage.x25519.Identity.from_str(secret)
        except lazy.pyrage.IdentityError:
            raise UsageError(f"the private key file {path} holds no age key (AGE-SECRET-KEY-1...)") from None
        return PrivateKey(path, str(identity.to_public()), identity)

    def decrypt(self, chunks: Iterable[bytes], damaged: Callable[[str], Exception]) -> Iterator[bytes]:
        """What was encrypted.

        Raises:
            damaged(reason): truncated, altered, or for somebody else.
        """

        def work(inlet: Inlet, outlet: Outlet) -> None:
            try:
                lazy.pyrage.decrypt_io(inlet, outlet, [self._identity])
            except (lazy.pyrage.DecryptError, OSError) as error:
                raise damaged(f"it cannot be decrypted: {error}") from None

        return through(chunks, work)

    def seal(self, purpose: str, content: bytes) -> str:
        """HMAC-SHA-256 of ``content`` in hexadecimal, under a key that is derived from this one for ``purpose``.

        Only who holds the private key can make or check it.
        """
        secret = hmac.new(str(self._identity).encode(), f"crypto-operations {purpose}".encode(), hashlib.sha256)
        return hmac.new(secret.digest(), content, hashlib.sha256).hexdigest()


def _recipient(public_key: str) -> Any:
    try:
        return lazy.pyrage.x25519.Recipient.from_str(public_key)
    except lazy.pyrage.RecipientError:
        raise UsageError(f"backup.publicKey is {public_key!r}, which is no age recipient (age1...)") from None
