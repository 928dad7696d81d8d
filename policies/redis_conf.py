"""What Redis is told: by its arguments, else by a redis.conf that it mounts."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from policies.environment import directive, files
from policies.index import StackIndex
from policies.model import Resource
from policies.plain import Marker, Node, Plain

# A key and its value have no sign between them.
_BLANK: Final = r"(?=[ \t])"


def setting(index: StackIndex, redis: Resource, container: Node, key: str) -> Plain:
    """The value of a directive; the last one counts.

    UNKNOWN or SECRET where it may stand in what cannot be read, MISSING where nothing sets it.
    """
    words = [node.value for place in ("command", "args") for node in container.at(place).elements()]
    given = [value for flag, value in pairwise(words) if flag == f"--{key}"]
    if given:
        return given[-1]
    hidden = next((word for word in words if isinstance(word, Marker)), None)
    return directive(files(index, redis), key, assignment=_BLANK) if hidden is None else hidden
