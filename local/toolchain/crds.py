"""The CustomResourceDefinitions of cert-manager and prometheus-operator, as their Go modules ship them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from local.toolchain import golang
from local.toolchain.errors import ToolchainError
from local.toolchain.store import default_cache
from local.toolchain.versions import VERSIONS_FILE, CrdSource, Toolchain, load


def crds(cache: Path | None = None, toolchain: Toolchain | None = None) -> list[Path]:
    """The YAML files, each with one CustomResourceDefinition. The modules are downloaded where they are not there.

    Raises ToolchainError where a module cannot be had or does not have the checksum of versions.toml.
    """
    chain = toolchain or load()
    return [
        path for name, source in chain.crds.items() for path in _files(name, source, chain, cache or default_cache())
    ]


def _files(name: str, source: CrdSource, toolchain: Toolchain, cache: Path) -> list[Path]:
    golang.find(toolchain)
    module = f"{source.module}@{source.version}"
    runner = golang.Runner({"GOFLAGS": "-mod=mod"})
    cache.mkdir(parents=True, exist_ok=True)
    # Outside of any module, so that nobody's go.mod is read or written.
    code, out, err = runner.run(["mod", "download", "-json", module], cwd=cache, environment={"GOWORK": "off"})
    answer: dict[str, str] = json.loads(out) if out.strip() else {}
    what = f"downloading the CRDs of {name}"
    if code != 0 or "Error" in answer:
        log = cache / "last-failure.log"
        log.write_text(out + err)
        code = code if code < 0 and -code in set(signal.Signals) else 1
        raise ToolchainError(golang.explain(what, code, answer.get("Error", err), versions=VERSIONS_FILE, log=log))
    if answer["Sum"] != source.sum:
        raise ToolchainError(f"{what}: {module} has the checksum {answer['Sum']}, and {VERSIONS_FILE} has {source.sum}")
    files = sorted((Path(answer["Dir"]) / source.folder).glob("*.yaml"))
    if not files:
        raise ToolchainError(f"{what}: {module} has no *.yaml in {source.folder}")
    return files
