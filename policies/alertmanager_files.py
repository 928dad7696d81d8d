"""Alertmanager's own configuration in a ConfigMap or a Secret, in the words of an AlertmanagerConfig."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, cast

from policies.model import Resource
from policies.plain import MISSING, Node, Plain

_FILE: Final = re.compile(r"alertmanager\.ya?ml")
_MATCHER: Final = re.compile(r'\s*"?([^\s"=!~{},]+)"?\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^,}]*)')
_ESCAPED: Final = re.compile(r"\\(.)")
_OLDER: Final = (("match", "="), ("match_re", "=~"))


def specs(resource: Resource) -> Iterator[Node]:
    """What an AlertmanagerConfig would have as ``spec``; none where there is no such file, or it cannot be read."""
    for place in ("data", "stringData"):
        for key, node in resource.at(place).entries():
            if node.text is not None and _FILE.fullmatch(key):
                text = _decoded(node.text) if resource.kind.endswith("/Secret") and place == "data" else node.text
                content = _read(text)
                if isinstance(content, dict):
                    yield Node(_spec(Node(content)), resource.at(place), (key,))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _read(text: str) -> Plain:
    # Few stacks have such a file, and the reader of YAML takes 50 ms to load.
    from policies.sources.composing import UnreadableError, compose  # noqa: PLC0415 - see above

    try:
        return compose(text.encode())
    except UnreadableError:
        return MISSING


def _spec(config: Node) -> Plain:
    rules = [
        {
            "sourceMatch": _matchers(rule, "source_"),
            "targetMatch": _matchers(rule, "target_"),
            "equal": rule.at("equal").value,
        }
        for rule in config.at("inhibit_rules").elements()
    ]
    return {"route": _route(config.at("route")), "inhibitRules": cast("Plain", rules)}


def _route(route: Node) -> Plain:
    if route.hidden:
        return route.value
    return {
        "matchers": _matchers(route, ""),
        "receiver": route.at("receiver").value,
        "groupWait": route.at("group_wait").value,
        "continue": route.at("continue").value,
        "muteTimeIntervals": route.at("mute_time_intervals").value,
        "activeTimeIntervals": route.at("active_time_intervals").value,
        "routes": [_route(child) for child in route.at("routes").elements()],
    }


def _matchers(place: Node, side: str) -> Plain:
    """Matchers as they are written today, and in the older fields."""
    found: list[Plain] = []
    for text in place.at(f"{side}matchers").elements():
        found += [_matcher(*parts) for parts in _MATCHER.findall(text.text or "")] or [_matcher("", "=", "")]
    for key, kind in _OLDER:
        found += [_matcher(name, kind, str(node.value)) for name, node in place.at(f"{side}{key}").entries()]
    return found


def _matcher(name: str, kind: str, value: str) -> Plain:
    text = value.strip()
    if text.startswith('"'):
        text = _ESCAPED.sub(r"\1", text[1:-1])
    return {"name": name, "matchType": kind, "value": text}
