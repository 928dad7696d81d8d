"""A policy pack without a rule, as cheap as Python makes one: what it adds to a preview, any pack does.

It reads no message and answers each call with nothing, from bytes that lie ready.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

import grpc

# analyzer_pb2.AnalyzerInfo(name="empty"), and what any other message is that says nothing.
_INFO: Final = b"\n\x05empty"
_NOTHING: Final = b""


class _Anything(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        return cast("Any", grpc.unary_unary_rpc_method_handler)(answer(handler_call_details.method))


def answer(method: str) -> Callable[[bytes, Any], bytes]:
    """What answers a method of the analyzer's protocol."""
    told = _INFO if method.endswith("/GetAnalyzerInfo") else _NOTHING
    return lambda _request, _context: told


def main() -> None:
    """Serves until the engine ends it; its port is the first line of the output."""
    size = ("grpc.max_receive_message_length", -1)
    server = grpc.server(ThreadPoolExecutor(max_workers=1), handlers=[_Anything()], options=[size])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
