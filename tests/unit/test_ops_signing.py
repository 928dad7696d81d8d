"""Signatures of documents in the bucket, beside openssl's reading of them."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.backup import signing
from scripts.backup.signing import SigningKey
from tests.services import signing_keys

_KEY = "p/postgres/20260301T020000Z-0a1b2c3d/manifest.json"
_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_DOCUMENTS = st.dictionaries(
    st.text().filter(lambda name: name != "signature"),
    st.recursive(_VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8),
)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    file = tmp_path_factory.mktemp("key") / "private.pem"
    signing_keys.make(file)
    return SigningKey.read(str(file))


@given(_DOCUMENTS)
def test_a_signature_holds_however_the_document_is_written_and_for_nothing_else(
    signer: SigningKey, document: dict[str, Any]
) -> None:
    signed = signer.signed(document, _KEY)
    other = dict(reversed(signed.items()))
    changed = signed | {"more": 1 if document.get("more") is None else None}

    for content in (json.dumps(signed), json.dumps(other, indent=3, ensure_ascii=False)):
        assert signing.problem(content.encode(errors="surrogatepass"), _KEY, [signer.public_key]) is None
    for content, key in ((changed, _KEY), (signed, f"{_KEY}x")):
        reason = signing.problem(json.dumps(content).encode(), key, [signer.public_key])
        assert reason is not None
        assert "its signature is wrong" in reason


@given(_VALUES | st.lists(_VALUES) | st.dictionaries(st.text(), _VALUES), st.booleans())
def test_what_an_attacker_writes_as_a_signature_is_a_reason_and_no_defect(
    signer: SigningKey, value: Any, whole: bool
) -> None:
    signature = value if whole else {"publicKey": signer.public_key, "value": value}

    assert signing.problem(json.dumps({"signature": signature}).encode(), _KEY, [signer.public_key]) is not None
    assert signing.problem(json.dumps(value).encode(), _KEY, [signer.public_key]) is not None


def test_openssl_agrees_about_a_signature(tmp_path: Path) -> None:
    file, message, signature = (tmp_path / name for name in ("private.pem", "message", "signature"))
    signing_keys.make(file)
    signed = SigningKey.read(str(file)).signed({"b": 1.5, "a": "é"}, _KEY)
    message.write_text(f'crypto-operations: a document in the backup bucket\n{_KEY}\n{{"a":"\\u00e9","b":1.5}}')
    signature.write_bytes(base64.b64decode(signed["signature"]["value"]))

    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", file, "-in", message, "-sigfile", signature],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")
