"""Moto's backends to bytes and back: what pickle cannot do by itself with object bodies, locks and private keys."""

from __future__ import annotations

import copyreg
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.s3.models import FakeKey
from moto.s3.utils import _VersionedKeyStore  # pyright: ignore[reportPrivateUsage]

from local.aws.bodies import BodyStore, StoredBody

_LOCK_TYPES: dict[type, Callable[[], Any]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}


def open_body(digest: str, size: int) -> StoredBody:
    """Stands in a pickle for "the stored body `digest`"; only `_Reader` can resolve it, because it knows the store."""
    raise pickle.UnpicklingError(f"no store to open the body {digest} of {size} bytes from")


def load_private_key(pem: bytes) -> PrivateKeyTypes:
    """The key that `_Writer` wrote as PKCS #8."""
    return serialization.load_pem_private_key(pem, password=None)


def restore_key(key: Any, state: dict[str, Any]) -> None:
    """Fill a bare moto ``FakeKey``; its own ``__setstate__`` would copy the body into memory."""
    key.__dict__.update(state)
    key.lock = threading.Lock()


def restore_versions(store: dict[str, list[Any]], versions: dict[str, list[Any]]) -> None:
    """Fill an empty moto key store; its own ``__setitem__`` would append each list as one more version."""
    dict[str, list[Any]].update(store, versions)


def dump_state(state: object, bodies: BodyStore) -> tuple[bytes, set[str]]:
    """Pickle `state` and return it with the digests of the bodies it refers to.

    Bodies that are not stored yet move into `bodies` and out of memory on the way.
    """
    target = io.BytesIO()
    writer = _Writer(target, bodies)
    writer.dump(state)
    return target.getvalue(), writer.digests


def load_state(payload: bytes, bodies: BodyStore) -> Any:
    """The inverse of `dump_state`; raises whatever pickle raises for bytes that it did not write."""
    return _Reader(io.BytesIO(payload), bodies).load()


class _Writer(pickle.Pickler):
    def __init__(self, target: io.BytesIO, bodies: BodyStore) -> None:
        super().__init__(target, protocol=5)
        self._bodies = bodies
        self.digests: set[str] = set()
        self._reducers: dict[type, Callable[[Any], Any]] = {
            FakeKey: self._reduce_key,
            StoredBody: self._reduce_body,
            _VersionedKeyStore: _reduce_versions,
            RSAPrivateKey: _reduce_signing_key,
            ECDSAPrivateKey: _reduce_signing_key,
        }

    def reducer_override(self, obj: Any, /) -> Any:
        kind: type = type(obj)  # pyright: ignore[reportUnknownVariableType]
        reducer = self._reducers.get(kind)
        if reducer is not None:
            return reducer(obj)
        lock = _LOCK_TYPES.get(kind)
        return NotImplemented if lock is None else (lock, ())

    def _reduce_key(self, key: Any) -> Any:
        state = dict(key.__dict__)
        del state["lock"]
        state["_value_buffer"] = self._stored(key)
        # copyreg has __newobj__, typeshed does not.
        return copyreg.__newobj__, (FakeKey,), state, None, None, restore_key  # type: ignore[attr-defined] - see above

    def _stored(self, key: Any) -> StoredBody:
        buffer: Any = key._value_buffer  # noqa: SLF001 - moto has no other way to its bodies
        if isinstance(buffer, StoredBody) and buffer.digest is not None:
            return buffer
        source: Any = io.BytesIO() if buffer.closed else buffer
        stored = self._bodies.keep(source)
        with key.lock:
            key._value_buffer = stored  # noqa: SLF001 - as above
        buffer.close()
        return stored

    def _reduce_body(self, body: StoredBody) -> Any:
        if body.digest is None:
            raise pickle.PicklingError("a body that is being written cannot be part of a snapshot")
        self.digests.add(body.digest)
        return open_body, (body.digest, body.size)


def _reduce_versions(store: dict[str, list[Any]]) -> Any:
    # As a dict subclass it would be pickled through its items(), which show the latest version of each key only.
    return _VersionedKeyStore, (), dict(dict[str, list[Any]].items(store)), None, None, restore_versions


def _reduce_signing_key(key: Any) -> Any:
    state = dict(key.__dict__)
    pem = state.pop("private_key").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return restore_signing_key, (type(key), pem, state)


def restore_signing_key(kind: type, pem: bytes, state: dict[str, Any]) -> Any:
    """A moto KMS key pair of class `kind`, without generating a new one."""
    key: object = object.__new__(cast("type[object]", kind))
    vars(key).update(state, private_key=load_private_key(pem))
    return key


class _Reader(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, bodies: BodyStore) -> None:
        super().__init__(source)
        self._bodies = bodies

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == (__name__, open_body.__name__):
            return self._bodies.open
        return super().find_class(module_name, global_name)
