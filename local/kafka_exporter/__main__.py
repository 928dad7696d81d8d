"""Serve until SIGTERM."""

import signal
import sys
import threading

from .collector import Collector
from .flags import parse
from .server import Server


def main() -> int:
    """Returns the exit code: 0 after a signal, 1 when the address is taken."""
    flags = parse(sys.argv[1:])
    try:
        server = Server(flags.host, flags.port, flags.path, Collector(flags).collect)
    except OSError as error:
        sys.stderr.write(f"--web.listen-address={flags.host}:{flags.port}: {error.strerror}\n")
        return 1
    # From a thread: shutdown waits for the loop that the signal interrupted.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: threading.Thread(target=server.shutdown).start())
    sys.stderr.write(f"listening on {flags.host}:{server.server_port}, asking {', '.join(flags.servers)}\n")
    server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
