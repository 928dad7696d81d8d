"""Files of waivers for tests."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import yaml

TODAY = datetime.datetime.now(datetime.UTC).date()


def entry(rule: str, resource: str, **more: Any) -> dict[str, Any]:
    """A waiver that counts for another week."""
    good = {"owner": "platform", "reason": "being changed", "ticket": "OPS-1"}
    week = TODAY + datetime.timedelta(days=7)
    return {"rule": rule, "resource": resource, **good, "expires": str(week), **more}


def write(path: Path, *entries: Any) -> Path:
    """A file of waivers."""
    path.write_text(yaml.safe_dump(list(entries)))
    return path
