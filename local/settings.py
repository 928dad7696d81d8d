"""Which cluster the environment uses: its own, or one that exists already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

STACK = "local"
NAMESPACE = "crypto"


@dataclass(frozen=True, slots=True)
class ExistingCluster:
    """A cluster that somebody else runs. ``images`` names a JSON file of references that its nodes can pull."""

    kubeconfig: Path
    context: str
    images: Path
    aws_endpoint: str


_VARIABLES = {
    "CRYPTO_KUBECONFIG": "the kubeconfig",
    "CRYPTO_KUBE_CONTEXT": "the context in it",
    "CRYPTO_IMAGES": "a JSON file with the reference of each image, which the cluster's nodes can pull",
    "CRYPTO_AWS_ENDPOINT": "an S3 endpoint that the cluster's pods and this machine reach",
}
_FILES = ("CRYPTO_KUBECONFIG", "CRYPTO_IMAGES")


def existing_cluster(environ: Mapping[str, str] | None = None) -> ExistingCluster | None:
    """The cluster that the environment variables name; None where they name none.

    Raises:
        LocalError: variables are not set, or name no file; the message has all of them.
    """
    given = os.environ if environ is None else environ
    if not given.get("CRYPTO_KUBECONFIG"):
        return None
    problems = [f"{name} is not set: {meaning}" for name, meaning in _VARIABLES.items() if not given.get(name)]
    files = {name: Path(given[name]).expanduser().absolute() for name in _FILES if given.get(name)}
    for name, path in files.items():
        if not path.is_file():
            problems.append(f"{name}={path} {'is a folder' if path.is_dir() else 'is not there'}: name a file")
    if problems:
        raise LocalError(f"CRYPTO_KUBECONFIG asks for an existing cluster, but {'; '.join(problems)}")
    kubeconfig, images = files.values()
    return ExistingCluster(kubeconfig, given["CRYPTO_KUBE_CONTEXT"], images, given["CRYPTO_AWS_ENDPOINT"])
