"""Child processes that end with the build and explain their failure in one line."""

import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from local.images.errors import ImageError
from local.priority import behind


class Children:
    """The child processes of one build.

    They inherit the descriptors `keep_open`: a lock held through them outlives a killed parent while a child still
    writes.
    """

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        self._keep_open = tuple(keep_open)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._ended = False

    def run(
        self,
        command: Sequence[str],
        *,
        log: Path,
        what: str,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> None:
        """Run `command` with its output appended to `log`.

        Raises:
            ImageError: the command is missing or failed; names `what`, the reason in the output, and the log.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            output.write(f"+ {' '.join(command)}\n".encode())
            output.flush()
            child = self._start(command, output, what, env, stdin is not None)
            try:
                child.communicate(stdin)
            finally:
                with self._guard:
                    self._running.discard(child)
                if child.poll() is None:
                    child.terminate()
                    child.wait()
        if child.returncode != 0:
            lines = _tail(log)
            raise ImageError(f"{what} failed: {_reason(lines)} (whole log: {log})").with_log(lines)

    def end(self) -> None:
        """Ask every running child to end and start no other; the `run` calls raise."""
        with self._guard:
            self._ended = True
            for child in self._running:
                child.terminate()

    def _start(
        self, command: Sequence[str], output: IO[bytes], what: str, env: Mapping[str, str] | None, feeds: bool
    ) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._ended:
                raise ImageError(f"{what} was not begun, because the build ended")
            if shutil.which(command[0], path=(os.environ if env is None else env).get("PATH")) is None:
                raise ImageError(f"{what}: the command {command[0]!r} is not installed")
            child = subprocess.Popen(
                behind(command),
                stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                pass_fds=self._keep_open,
            )
            self._running.add(child)
            return child


def _tail(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
        return [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]


def _reason(lines: list[str]) -> str:
    # Buildah's own last words only repeat the whole step.
    lines = [line for line in lines if not line.startswith(("Error: building at STEP", "subprocess exited", "level="))]
    for mark in ("No space left on device", "E: ", "error: ", "Error: ", "ERROR"):
        for line in reversed(lines):
            if mark in line:
                return line[:300]
    return lines[-1][:300] if lines else "it said nothing"
