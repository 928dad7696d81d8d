"""``python -m local.aws.server``: the AWS endpoint of the embedded environment."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

DEFAULT_PORT = 4566

log = logging.getLogger("local.aws.server")


class _InUtc(logging.Formatter):
    converter = time.gmtime


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 0 after an orderly end, 2 when the server could not start."""
    options = _parse(argv)
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(_InUtc("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines], force=True)
    for noisy in ("werkzeug", "botocore"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        return _serve(options.host, options.port, options.state)
    except (OSError, _StartError) as error:
        print(f"aws endpoint: {error}", file=sys.stderr)
        return 2


class _StartError(Exception):
    pass


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.aws.server", description=__doc__)
    parser.add_argument("--host", required=True, help="the one address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--state", type=Path, required=True, help="the folder that keeps the state")
    return parser.parse_args(argv)


def _serve(host: str, port: int, state: Path) -> int:
    started = time.monotonic()
    # moto and what it brings take more than a second to import; wrong arguments should not have to wait for it.
    from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingTypeStubs]
        DomainDispatcherApplication,
        create_backend_app,
    )

    from local.aws import bucket_policies
    from local.aws.store import KEPT_SERVICES, StateInUseError, StateStore
    from local.aws.wsgi import KeepingApplication

    try:
        store = StateStore(state)
    except StateInUseError as error:
        raise _StartError(str(error)) from None
    bucket_policies.install()
    dispatcher = DomainDispatcherApplication(create_backend_app)
    server = _listen(host, port)
    source = store.load()
    for service in KEPT_SERVICES:
        # The first request of a service would otherwise pay for building its application.
        dispatcher.app_instances[service] = create_backend_app(service)
    application = KeepingApplication(dispatcher, store)
    server.app = application
    _stop_on_signal(server)
    log.info("started address=%s:%d state=%s from=%s seconds=%.1f", host, server.server_port, state, source,
             time.monotonic() - started)  # fmt: skip
    server.serve_forever()
    server.server_close()
    application.close()
    log.info("stopped address=%s:%d", host, port)
    return 0


def _listen(host: str, port: int) -> Any:
    from moto.moto_server.werkzeug_app import MotoRequestHandler  # pyright: ignore[reportMissingTypeStubs]
    from werkzeug.serving import make_server

    class QuietHandler(MotoRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing: a backup is thousands of requests, and failures have their own line."""

    def not_ready(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return []

    try:
        # werkzeug prints and exits when the address is taken; the socket is asked first to say it in one line.
        _probe(host, port)
        return make_server(host, port, not_ready, threaded=True, request_handler=QuietHandler)
    except OSError as error:
        raise _StartError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def _probe(host: str, port: int) -> None:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _stop_on_signal(server: Any) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop that runs in this very thread, so it must be called from another one.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main())
