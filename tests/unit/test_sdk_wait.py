"""The program waits for what it declared, for all that comes of it, and never for what will not come any more."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Final

from components import sdk_wait

_LONG_SECONDS: Final = 30


async def _settles(*work: asyncio.Task[None]) -> None:
    async with asyncio.timeout(_LONG_SECONDS / 10):
        await sdk_wait.for_declared()
    for task in work:
        task.cancel()


def test_it_waits_for_what_is_declared_and_for_what_that_declares() -> None:
    known: list[str] = []

    async def second() -> None:
        await asyncio.sleep(0.01)
        known.append("second")

    async def first(later: list[asyncio.Task[None]]) -> None:
        await asyncio.sleep(0.01)
        known.append("first")
        later.append(asyncio.ensure_future(second()))

    async def program() -> None:
        later: list[asyncio.Task[None]] = []
        await _settles(asyncio.ensure_future(first(later)))
        assert known == ["first", "second"]
        assert len(later) == 1

    asyncio.run(program())


def test_it_returns_at_once_where_nothing_is_declared() -> None:
    asyncio.run(_settles())


def test_what_fails_is_not_waited_beyond() -> None:
    async def bad() -> None:
        raise ValueError

    async def never() -> None:
        await asyncio.sleep(_LONG_SECONDS)

    async def program() -> None:
        failing = asyncio.ensure_future(bad())
        await _settles(failing, asyncio.ensure_future(never()))
        assert failing.done()

    asyncio.run(program())


def test_what_is_cancelled_has_ended() -> None:
    async def program() -> None:
        task = asyncio.ensure_future(asyncio.sleep(_LONG_SECONDS))
        task.cancel()
        await _settles()
        assert task.cancelled()

    asyncio.run(program())


def test_what_a_step_declares_is_on_its_way_before_the_next_step() -> None:
    seen: list[str] = []

    async def sent(name: str) -> None:
        # A registration awaits several things before it is sent, each of which is known already.
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append(f"{name} is sent")

    def steps(tasks: list[asyncio.Task[None]]) -> Generator[None, None, str]:
        for name in ("first", "second"):
            seen.append(f"{name} is declared")
            tasks.append(asyncio.ensure_future(sent(name)))
            yield
        return "all"

    async def program() -> str:
        tasks: list[asyncio.Task[None]] = []
        result = await sdk_wait.beside(steps(tasks))
        assert all(task.done() for task in tasks)
        return result

    assert asyncio.run(program()) == "all"
    assert seen == ["first is declared", "first is sent", "second is declared", "second is sent"]
