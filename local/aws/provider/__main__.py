"""``python -m local.aws.provider ENGINE``: the plugin process that the engine starts."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

from local.aws.provider.errors import ProviderError
from local.aws.provider.provider import AwsProvider, plugin_version

# As the engine's own: a message of gRPC is else at most 4 MB.
_LARGEST_MESSAGE = 1024 * 1024 * 400
_METHODS = ("CheckConfig", "Configure", "Invoke", "Check", "Diff", "Create", "Read", "Update", "Delete")


class Servicer(ProviderServicer):
    """Turns a ProviderError into a gRPC status: the SDK's own server shows it with a traceback."""

    def __init__(self, provider: AwsProvider, engine_address: str) -> None:
        super().__init__([], plugin_version(), provider, engine_address)
        for name in _METHODS:
            setattr(self, name, _plain_errors(getattr(self, name)))


def _plain_errors(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await method(request, context)
        except ProviderError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return call


async def _serve(engine_address: str) -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(AwsProvider(), engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # The engine waits for the end of this process, and Python would look for garbage among all that it has imported.
    gc.freeze()
    # The engine reads the port from the first line of the standard output.
    print(port, flush=True)
    await server.wait_for_termination()


def main(arguments: list[str]) -> int:
    """Serve until the engine ends the process. The engine's address is the argument that is no option."""
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    if not addresses:
        print("aws provider: started by hand; the Pulumi engine starts it with its own address", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(addresses[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
