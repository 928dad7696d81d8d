"""A stack with a datastore that somebody else runs, and the files of the Secrets that its pods mount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.program.engine import Registered


@dataclass(frozen=True)
class Outside:
    """The objects of a stack, and a folder with a folder of each Secret of the datastore."""

    stack: list[Registered]
    secrets: Path

    def mounted(self, pod: Mapping[str, Any], text: str) -> str:
        """A text of the pod with the folder of each such Secret in place of where its container sees it."""
        folders = {item["name"]: item["mountPath"] for item in pod["containers"][0]["volumeMounts"]}
        named = {item["name"]: item["secret"]["secretName"] for item in pod["volumes"] if "secret" in item}
        for volume, secret in named.items():
            if (self.secrets / secret).is_dir():
                text = text.replace(f"{folders[volume]}/", f"{self.secrets / secret}/")
        return text
