"""The pack's server: prints its port, as the engine expects of a plugin, and answers until the engine is gone."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

# The engine waits for the port before it does anything else: each import here is time of every preview.
import grpc
from pulumi.runtime.proto.analyzer_pb2_grpc import add_AnalyzerServicer_to_server

from policies.catalogue import ALL
from policies.protocol.pack import Pack
from policies.protocol.servicer import Servicer

FOLDER: Final = Path(__file__).resolve().parents[1]
# A whole stack comes in one message.
_LARGEST_MESSAGE: Final = 400 * 1024 * 1024
_LOOK_FOR_PARENT_SECONDS: Final = 5


def main() -> None:
    """Serves until the engine ends this process, or is no more."""
    parent = os.getppid()
    # The engine asks one thing at a time, and the pack need not guard what it keeps.
    options = [
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    ]
    server = grpc.server(ThreadPoolExecutor(max_workers=1), options=options)
    add_AnalyzerServicer_to_server(Servicer(Pack(ALL, FOLDER)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # The engine interrupts its plugins when it is done: that is no error.
    with suppress(KeyboardInterrupt):
        while server.wait_for_termination(timeout=_LOOK_FOR_PARENT_SECONDS) and os.getppid() == parent:
            pass


if __name__ == "__main__":
    main()
