"""The variables that put the environment into a shell: `eval "$(make -s env)"`."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from components.stack_config import ENVIRONMENT_VARIABLE
from local import pulumi_cli
from local.credentials import AWS_SECRET, Credentials
from local.paths import Instance
from local.proxies import without_proxy
from local.settings import NAMESPACE, existing_cluster
from runbook.ops_settings import CONFIG_VARIABLE


def environment_file(instance: Instance) -> Path:
    """What the embedded stack reads its environment's facts from."""
    return instance.state_dir / "environment.json"


def ops_config_file(instance: Instance) -> Path:
    """The settings of ``ops`` for a shell on this machine."""
    return instance.state_dir / "ops.json"


def credentials(instance: Instance) -> Credentials:
    """The instance's credentials."""
    return Credentials(instance.state_dir / "secrets")


def variables(instance: Instance) -> dict[str, str]:
    """Every variable except PATH."""
    existing = existing_cluster()
    endpoint = existing.aws_endpoint if existing else instance.aws_url
    return {
        **pulumi_cli.variables(instance.state_dir),
        "KUBECONFIG": str(existing.kubeconfig if existing else instance.kubeconfig),
        ENVIRONMENT_VARIABLE: str(environment_file(instance)),
        CONFIG_VARIABLE: str(ops_config_file(instance)),
        "CRYPTO_AWS_ENDPOINT": endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials(instance).path(AWS_SECRET, "credentials")),
        **without_proxy(instance),
    }


def kubeconfig(instance: Instance) -> str:
    """What KUBECONFIG is in a person's shell: there the context's namespace is the system's.

    A file with that context alone stands before the one with everything; tools take it from the first. The namespace of
    an existing cluster's own file stays what it is, and so does that of the environment's, which sets up other
    namespaces, too.
    """
    existing = existing_cluster()
    file = existing.kubeconfig if existing else instance.kubeconfig
    name = existing.context if existing else instance.name
    try:
        contexts = yaml.safe_load(file.read_text())["contexts"]
        context = {**next(entry["context"] for entry in contexts if entry["name"] == name), "namespace": NAMESPACE}
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration):
        # Nothing runs yet, or it is for the tools to say what is wrong with the file.
        return str(file)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": name, "context": context}],
    }
    first = instance.state_dir / "namespace.kubeconfig"
    first.parent.mkdir(parents=True, exist_ok=True)
    first.write_text(json.dumps(document, indent=2) + "\n")
    return os.pathsep.join((str(first), str(file)))


def search_path(bin_dir: Path, environ: Mapping[str, str] | None = None) -> list[Path]:
    """Folders that go before PATH: the toolchain, the virtual environment with ``ops``, and uv itself.

    The engine starts Python programs through uv. `uv run` says in UV where it is. PATH may have none, or a version
    manager's script, which takes longer to find uv than uv takes for its work, and hides behind a PATH of its own here.
    """
    given = os.environ if environ is None else environ
    uv = given.get("UV")
    return [bin_dir, Path(sys.executable).parent, *([_folder_of(Path(uv), bin_dir.parent)] if uv else [])]


def _folder_of(program: Path, beside: Path) -> Path:
    """A folder with a link to the program and nothing else, which may go before PATH."""
    digest = hashlib.sha256(str(program).encode()).hexdigest()[:12]
    folder = beside / f"{program.name}-{digest}"
    link = folder / program.name
    if not link.is_symlink():
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{program.name}.{os.getpid()}"
        partial.symlink_to(program)
        partial.replace(link)
    return folder


def exports(values: Mapping[str, str], folders: list[Path]) -> str:
    """Lines for a POSIX shell; evaluating them twice changes nothing more."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    for folder in reversed(folders):
        quoted = shlex.quote(str(folder))
        lines.append(f'case ":$PATH:" in *:{quoted}:*) ;; *) export PATH={quoted}:"$PATH" ;; esac')
    return "\n".join(lines)
