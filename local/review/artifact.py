"""The event logs out of the archive that a pull request's run left: bounded, named as expected, and never on a path."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Final

from local.errors import LocalError
from local.review.judging import EVENTS

MOST_BYTES: Final = 32 * 2**20
"""Of the archive, and of each log in it: ten times what the larger stack of this project writes."""

_MOST_LOGS: Final = 8
# What GitHub packs by. Others take memory by what the archive says of itself.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_STACK: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


class ArtifactError(LocalError):
    """The archive is not what the preview's run leaves: one line."""


def logs(archive: bytes) -> dict[str, bytes]:
    """The event log of each stack, by the stack's name.

    Raises:
        ArtifactError: no ZIP archive, another file in it, or more than the bounds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return {_stack(member): _content(opened, member) for member in _members(opened)}
    except ArtifactError:
        raise
    # What zipfile raises for an archive that is cut off, damaged or encrypted.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
        raise ArtifactError("the artifact is no whole ZIP archive; run the preview again") from None


def _members(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = opened.infolist()
    if len(members) > _MOST_LOGS or len({member.filename for member in members}) < len(members):
        raise ArtifactError(f"the artifact has {len(members)} files; allowed: at most {_MOST_LOGS}, each named once")
    return members


def _stack(member: zipfile.ZipInfo) -> str:
    stack = member.filename.removesuffix(EVENTS)
    if not _STACK.fullmatch(stack) or stack == member.filename:
        raise ArtifactError(f"the artifact has {member.filename[:80]!r}; allowed: STACK{EVENTS}")
    return stack


def _content(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.compress_type not in _METHODS:
        raise ArtifactError(f"the artifact packs {member.filename} by method {member.compress_type}; allowed: 0 and 8")
    # The size in the archive's directory is a claim: what is read is bounded as well.
    with opened.open(member) as log:
        content = log.read(MOST_BYTES + 1) if member.file_size <= MOST_BYTES else b""
    if not content or len(content) > MOST_BYTES:
        size = f"{member.file_size} bytes; allowed: 1 to {MOST_BYTES}"
        raise ArtifactError(f"the artifact's {member.filename} has {size}")
    return content
