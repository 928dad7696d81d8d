"""Signatures (Ed25519) of manifests, proofs and indexes: a role that may write into the bucket forges none of them.

The signature stands in the document itself, so that one upload writes both. Signed are the key that the document lies
under, without the bucket, and its JSON without the signature: a signed document under another key is a forgery. A copy
of the bucket under another name keeps its signatures.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runbook.ops_settings import BackupTarget
from scripts import lazy, redact
from scripts.exits import CheckFailedError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# Says what is signed: no other use of the same key makes a signature that holds here.
_PURPOSE: Final = "crypto-operations: a document in the backup bucket"
_FIELD: Final = "signature"
_MAKE: Final = "openssl genpkey -algorithm ed25519"


class ForgedError(CheckFailedError):
    """A document has a signature that does not hold."""


class UnsignedError(CheckFailedError):
    """A manifest has no signature, and the settings say who signs."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private key of a signer; ``public_key`` is what the settings call it by (base64 of its 32 bytes)."""

    public_key: str
    _private: Ed25519PrivateKey = field(repr=False)

    @staticmethod
    def read(path: str) -> SigningKey:
        """The key in a file in PEM, as openssl writes it.

        Raises:
            UsageError: the file cannot be read or holds no private key of Ed25519.
        """
        library = lazy.cryptography.hazmat.primitives
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the signing key {path}: {error.strerror}") from None
        for line in content.decode(errors="replace").splitlines():
            redact.hide(None if line.startswith("-----") else line)
        try:
            key = library.serialization.load_pem_private_key(content, None)
        except (ValueError, TypeError, lazy.cryptography.exceptions.UnsupportedAlgorithm):
            key = None
        if not isinstance(key, library.asymmetric.ed25519.Ed25519PrivateKey):
            raise UsageError(f"the signing key {path} holds no private key of Ed25519 in PEM; make one: {_MAKE}")
        return SigningKey(base64.b64encode(key.public_key().public_bytes_raw()).decode(), key)

    def signed(self, document: Mapping[str, Any], key: str) -> dict[str, Any]:
        """``document`` with its signature; it is to lie under ``key`` in the bucket."""
        value = base64.b64encode(self._private.sign(_message(document, key))).decode()
        return {**document, _FIELD: {"publicKey": self.public_key, "value": value}}


def own_key(target: BackupTarget, name: str) -> SigningKey | None:
    """The key of a signer (``postgres``, ``redis``, ``resources``, ``verify``); None where nothing is signed.

    Raises:
        UsageError: its file is not readable here, or is not the key of one of the signer's public keys.
    """
    if target.signers is None:
        return None
    signer = target.signers.by_name[name]
    key = SigningKey.read(signer.private_key_file)
    if key.public_key not in signer.public_keys:
        raise UsageError(
            f"the signing key {signer.private_key_file} is that of {key.public_key}, which is not in "
            f"backup.signers.{name}; add it there before the key is used"
        )
    return key


def trusted(target: BackupTarget, *names: str) -> Mapping[str, tuple[str, ...]]:
    """The public keys of these signers; none where nothing is signed."""
    return {} if target.signers is None else {name: target.signers.by_name[name].public_keys for name in names}


def problem(content: bytes, key: str, public_keys: Collection[str]) -> str | None:
    """Why a signed document is not genuine, in words; None: one of ``public_keys`` has signed it.

    ``content`` must be JSON.
    """
    plain: Any = json.loads(content)
    try:
        public_key, value = str(plain[_FIELD]["publicKey"]), str(plain[_FIELD]["value"])
    except (KeyError, TypeError):
        return "it is not signed"
    if public_key not in public_keys:
        return f"it is signed by {public_key[:64]!r}, which signs nothing here ({', '.join(public_keys)} do)"
    verifier = lazy.cryptography.hazmat.primitives.asymmetric.ed25519.Ed25519PublicKey
    try:
        signature = base64.b64decode(value, validate=True)
        verifier.from_public_bytes(base64.b64decode(public_key)).verify(signature, _message(plain, key))
    except (ValueError, lazy.cryptography.exceptions.InvalidSignature):
        return "its signature is wrong: it was altered, or is that of another object"
    return None


def _message(document: Mapping[str, Any], key: str) -> bytes:
    """What is signed. JSON in one form, because what is read back from the bucket is values and not bytes."""
    plain = {name: value for name, value in document.items() if name != _FIELD}
    return f"{_PURPOSE}\n{key}\n{json.dumps(plain, sort_keys=True, separators=(',', ':'))}".encode()
