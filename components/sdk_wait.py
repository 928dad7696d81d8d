"""When the program lets the SDK's tasks run: beside the declaration, and to their end.

The SDK sends nothing to the engine while the program declares, and at its end looks at every outstanding output each
time that one of them is known: hundreds of outputs, hundreds of times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Final, TypeVar

_Result = TypeVar("_Result")

# A registration takes so many turns of the event loop until it is on its way.
_TURNS: Final = 8


async def beside(steps: Generator[None, None, _Result]) -> _Result:
    """The result of ``steps``; each time that they yield, what they have declared is sent.

    The engine and its providers then work on the first resources while the last ones are made.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        for _ in range(_TURNS):
            await asyncio.sleep(0)


async def for_declared() -> None:
    """Return when the engine has answered to everything declared so far, and to what came of that.

    When anything fails it returns at once: what then ends the program, and how it is told, is the SDK's.
    """
    own = asyncio.current_task()
    while outstanding := asyncio.all_tasks() - {own}:
        done, _ = await asyncio.wait(outstanding, return_when=asyncio.FIRST_EXCEPTION)
        if any(not task.cancelled() and task.exception() for task in done):
            return
