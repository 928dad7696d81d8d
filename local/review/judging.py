"""The verdict on a stack's preview, from the engine's event log alone, by the rules and waivers of this checkout."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from local.pulumi_cli import PROJECT_ROOT, policy_config
from policies.catalogue import ALL, BY_NAME
from policies.checking import check
from policies.configuring.configuration import Configuration, ConfigurationError
from policies.configuring.reading import read as read_configuration
from policies.reporting import as_json, sarif
from policies.reporting.result import Result
from policies.sources import preview as event_log
from policies.sources.source import SourceError
from policies.waiving.applying import Ledger
from policies.waiving.reading import WaiversError, default_file, today, waivers

EVENTS: Final = ".events.json"
"""How the name of a stack's event log ends; what stands before it is the stack's name."""

_SUCCEEDED: Final = "succeeded"
# The engine's own names of steps. A log may come from outside: another word is counted, and not repeated.
_STEPS: Final = frozenset(
    {"create", "delete", "import", "read", "refresh", "replace", "same", "update"}
    | {f"{step}-replaced" for step in ("delete", "discard", "read")}
    | {"create-replacement", "discard", "import-replacement", "read-replacement", "remove-pending-replace"}
)
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One stack's preview and what the policies say of it. ``broken`` is why there is no verdict."""

    stack: str
    operations: Counter[str]
    result: Result | None
    broken: str = ""

    @property
    def well(self) -> bool:
        """The preview ran to its end, and nothing stops an update."""
        return self.result is not None and self.result.clean


def judge(stack: str, events: Path) -> Reviewed:
    """What the policies say of the stack; a log that is missing, unreadable or cut off has no verdict."""
    if not events.is_file():
        return Reviewed(stack, Counter(), None, "the preview left no log of its steps")
    try:
        result = _verdict(stack, events)
        steps, outcome = _progress(events)
    except SourceError as error:
        return Reviewed(stack, Counter(), None, f"the log of the preview cannot be read: {error}")
    except (ConfigurationError, WaiversError) as error:
        return Reviewed(stack, Counter(), None, f"the policies cannot be configured: {error}")
    # A preview that the policies stopped is no broken one.
    if result.clean and outcome != _SUCCEEDED:
        return Reviewed(stack, steps, None, "the preview did not succeed; its own log says why")
    return Reviewed(stack, steps, result)


def _verdict(stack: str, events: Path) -> Result:
    file = policy_config(stack)
    configuration = read_configuration(file, ALL) if file else Configuration()
    path = configuration.waivers or default_file(PROJECT_ROOT / "policies")
    metas = {name: rule.meta for name, rule in BY_NAME.items()}
    return check(event_log.read(events), ALL, configuration, Ledger(waivers(path, metas, today())))


def _progress(events: Path) -> tuple[Counter[str], str]:
    """How many resources the preview would create, update and so on, and how the engine says that it ended."""
    found: Counter[str] = Counter()
    outcome = ""
    for line in filter(str.strip, events.read_text().splitlines()):
        event = _map(json.loads(line))
        if step := event.get("resourcePreEvent"):
            operation = _map(_map(step).get("metadata")).get("op")
            found[operation if isinstance(operation, str) and operation in _STEPS else _OTHER] += 1
        outcome = str(_map(event.get("summaryEvent")).get("result", outcome))
    return found, outcome


def _map(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def write(review: Reviewed, folder: Path) -> None:
    """Writes the findings of a stack that has a verdict as SARIF and as JSON."""
    if review.result is not None:
        (folder / f"{review.stack}.sarif").write_text(sarif.text(review.result))
        (folder / f"{review.stack}.json").write_text(as_json.text(review.result))
