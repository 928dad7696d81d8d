"""Where the images and what they are made of lie in the cache folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths under `<cache>/images`."""

    root: Path

    @classmethod
    def of(cls, cache: Path) -> "Layout":
        """The layout of one cache folder."""
        return cls(cache / "images")

    @property
    def storage(self) -> Path:
        """Buildah's layers."""
        return self.root / "storage"

    @property
    def run_root(self) -> Path:
        """Buildah's locks and mounts."""
        return self.root / "run"

    @property
    def scratch(self) -> Path:
        """Half-made files, and the shared package caches of the builds."""
        return self.root / "tmp"

    @property
    def logs(self) -> Path:
        """One log an image."""
        return self.root / "logs"

    @property
    def lock(self) -> Path:
        """Held by whoever builds."""
        return self.root / "lock"

    def base(self, key: str) -> Path:
        """The root file system of the base image as a tar file."""
        return self.root / "base" / f"{key}.tar"

    @property
    def archives(self) -> Path:
        """The finished OCI archives."""
        return self.root / "archives"

    def archive(self, name: str, digest: str) -> Path:
        """The finished OCI archive of an image."""
        return self.archives / f"{name}-{digest}.tar"

    def jars(self, key: str) -> Path:
        """Kafka's verified jars."""
        return self.root / "jars" / key
