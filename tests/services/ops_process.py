"""Runs of ``ops`` as processes that skip half a second of imports.

One process a worker imports everything once and then only copies itself: each copy is given its arguments, its
environment and its streams, and runs ``ops`` from the command line's first line on. A copy can be signalled, killed and
measured like any process. Tests of memory and of the start itself run `python -m scripts.cli` instead.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import IO, Final

from tests.running import figures

_MESSAGE_BYTES: Final = 1 << 17
_STARTED: Final = struct.Struct("i")
# The status as `waitpid` gives it, and the CPU time (seconds).
_ENDED: Final = struct.Struct("id")


class OpsProcess:
    """A run of ``ops``, with as much of ``subprocess.Popen`` as tests use."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        (out, out_end), (err, err_end), (self._status, status_end) = os.pipe(), os.pipe(), os.pipe()
        message = json.dumps([list(arguments), dict(environment)]).encode()
        ends = [out_end, err_end, status_end]
        socket.send_fds(_source(), [message], ends)
        for end in ends:
            os.close(end)
        self.stdout: IO[str] = os.fdopen(out)
        self.stderr: IO[str] = os.fdopen(err)
        self.returncode: int | None = None
        (self.pid,) = _STARTED.unpack(os.read(self._status, _STARTED.size))
        self._readers: list[tuple[threading.Thread, list[str]]] = []
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, daemon=True).start()

    def _await_end(self) -> None:
        status, cpu = _ENDED.unpack(os.read(self._status, _ENDED.size))
        os.close(self._status)
        figures.add_cpu_seconds(cpu)
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set()

    def poll(self) -> int | None:
        """Its exit code (negative: the signal), None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        self._ended.wait(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("ops", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """The text of both streams, once it has ended. Raises subprocess.TimeoutExpired; then call it again."""
        if not self._readers:
            self._readers = [_reader(stream) for stream in (self.stdout, self.stderr)]
        self.wait(timeout)
        # Children of the process may hold its streams open.
        for thread, _ in self._readers:
            thread.join(timeout)
            if thread.is_alive():
                raise subprocess.TimeoutExpired("ops", timeout or 0)
        out, err = ("".join(text) for _, text in self._readers)
        return out, err

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            # It may end at this moment.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it the hard way."""
        self.send_signal(signal.SIGKILL)


def _reader(stream: IO[str]) -> tuple[threading.Thread, list[str]]:
    text: list[str] = []
    thread = threading.Thread(target=lambda: text.append(stream.read()), daemon=True)
    thread.start()
    return thread, text


@cache
def _source() -> socket.socket:
    """The socket of the process that is copied; that one ends with this process."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(its.fileno())],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[its.fileno()],
    )
    its.close()
    return mine


def _import_all() -> None:
    import scripts

    for module in pkgutil.walk_packages(scripts.__path__, "scripts."):
        importlib.import_module(module.name)
    gc.freeze()


def _serve(channel: socket.socket) -> bool:
    """Copies this process for each message: True in a copy, False once no more messages come."""
    waiting: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd != channel.fileno():
                    _report(*waiting.pop(key.fd))
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    continue
                message, (out, err, status), _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 3)
                if not message:
                    return False
                pid = os.fork()
                if pid == 0:
                    os.close(status)
                    _become(message, out, err)
                    return True
                os.set_inheritable(status, False)
                for end in (out, err):
                    os.close(end)
                os.write(status, _STARTED.pack(pid))
                ended = os.pidfd_open(pid)
                waiting[ended] = (pid, status)
                selector.register(ended, selectors.EVENT_READ)


def _report(pid: int, status: int) -> None:
    _, code, usage = os.wait4(pid, 0)
    # The test that started it may have ended without it.
    with contextlib.suppress(BrokenPipeError):
        os.write(status, _ENDED.pack(code, usage.ru_utime + usage.ru_stime))
    os.close(status)


def _become(message: bytes, out: int, err: int) -> None:
    arguments, environment = json.loads(message)
    for number, end in ((1, out), (2, err)):
        os.dup2(end, number)
        os.close(end)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["ops", *arguments]


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as source:
        copied = _serve(source)
    if copied:
        from scripts.cli import main

        main()
