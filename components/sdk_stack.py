"""Where in the program each resource was declared: in its own files, not in the SDK's, Python's or this machine's.

The SDK reads and sends the whole call stack with each resource, and the engine keeps it in the state: a sixth of it,
and another one on each machine. What is shown is the place of the declaration.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2

_PROGRAM: Final = Path(__file__).resolve().parents[1]
_LIBRARIES: Final = Path(sys.prefix).resolve()
# Resource, CustomResource or ComponentResource, and the resource's own class.
_CONSTRUCTORS: Final = 3


def shorten() -> None:
    """Send the program's own frames alone, the place of the declaration first."""
    resource._get_stack_trace = _trace  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] (the SDK has no setting)


def _trace() -> source_pb2.StackTrace:
    # The traceback module would read the source files of all frames.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] (documented)
    constructors, frames = 0, list[source_pb2.StackFrame]()
    while frame is not None:
        uri = _uri(frame.f_code.co_filename) if constructors >= _CONSTRUCTORS else None
        if uri is not None:
            frames.append(source_pb2.StackFrame(pc=source_pb2.SourcePosition(uri=uri, line=frame.f_lineno)))
        constructors += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    return source_pb2.StackTrace(frames=frames)


@functools.cache
def _uri(filename: str) -> str | None:
    path = Path(filename)
    own = path.is_relative_to(_PROGRAM) and not path.is_relative_to(_LIBRARIES)
    return path.as_uri() if own else None
