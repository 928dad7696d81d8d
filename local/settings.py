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


def existing_cluster(environ: Mapping[str, str] | None = None) -> ExistingCluster | None:
    """The cluster that the environment variables name; None where they name none.

    Raises:
        LocalError: some of the variables are set and some are not, or a file is not there.
    """
    given = os.environ if environ is None else environ
    if not given.get("CRYPTO_KUBECONFIG"):
        return None
    missing = [f"{name} ({meaning})" for name, meaning in _VARIABLES.items() if not given.get(name)]
    if missing:
        raise LocalError(f"CRYPTO_KUBECONFIG names an existing cluster; set as well: {'; '.join(missing)}")
    cluster = ExistingCluster(
        Path(given["CRYPTO_KUBECONFIG"]).expanduser().absolute(),
        given["CRYPTO_KUBE_CONTEXT"],
        Path(given["CRYPTO_IMAGES"]).expanduser().absolute(),
        given["CRYPTO_AWS_ENDPOINT"],
    )
    for path in (cluster.kubeconfig, cluster.images):
        if not path.is_file():
            raise LocalError(f"{path} is not there; CRYPTO_KUBECONFIG and CRYPTO_IMAGES must name files")
    return cluster
