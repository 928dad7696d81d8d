"""Streams: encryption for a public key, and steps in threads of their own."""

from __future__ import annotations

import importlib
import itertools
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.backup import age, stage
from scripts.backup.age import PrivateKey
from scripts.backup.stage import Inlet, Outlet
from scripts.exits import CheckFailedError, UsageError

pyrage: Any = importlib.import_module("pyrage")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return _key(tmp_path_factory.mktemp("key") / "identity")


def _key(path: Path) -> PrivateKey:
    path.write_text(f"# created: today\n{pyrage.x25519.Identity.generate()}\n")
    return PrivateKey.read(str(path))


@given(blocks=st.lists(st.binary(max_size=70_000), max_size=6))
def test_what_is_encrypted_comes_back_only_with_the_key(key: PrivateKey, blocks: list[bytes]) -> None:
    sealed = b"".join(age.encrypt(blocks, key.public_key))

    assert sealed.startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert b"".join(key.decrypt([sealed[:100], sealed[100:]], CheckFailedError)) == b"".join(blocks)


def test_what_was_truncated_or_altered_is_never_taken_for_the_whole(key: PrivateKey) -> None:
    sealed = b"".join(age.encrypt([b"x" * 200_000], key.public_key))
    header = len(sealed) - 200_000 - 4 * 16 - 16
    altered = sealed[:-1000] + bytes([sealed[-1000] ^ 1]) + sealed[-999:]

    # The third is cut exactly between two pieces: each that is left is authentic.
    for damaged in (b"", sealed[:50], sealed[: header + 16 + 2 * 65552], sealed[:-1], altered, b"not age at all"):
        with pytest.raises(CheckFailedError, match="cannot be decrypted"):
            list(key.decrypt([damaged], CheckFailedError))


def test_another_key_opens_nothing(key: PrivateKey, tmp_path: Path) -> None:
    sealed = b"".join(age.encrypt([b"secret"], key.public_key))

    with pytest.raises(CheckFailedError, match="cannot be decrypted"):
        list(_key(tmp_path / "other").decrypt([sealed], CheckFailedError))


def test_wrong_keys_are_wrong_configuration_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "identity"
    file.write_text("AGE-SECRET-KEY-1NOTREALLY\n")

    with pytest.raises(UsageError, match="holds no age key") as shown:
        PrivateKey.read(str(file))
    assert "NOTREALLY" not in str(shown.value)
    with pytest.raises(UsageError, match="No such file"):
        PrivateKey.read(str(tmp_path / "missing"))
    for wrong in ("age1nothing", "", "ssh-ed25519 AAAA"):
        with pytest.raises(UsageError, match="is no age recipient"):
            age.check(wrong)


def test_a_seal_is_of_its_key_its_purpose_and_its_content(key: PrivateKey, tmp_path: Path) -> None:
    seal = key.seal("drill", b"content")

    assert seal == PrivateKey.read(key.path).seal("drill", b"content")
    assert (
        len(
            {
                seal,
                key.seal("other", b"content"),
                key.seal("drill", b"contenu"),
                _key(tmp_path / "o").seal("drill", b"content"),
            }
        )
        == 4
    )


def test_memory_does_not_grow_with_the_stream(key: PrivateKey) -> None:
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(200):
            taken += 2**18
            yield bytes(2**18)

    seen = 0
    for block in key.decrypt(age.encrypt(chunks(), key.public_key), CheckFailedError):
        seen += len(block)
        # What was read and has not come out is all that is held: a few chunks, and not the stream.
        assert taken - seen <= 24 * 2**18
    assert seen == 200 * 2**18


def test_an_error_of_the_source_comes_out_and_ends_the_thread(key: PrivateKey) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise CheckFailedError("the dump died")

    before = threading.active_count()
    with pytest.raises(CheckFailedError, match="the dump died"):
        list(age.encrypt(chunks(), key.public_key))
    assert threading.active_count() == before


def test_a_step_that_fails_is_an_error_even_when_it_fails_early() -> None:
    def work(inlet: Inlet, _: Outlet) -> None:
        inlet.read(1)
        raise CheckFailedError("the step died")

    with pytest.raises(CheckFailedError, match="the step died"):
        list(stage.through(itertools.repeat(b"x" * 1000, 10_000), work))


def test_whoever_stops_reading_ends_the_thread(key: PrivateKey) -> None:
    before = threading.active_count()
    stream = age.encrypt(itertools.repeat(b"x" * 100_000), key.public_key)

    assert next(stream)
    cast("Generator[bytes]", stream).close()

    assert threading.active_count() == before
