"""The types of a class's properties: looked up once, and not for each object of it.

The SDK evaluates the annotations of every property of a class anew each time that it sends or gets a value of it:
thousands of times for the few hundred classes of a stack.
"""

from __future__ import annotations

import functools

from pulumi import _types  # pyright: ignore[reportPrivateUsage]


def remember() -> None:
    """Have the SDK look the types of a class up once; what they are does not change."""
    look_up = _types._types_from_py_properties  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if not hasattr(look_up, "cache_info"):
        _types._types_from_py_properties = functools.cache(look_up)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
