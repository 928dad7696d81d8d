"""Debian packages of the host that building the images needs."""

from pathlib import Path
from typing import Final

from local.cluster.packages import Package

HOST_PACKAGES: Final[tuple[Package, ...]] = (
    Package("buildah", programs=("buildah",), users=True),  # builds the Dockerfiles
    Package("ca-certificates", files=(Path("/etc/ssl/certs/ca-certificates.crt"),)),
    # Lets mmdebstrap check Debian's signatures.
    Package("debian-archive-keyring", files=(Path("/usr/share/keyrings/debian-archive-keyring.gpg"),)),
    Package("maven", programs=("mvn",), users=True),  # fetches Kafka's jars
    Package("mmdebstrap", programs=("mmdebstrap",), users=True),  # builds the base image
)
