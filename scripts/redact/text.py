"""Removes secrets from a text."""

from __future__ import annotations

from scripts.redact import addresses, announced, frames, keys, manifests, pairs, programs, shapes


def clean(text: str) -> str:
    """``text`` without any announced secret, and without what its shape, its key or its frame shows to be one."""
    text = announced.without(text)
    text = keys.masked(text)
    text = manifests.masked(text)
    text = addresses.masked(text)
    text = frames.masked(text)
    text = programs.masked(text)
    text = shapes.masked(text)
    return pairs.masked(text)
