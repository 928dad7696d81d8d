"""Debian packages of the host that building the images needs."""

from typing import Final

HOST_PACKAGES: Final[tuple[str, ...]] = (
    "buildah",  # builds the Dockerfiles
    "ca-certificates",
    "debian-archive-keyring",  # lets mmdebstrap check Debian's signatures
    "maven",  # fetches Kafka's jars
    "mmdebstrap",  # builds the base image
)

HOST_COMMANDS: Final[dict[str, str]] = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "mvn": "maven"}
"""Command -> the package that brings it."""
