"""Runs a Pulumi program under Pulumi's mocks and records every resource with its inputs and its options.

The SDK's own mocks do not show options (protect, aliases ...), and a program that registers nothing passes any
statement about "all resources": so the monitor is subclassed, and ``run`` refuses an empty result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pulumi.runtime import mocks, rpc, settings, stack
from pulumi.runtime.proto import resource_pb2

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True)
class Registered:
    """A resource as the program asked for it."""

    token: str
    name: str
    inputs: dict[str, Any]
    parent: str
    protect: bool
    retain_on_delete: bool
    custom: bool
    provider: str
    depends_on: frozenset[str]
    ignored: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class _Echo(mocks.Mocks):
    """Gives every resource back what it was asked to be, with the identifiers that AWS would add."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        state = cast("dict[str, Any]", dict(args.inputs))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] (the SDK's is a bare dict)
        if args.typ.startswith("aws:"):
            state.setdefault("arn", f"arn:aws:test:::{args.name}")
            state.setdefault("keyId", f"{args.name}-key-id")
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program called {args.token}; a preview without credentials must not")


class _Recorder(mocks.MockMonitor):
    registered: list[Registered]

    def __init__(self) -> None:
        super().__init__(_Echo())
        self.registered = []

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802 (gRPC's name)
        self.registered.append(
            Registered(
                token=request.type,
                name=request.name,
                inputs=rpc.deserialize_properties(request.object),
                parent=request.parent,
                protect=bool(request.protect),
                retain_on_delete=bool(request.retainOnDelete),
                custom=request.custom,
                provider=request.provider,
                depends_on=frozenset(request.dependencies),
                ignored=tuple(request.ignoreChanges),
                aliases=tuple(request.aliasURNs),
            )
        )
        return super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType] (untyped in the SDK)


def run(program: Callable[[], Any], *, project: str = "crypto", stack_name: str = "test") -> list[Registered]:
    """Every resource that the program registers, in order of registration.

    Raises:
        AssertionError: the program registered nothing, or called a function of a provider.
    """
    monitor = _Recorder()
    # Mocks register the stack itself: on the loop that the program will run on.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    settings.reset_options(project=project, stack=stack_name)
    mocks.set_mocks(_Echo(), project=project, stack=stack_name, preview=False, monitor=monitor)
    try:
        loop.run_until_complete(stack.run_pulumi_func(program))
    finally:
        loop.close()
    found = [resource for resource in monitor.registered if resource.token != STACK_TYPE]
    if not found:
        raise AssertionError("the program registered nothing")
    return found
