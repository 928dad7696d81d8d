"""What the project is made of: `make sbom` writes it down, `make audit` asks what is known to be vulnerable in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT
from local.toolchain.versions import MODULES_DIR

FOLDER: Final = PROJECT_ROOT / "build" / "sbom"
PYTHON: Final = "python.cdx.json"
GO: Final = "go.cdx.json"
_OSV: Final = "https://api.osv.dev/v1/query"


def sbom(folder: Path = FOLDER) -> list[Path]:
    """Writes two lists in CycloneDX: the Python packages of uv.lock that are deployed, the Go modules of the tools.

    Raises:
        LocalError: uv or Go failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _run([os.environ.get("UV", "uv"), "export", "--quiet", "--frozen", "--no-dev", "--format=cyclonedx1.5",
          f"--output-file={folder / PYTHON}"])  # fmt: skip
    modules = [
        {"type": "library", "bom-ref": purl, "name": module, "version": version, "purl": purl}
        for module, version in sorted(set(_go_modules()))
        for purl in [f"pkg:golang/{module}@{quote(version)}"]
    ]
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": modules}
    (folder / GO).write_text(json.dumps(bom, indent=2) + "\n")
    return [folder / PYTHON, folder / GO]


def _go_modules() -> Iterator[tuple[str, str]]:
    """Every module that the tools are built from: a tidy go.mod names all of them, and what replaces one."""
    for file in sorted(MODULES_DIR.glob("*/go.mod")):
        content = cast("dict[str, list[Any]]", json.loads(_run(["go", "mod", "edit", "-json", str(file)])))
        replaced: dict[str, Any] = {each["Old"]["Path"]: each["New"] for each in content.get("Replace") or []}
        for required in content["Require"]:
            used = replaced.get(required["Path"], required)
            yield used["Path"], used["Version"]


def audit(service: str = _OSV) -> int:
    """Prints the known vulnerabilities of every package in uv.lock; 1 where there is one.

    Raises:
        LocalError: uv failed, or the service gave no answer.
    """
    with tempfile.TemporaryDirectory(prefix="crypto-audit-") as folder:
        requirements = Path(folder) / "requirements.txt"
        _run([os.environ.get("UV", "uv"), "export", "--quiet", "--frozen", "--all-groups", "--no-emit-project",
              "--no-hashes", "--format=requirements.txt", f"--output-file={requirements}"])  # fmt: skip
        # The lock names every package with its version: nothing is resolved.
        options = ["--no-deps", "--disable-pip", "--progress-spinner=off", f"--requirement={requirements}"]
        done = subprocess.run(
            [Path(sys.executable).with_name("pip-audit"), *options, "--vulnerability-service=osv",
             f"--osv-url={service}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    said = done.stderr.strip().splitlines() or ["no reason given"]
    # pip-audit has one exit code for a finding and for an error; only findings are printed as a table.
    if done.returncode != 0 and not done.stdout:
        raise LocalError(f"pip-audit failed: {said[-1]}", passing=True)
    print(done.stdout + said[-1])
    return 0 if done.returncode == 0 else 1


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1].strip()
        raise LocalError(f"{' '.join(command[:3])} ... failed: {last}")
    return done.stdout
