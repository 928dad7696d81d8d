"""The way of every backup: a stream compressed, encrypted and uploaded, the manifest last; and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from runbook.ops_settings import BackupTarget
from scripts import log, progress
from scripts.backup import age, keys, signing, upload
from scripts.backup.age import PrivateKey
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Content, Encryption, Manifest, Package
from scripts.backup.pipeline import Counter, Meter, compress, decompress, metered
from scripts.backup.signing import SigningKey
from scripts.backup.source import Source
from scripts.clients.s3 import Bucket, ChangedError
from scripts.exits import UsageError

# No run lasts that long: an upload that was begun before is nobody's any more.
STALE: Final = timedelta(hours=24)


def opened(target: BackupTarget, kind: str) -> tuple[Bucket, str, SigningKey | None]:
    """The bucket for a new backup, the prefix of its kind, and the key that its manifest is signed with.

    Raises:
        UsageError: the public key is none, or the signing key or the bucket is not as it must be.
    """
    signer = signing.own_key(target, kind)
    if target.public_key:
        age.check(target.public_key)
    bucket, prefix = Bucket(target), keys.folder(target.prefix, kind)
    bucket.check(prefix)
    return bucket, prefix, signer


def data_name(target: BackupTarget, kind: str) -> str:
    """The name of a new backup's object."""
    return keys.DATA[kind] + (keys.ENCRYPTED if target.public_key else "")


def store(
    bucket: Bucket, target: BackupTarget, kind: str, backup: BackupId, chunks: Iterable[bytes], part_bytes: int
) -> Package:
    """Bring a stream into the bucket; encrypted where the settings name a public key. It has no manifest yet.

    Raises:
        OpsError: whatever ``chunks`` raises, or the bucket refuses. Nothing remains.
    """
    name = data_name(target, kind)
    plain = Counter()
    blocks = compress(progress.passing(chunks, "saving"), plain)
    if target.public_key:
        blocks = age.encrypt(blocks, target.public_key)
    stored = upload.upload(bucket, keys.key(target.prefix, kind, backup, name), blocks, part_bytes)
    return Package(
        object_name=name,
        uncompressed=Content(bytes=plain.bytes),
        stored=stored.digest,
        part_bytes=part_bytes,
        parts=stored.parts,
        encryption=Encryption(method="age", recipient=target.public_key) if target.public_key else None,
    )


def publish(bucket: Bucket, target: BackupTarget, manifest: Manifest, signer: SigningKey | None) -> None:
    """Write the manifest, signed by ``signer``: from now on the backup exists."""
    key = keys.key(target.prefix, manifest.folder, manifest.backup, keys.MANIFEST)
    text = manifest.text(key, signer)
    try:
        bucket.write_json(key, text)
    except ChangedError:
        # The answer to the first attempt was lost, and the second one found what the first had written.
        if bucket.read(key) != text.encode():
            raise
    log.info("backup complete", id=manifest.id, stored_bytes=manifest.stored.bytes, seconds=manifest.duration_seconds)


class Stored:
    """A backup's content, ready to be read."""

    def __init__(self, bucket: Bucket, target: BackupTarget, manifest: Manifest) -> None:
        """Look at the object, and read the private key where it is encrypted.

        Raises:
            UsageError: it is encrypted and the settings name no key, or the key of somebody else.
            CheckFailedError: the object is missing or of another size than its manifest says.
        """
        self._manifest = manifest
        self._key = _private_key(target, manifest)
        key = keys.key(target.prefix, manifest.folder, manifest.backup, manifest.object_name)
        self._source = Source(bucket, key, manifest)
        self.damaged = self._source.damaged

    def verify(self) -> None:
        """Read all of it once, and touch nothing.

        Raises:
            CheckFailedError: its SHA-256 is not the manifest's, or it cannot be decrypted.
        """
        stored = Meter()
        for _ in self._decrypted(metered(self._chunks("checking the object"), stored)):
            pass
        self._source.compare(stored)

    def content(self) -> Iterator[bytes]:
        """The stream that was saved; at its end SHA-256 and size have been compared.

        Raises:
            CheckFailedError: it is not what the manifest says.
        """
        saved = self._manifest.uncompressed
        stored = Meter()
        plain = Meter() if saved.sha256 else Counter()
        packed = self._decrypted(metered(self._chunks("restoring"), stored))
        yield from metered(decompress(packed, self.damaged), plain)
        self._source.compare(stored)
        sha256 = plain.digest().sha256 if isinstance(plain, Meter) else None
        if (plain.bytes, sha256) != (saved.bytes, saved.sha256):
            raise self.damaged("what is in it is not what the manifest says")

    def _chunks(self, what: str) -> Iterator[bytes]:
        return progress.passing(self._source.chunks(), what, self._manifest.stored.bytes)

    def _decrypted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        return chunks if self._key is None else self._key.decrypt(chunks, self.damaged)


def _private_key(target: BackupTarget, manifest: Manifest) -> PrivateKey | None:
    encryption = manifest.encryption
    if encryption is None:
        return None
    if target.private_key_file is None:
        raise UsageError(
            f"backup {manifest.id} is encrypted for {encryption.recipient} and the settings name no private key; "
            "give its file as backup.privateKeyFile"
        )
    key = PrivateKey.read(target.private_key_file)
    if key.public_key != encryption.recipient:
        raise UsageError(
            f"backup {manifest.id} is encrypted for {encryption.recipient} and {key.path} is the key of "
            f"{key.public_key}; nothing was touched, give the file of the right key as backup.privateKeyFile"
        )
    return key
