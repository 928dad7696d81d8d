"""Buildah with a storage of its own under the cache folder."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.images import context
from local.images.archive import pack
from local.images.base import BASE_NAME
from local.images.catalog import Recipe
from local.images.context import Tools
from local.images.errors import ImageError
from local.images.layout import Layout
from local.images.process import Children

_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATES_INSIDE: Final = "/run/build-certificates.pem"
# Settings that reach a build's own package clients without becoming part of a layer.
_PASSED_ON: Final = ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_HTTP_TIMEOUT")


@dataclass(frozen=True)
class Buildah:
    """One storage."""

    layout: Layout
    children: Children

    def import_base(self, tar: Path, key: str) -> None:
        """Give this base the name in FROM; its layer is imported only once."""
        own_name = f"localhost/crypto/base:{key}"
        if not self.has(own_name):
            with tempfile.TemporaryDirectory(prefix="base-", dir=self.layout.scratch) as folder:
                (Path(folder) / "Dockerfile").write_text(f'FROM scratch\nADD {tar.name} /\nCMD ["bash"]\n')
                os.link(tar, Path(folder) / tar.name)
                self._run("base", "bud", "--layers=false", "--tag", own_name, folder)
        self._run("base", "tag", own_name, BASE_NAME)

    def build(self, recipe: Recipe, tag: str, jars: Path | None, tools: Tools) -> None:
        """Build `recipe` and tag it.

        Raises:
            ImageError: a step failed.
        """
        with tempfile.TemporaryDirectory(prefix=f"{recipe.name}-", dir=self.layout.scratch) as folder:
            context.stage(recipe, Path(folder), tools)
            arguments = [
                "bud",
                "--isolation",
                "chroot",
                "--network",
                "host",
                "--pull-never",
                "--layers",
                "--timestamp",
                "0",
            ]
            # Dockerfiles of a release name a base that is pulled.
            arguments += ["--build-arg", f"BASE={BASE_NAME}", *self._host_settings()]
            if jars is not None:
                arguments += ["--build-context", f"jars={jars}"]
            self._run(recipe.name, *arguments, "--file", str(recipe.dockerfile), "--tag", tag, folder)

    def export(self, recipe: Recipe, tag: str, archive: Path) -> None:
        """Write the image as an OCI archive, uncompressed: it is read once, on this machine."""
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{recipe.name}-", dir=self.layout.scratch) as folder:
            pushed, partial = Path(folder) / "pushed", Path(folder) / archive.name
            self._run(recipe.name, "push", "--quiet", "--disable-compression", "--format", "oci", tag, f"dir:{pushed}")
            pack(pushed, tag, partial)
            partial.replace(archive)

    def remove(self, tag: str) -> None:
        """Remove an image and those of its layers that no other image is made of."""
        if self.has(tag):
            self._run("cleaning", "rmi", tag)

    def remove_leftovers(self) -> None:
        """Remove the working containers of a build that was killed."""
        if self._query("containers", "--json") not in ("", "null", "[]"):
            self._run("cleaning", "rm", "--all")

    def has(self, tag: str) -> bool:
        """Whether the storage holds the image."""
        listed: list[dict[str, list[str] | None]] = json.loads(self._query("images", "--json") or "[]")
        return any(tag in (image.get("names") or []) for image in listed)

    def _host_settings(self) -> list[str]:
        settings: list[str] = []
        for name in _PASSED_ON:
            if name in os.environ:
                settings += ["--build-arg", f"{name}={os.environ[name]}"]
        if _CERTIFICATES.exists():
            settings += ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES_INSIDE}:ro"]
            for name in ("SSL_CERT_FILE", "PIP_CERT"):
                settings += ["--build-arg", f"{name}={_CERTIFICATES_INSIDE}"]
        return settings

    def _prefix(self) -> list[str]:
        layout = self.layout
        return [
            "buildah",
            "--root",
            str(layout.storage),
            "--runroot",
            str(layout.run_root),
            "--storage-driver",
            "overlay",
        ]

    def _environment(self) -> dict[str, str]:
        # Buildah keeps the builds' shared package caches under TMPDIR.
        return {**os.environ, "TMPDIR": str(self.layout.scratch), "BUILDAH_LAYERS": "true"}

    def _run(self, name: str, *arguments: str) -> None:
        self.children.run(
            [*self._prefix(), *arguments],
            log=self.layout.logs / f"{name}.log",
            what=f"image {name}",
            env=self._environment(),
        )

    def _query(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [*self._prefix(), *arguments], capture_output=True, text=True, check=False, env=self._environment()
            )
        except FileNotFoundError as error:
            raise ImageError("the command 'buildah' is not installed: apt-get install buildah") from error
        return done.stdout.strip()
