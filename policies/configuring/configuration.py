"""The configuration of a run, checked and complete: each rule's level and parameters, and where the waivers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from policies.configuring.levels import BLOCKING, Enforcement, levels_of
from policies.model import Finding, Meta, Parameters, Rule

LEVEL_KEY: Final = "enforcementLevel"
ALL_KEY: Final = "all"
# No rule of the catalogue: its parameter `file` names the stack's waivers, its findings are waivers that do not count.
WAIVERS_KEY: Final = "waivers"
WAIVERS_PARAMETER: Final = "file"
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class ConfigurationError(Exception):
    """The configuration says something that it may not say: one line that names the rule, the value and what may be."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Levels and parameters by rule, where they differ from the rule's own."""

    levels: Mapping[str, Enforcement] = field(default_factory=lambda: _NONE)
    parameters: Mapping[str, Parameters] = field(default_factory=lambda: _NONE)
    waivers: Path | None = None

    def level(self, meta: Meta) -> Enforcement:
        """How hard the rule is enforced in this run."""
        return self.levels.get(meta.name, Enforcement(meta.level.value))

    def blocks(self, finding: Finding) -> bool:
        """Whether a violation that the finding tells of stops an update."""
        return self.level(finding.rule) in BLOCKING

    def enabled(self, rules: Iterable[Rule]) -> list[Rule]:
        """The rules that are not switched off."""
        return [rule for rule in rules if self.level(rule.meta) is not Enforcement.DISABLED]


def configuration(given: Mapping[str, object], rules: Iterable[Rule], folder: Path) -> Configuration:
    """What a stack's file says, in the engine's form: ``{rule: level}`` or ``{rule: {enforcementLevel, parameters}}``.

    ``folder`` is the pack's: the path of the waivers is relative to it.

    Raises:
        ConfigurationError: an unknown rule, or a level that the rule does not admit. Parameters are checked by the
            schema, which ``policies.configuring.schema`` makes.
    """
    metas = {rule.meta.name: rule.meta for rule in rules}
    levels: dict[str, Enforcement] = {}
    parameters: dict[str, Parameters] = {}
    if ALL_KEY in given:
        levels = {name: _level(meta, given[ALL_KEY]) for name, meta in metas.items()}
    for name, said in given.items():
        if name in (ALL_KEY, WAIVERS_KEY):
            continue
        meta = metas.get(name)
        if meta is None:
            raise ConfigurationError(f"{name}: there is no such rule; docs/policies.md lists them all")
        if not isinstance(said, (str, dict)):
            raise ConfigurationError(f"{name}: {said!r}; allowed: a level, or an object of its parameters")
        entry = {LEVEL_KEY: said} if isinstance(said, str) else cast("dict[str, object]", said)
        if LEVEL_KEY in entry:
            levels[name] = _level(meta, entry[LEVEL_KEY])
        parameters[name] = {key: value for key, value in entry.items() if key != LEVEL_KEY}
    return Configuration(levels, parameters, _waivers(given.get(WAIVERS_KEY), folder))


def _level(meta: Meta, said: object) -> Enforcement:
    text = cast("dict[str, object]", said).get(LEVEL_KEY) if isinstance(said, dict) else said
    allowed = levels_of(meta)
    level = next((each for each in allowed if each.value == text), None)
    if level is None:
        why = "" if meta.waivable else " (nobody is excused from it)"
        raise ConfigurationError(f"{meta.name}: {LEVEL_KEY} is {text!r}; allowed: {', '.join(allowed)}{why}")
    return level


def _waivers(said: object, folder: Path) -> Path | None:
    if said is None:
        return None
    name = cast("dict[str, object]", said).get(WAIVERS_PARAMETER) if isinstance(said, dict) else None
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f'{WAIVERS_KEY}: allowed: {{"{WAIVERS_PARAMETER}": "path of a YAML file"}}')
    return folder / name
