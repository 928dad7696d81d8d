"""Keys that backups are signed with in tests, made as an engineer makes them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.backup.signing import SigningKey

NAMES = ("postgres", "redis", "resources", "verify")


def make(file: Path) -> str:
    """A private key of openssl's in ``file``; its public key, by the way that the documentation tells."""
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(file)], check=True)
    public = subprocess.run(
        ["openssl", "pkey", "-in", str(file), "-pubout", "-outform", "DER"], check=True, capture_output=True
    )
    return base64.b64encode(public.stdout[-32:]).decode()


def signers(folder: Path) -> dict[str, Any]:
    """The setting ``backup.signers`` with a new key for each signer, in files of ``folder``."""
    return {
        name: {"publicKeys": [make(folder / f"{name}.pem")], "privateKeyFile": str(folder / f"{name}.pem")}
        for name in NAMES
    }


def signed(document: Mapping[str, Any], key: str, file: Path) -> bytes:
    """``document`` as the holder of the private key in ``file`` writes it under ``key``."""
    plain = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(SigningKey.read(str(file)).signed(plain, key)).encode()
