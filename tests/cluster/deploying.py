"""How tests deploy the stack, as it is committed or with something changed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.cluster.environment import ROOT

UP: Final = ("pulumi", "up", "--stack=local", "--yes", "--skip-preview", "--non-interactive")
PREVIEW: Final = ("pulumi", "preview", "--stack=local", "--non-interactive")


def stack_file() -> str:
    """The stack's settings as they are committed."""
    return (ROOT / "Pulumi.local.yaml").read_text()


def with_settings(folder: Path, text: str) -> str:
    """The option of a deployment with other settings than the committed ones."""
    assert text != stack_file()
    config = folder / f"settings-{len(list(folder.iterdir()))}.yaml"
    config.write_text(text)
    return f"--config-file={config}"


def with_annotated_ingress(folder: Path) -> str:
    """The option of a deployment that changes nothing but an annotation of the Ingress."""
    text = stack_file()
    return with_settings(
        folder, text.replace("{className: skipper,", "{className: skipper, annotations: {example.com/x: y},")
    )
