"""A bare cluster for the tests of its own parts, and an image of a few shell commands for its pods."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.cluster import identity, images, lifecycle
from local.cluster.identity import ProcessIdentity
from local.cluster.layout import Layout
from local.cluster.lifecycle import ClusterSpec
from local.paths import Instance
from tests.cluster.environment import variables
from tests.running.guard import guarded
from tests.waiting import wait_until

IMAGE = "localhost/crypto/cluster-test:1"
APPLETS = ("busybox", "sh", "sleep", "cat", "echo", "httpd", "wget", "nslookup", "touch", "rm", "nc")


@dataclass(frozen=True)
class SmallCluster:
    """The instance under test."""

    spec: ClusterSpec

    @property
    def instance(self) -> Instance:
        return self.spec.instance

    @property
    def layout(self) -> Layout:
        return Layout.of(self.instance)

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(self.spec.bin_dir / "kubectl"), f"--kubeconfig={self.instance.kubeconfig}"]
        command += [f"--cache-dir={self.layout.kubectl_cache}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.try_kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def supervisor(self) -> ProcessIdentity:
        found = identity.find_supervisor(self.layout.process, self.layout.supervisor_config)
        assert found is not None
        return found

    def add_namespace(self, manifest: str, name: str) -> None:
        """Make a namespace and wait until pods can be made in it."""
        self.kubectl("apply", "-f", "-", stdin=manifest)
        wait_until(
            lambda: "default" in self.kubectl("-n", name, "get", "sa", "-o", "name"),
            "the namespace has its account",
            20,
        )


def small_instance(state_home: Path, name: str, slot: int) -> Instance:
    """An instance whose state lies below this folder."""
    return Instance.from_environment(variables(state_home, name, slot))


@contextmanager
def cleaned(instance: Instance) -> Generator[None]:
    """Cleans the instance after the block, even where the tests' process is killed in it."""
    with guarded(variables(instance.state_dir.parents[1], instance.name, instance.slot)):
        try:
            yield
        finally:
            lifecycle.clean(instance)


def write_image(archive: Path, extra: Mapping[str, Path] | None = None) -> None:
    """An OCI archive of IMAGE: the applets below /bin, and what `extra` adds."""
    files = {f"bin/{applet}": Path("/bin/busybox") for applet in APPLETS} | dict(extra or {})
    images.write_archive(archive, IMAGE, files, ("/bin/sh",), "65532:65532")
