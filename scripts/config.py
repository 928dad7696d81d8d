"""Reads the program's settings: one JSON file, and the files that hold secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runbook import duplicates, formats
from runbook.ops_paths import CONFIG_PATH
from runbook.ops_settings import CONFIG_VARIABLE, Login, OpsSettings
from scripts import redact
from scripts.exits import UsageError


def load(path: str | None = None) -> OpsSettings:
    """The settings from ``path``, else from the file that ``OPS_CONFIG`` names, else from its fixed place.

    Raises:
        UsageError: the file is missing, is no JSON, has a key twice or does not fit the model; the line names the
            first key to mend.
    """
    name = path or os.environ.get(CONFIG_VARIABLE) or CONFIG_PATH
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the settings file {name}: {_reason(error)}; name it with --config or {CONFIG_VARIABLE}"
        ) from None
    try:
        # The program that writes the file gives each value its type: no text for a number, no number for a truth value.
        settings = OpsSettings.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise UsageError(f"settings file {name}: {_explain(error)}") from None
    if twice := _twice(text):
        raise UsageError(f"settings file {name}: {twice}")
    return settings


def _twice(text: str) -> str | None:
    """The key that an object has twice. To find its lines takes longer than to find that there is one."""
    found = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=look)
    return duplicates.complaint(text) if found else None


def password(login: Login) -> str:
    """The password of ``login``, from its file, without the line break that editors add.

    Raises:
        UsageError: the file is missing or empty.
    """
    try:
        secret = Path(login.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the password file {login.password_file} of {login.user}: {_reason(error)}"
        ) from None
    if not secret:
        raise UsageError(f"the password file {login.password_file} of {login.user} is empty")
    redact.hide(secret)
    return secret


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is no UTF-8 text"


def _explain(error: Any) -> str:
    detail = error.errors()[0]
    key = ".".join(str(part) for part in detail["loc"]) or "the whole file"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    shown = (
        ""
        if isinstance(detail["input"], dict | list) or detail["type"] == "json_invalid" or redact.names_secret(key)
        else f" is {formats.shown(detail['input'])}"
    )
    return f"{key}{shown}: {formats.told(detail)}{more}"
