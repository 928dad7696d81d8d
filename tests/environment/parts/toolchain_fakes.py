"""A toolchain of two small groups and a `go` that is a script, so that the builder can be tested without a compiler."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.toolchain.versions import Toolchain

# Behaves as told by files in $FAKE_GO: `fail` is printed and ends it, `hold` makes it wait until the file is gone.
FAKE_GO = r"""#!/bin/sh
set -eu
case "$1" in
env)
  printf '{"GOVERSION": "%s", "GOCACHE": "%s", "GOMODCACHE": "%s"}' "$(cat "$FAKE_GO/version")" "$FAKE_GO" "$FAKE_GO"
  exit 0 ;;
list) exit 0 ;;
mod) printf '{"Dir": "%s", "Sum": "h1:right="}' "$FAKE_GO/module"; exit 0 ;;
esac
echo "$@" >> "$FAKE_GO/builds"
nice >> "$FAKE_GO/nice"
while [ -e "$FAKE_GO/hold" ]; do sleep 0.02; done
if [ -e "$FAKE_GO/fail" ]; then cat "$FAKE_GO/fail" >&2; exit 1; fi
out=""
for word in "$@"; do
  [ "$out" = next ] && out="$word"
  [ "$word" = -o ] && out=next
done
for word in "$@"; do
  case "$word" in
  example.org/*) printf '#!/bin/sh\necho %s\n' "$word" > "$out/${word##*/}"; chmod 755 "$out/${word##*/}" ;;
  esac
done
"""


@dataclass
class Recorder:
    """A progress that remembers what it was told."""

    events: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    left: list[int] = field(default_factory=list[int])

    def started(self, group: str, left: int) -> None:
        self.events.append(("started", group))
        self.left.append(left)

    def finished(self, group: str, seconds: float) -> None:
        assert seconds >= 0
        self.events.append(("finished", group))

    def waiting(self, group: str) -> None:
        self.events.append(("waiting", group))

    def close(self) -> None:
        self.events.append(("closed", ""))


@dataclass(frozen=True)
class World:
    """A machine with the fake Go on an otherwise bare PATH."""

    folder: Path
    toolchain: Toolchain

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def path_folder(self) -> Path:
        return self.folder / "bin"

    @property
    def builds(self) -> list[str]:
        log = self.control / "builds"
        return log.read_text().splitlines() if log.exists() else []

    def hold(self) -> None:
        (self.control / "hold").touch()

    def release(self) -> None:
        (self.control / "hold").unlink(missing_ok=True)

    def fail_with(self, output: str) -> None:
        (self.control / "fail").write_text(output)

    def heal(self) -> None:
        (self.control / "fail").unlink(missing_ok=True)

    def install(self, name: str, prints: str) -> Path:
        """Put a tool on PATH that prints this whatever it is asked."""
        return write_script(self.path_folder / name, f"#!/bin/sh\necho '{prints}'\n")


def write_script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def fake_toolchain(modules: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """Groups `first` (alpha, beta) and `second` (gamma)."""
    for folder in ("one", "two"):
        (modules / folder).mkdir(parents=True)
        (modules / folder / "go.mod").write_text(f"module {folder}\n")
        (modules / folder / "go.sum").write_text("")
    monkeypatch.setattr("local.toolchain.versions.MODULES_DIR", modules)

    def tool(name: str, **more: object) -> dict[str, object]:
        return {
            "module": f"example.org/{name}",
            "package": f"example.org/{name}",
            "version_command": ["version"],
            **more,
        }

    return Toolchain.model_validate(
        {
            "go": "1.26.4",
            "modules": {f"example.org/{name}": "v1.2.3" for name in ("alpha", "beta", "gamma")},
            "build": {"environment": {}, "gcflags": ["all=-dwarf=false"], "arguments": ["-trimpath"]},
            "groups": {
                "first": {
                    "stage": "cluster",
                    "folder": "one",
                    "disk_gib": 2.0,
                    "ldflags": "-X main.version={example.org/alpha}",
                    "tools": {"alpha": tool("alpha"), "beta": tool("beta")},
                },
                "second": {
                    "stage": "provider",
                    "folder": "two",
                    "disk_gib": 3.0,
                    "tools": {"gamma": tool("gamma", accept="minor")},
                },
            },
            "crds": {},
        }
    )


def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path, fake_toolchain(tmp_path / "modules", monkeypatch))
    world.control.mkdir()
    world.path_folder.mkdir()
    (world.control / "version").write_text("go1.26.8")
    write_script(world.path_folder / "go", FAKE_GO)
    monkeypatch.setenv("FAKE_GO", str(world.control))
    monkeypatch.setenv("PATH", f"{world.path_folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    return world
