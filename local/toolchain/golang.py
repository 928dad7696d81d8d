"""The Go command: is it there and new enough, and what does its failure mean."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from local.priority import behind
from local.toolchain.errors import ToolchainError
from local.toolchain.versions import Toolchain

_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
_NOT_SERVED = re.compile(
    r"(?P<module>[\w.~/-]+@v[\w.+-]+): (?:reading \S+: (?:403|404|410)|invalid version|unrecognized import path)"
)
_WRONG_SUM = re.compile(r"verifying (?:module )?(?P<module>[\w.~/-]+@v[\w.+-]+)(?:/go\.mod)?: checksum mismatch")
_UNREACHABLE = ("dial tcp", "i/o timeout", "TLS handshake timeout", "connection refused", "no such host")


@dataclass(frozen=True)
class Go:
    """A usable Go: its version (such as go1.26.8) and the folders of its caches."""

    version: str
    build_cache: Path
    module_cache: Path


def find(toolchain: Toolchain) -> Go:
    """The Go on PATH. Raises ToolchainError where there is none or it is too old."""
    wanted = toolchain.go
    advice = f"install Go {wanted} or newer (https://go.dev/dl) and put it on PATH"
    if shutil.which("go") is None:
        raise ToolchainError(f"go is not on PATH: {advice}")
    # In the folder of a go.mod, an older Go that may download toolchains answers as the one that it would use.
    directory = next(iter(toolchain.groups.values())).directory
    done = subprocess.run(
        ["go", "env", "-json", "GOVERSION", "GOCACHE", "GOMODCACHE"],
        capture_output=True, text=True, check=False, cwd=directory,
    )  # fmt: skip
    if done.returncode != 0:
        detail = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ToolchainError(f"go does not work ({detail}): {advice}")
    answer: dict[str, str] = json.loads(done.stdout)
    if _numbers(answer["GOVERSION"]) < _numbers(f"go{wanted}"):
        raise ToolchainError(f"{answer['GOVERSION']} is too old: {advice}")
    return Go(answer["GOVERSION"], Path(answer["GOCACHE"]), Path(answer["GOMODCACHE"]))


def _numbers(version: str) -> tuple[int, int, int]:
    match = _VERSION.match(version)
    if match is None:
        return (0, 0, 0)
    major, minor, patch = match.groups(default="0")
    return (int(major), int(minor), int(patch))


@dataclass
class Runner:
    """Runs Go commands and can end the ones that run, from another thread."""

    environment: Mapping[str, str]
    _running: set[subprocess.Popen[str]] = field(default_factory=set[subprocess.Popen[str]])
    _lock: Lock = field(default_factory=Lock)
    _stopped: bool = False

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        keep_open: Sequence[int] = (),
    ) -> tuple[int, str, str]:
        """Exit code (negative: the signal), standard output and standard error of `go` with these arguments.

        The command is a process group of its own, so that `stop` ends its compilers too, and a session of its own: the
        kernel gives each session its share, however much runs in the user's. It inherits the descriptors `keep_open`:
        a lock that must last as long as the command, even where this process is killed.
        """
        with self._lock:
            if self._stopped:
                return -signal.SIGTERM, "", "stopped"
            process = subprocess.Popen(
                behind(["go", *arguments]),
                cwd=cwd,
                env=os.environ | dict(self.environment) | dict(environment or {}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                pass_fds=tuple(keep_open),
            )
            self._running.add(process)
        try:
            out, err = process.communicate()
        except BaseException:
            _end(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        return process.returncode, out, err

    def stop(self) -> None:
        """End what runs and refuse to run more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _end(process)

    @property
    def stopped(self) -> bool:
        return self._stopped


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def passes(code: int, output: str) -> bool:
    """Whether a Go command that failed may do better when it is run again, with nothing mended."""
    return code < 0 or "signal: killed" in output or any(sign in output for sign in _UNREACHABLE)


def explain(what: str, code: int, output: str, *, go_mod: Path, log: Path) -> str:
    """One line for a failed Go command: what it was doing, why it failed, what to do."""
    if code < 0 or "signal: killed" in output:
        reason = signal.Signals(-code).name if code < 0 else "SIGKILL to a compiler, often for want of memory"
        return f"{what} was killed ({reason}): run the command again, it goes on from where it was"
    if match := _WRONG_SUM.search(output):
        return (
            f"{what}: {match['module']} does not have the checksum of go.sum: the download was altered, do not use it"
        )
    if match := _NOT_SERVED.search(output):
        return (
            f"{what}: {match['module']} is not served by the module proxy: "
            f"set GOPROXY to one that serves it, or choose another version in {go_mod}"
        )
    if "no space left on device" in output:
        return f"{what}: the disk is full: free some space and run the command again, it goes on from where it was"
    if any(sign in output for sign in _UNREACHABLE):
        return f"{what}: the module proxy cannot be reached: check the network and GOPROXY, then run the command again"
    first = next((line for line in output.splitlines() if line.strip() and not line.startswith("#")), "no output")
    return f"{what} failed: {first.strip()[:200]} (all of it: {log})"
