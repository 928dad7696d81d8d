"""Compares the tests of two revisions: each test that is gone needs a commit message with its name.

`python -m tests.running.names BEFORE [AFTER]` collects the tests of both revisions (default: HEAD) in work trees of
their own. A test that moved to another folder is still there: its name counts. It exits with 1 where a test went that
no commit message between the two names.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def collected(revision: str) -> Counter[str]:
    """The test functions of a revision by name, each with the number of its cases."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
            done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        finally:
            _git("worktree", "remove", "--force", str(tree))
    if done.returncode != 0:
        raise SystemExit(f"the tests of {revision} cannot be collected: {(done.stdout + done.stderr)[-2000:]}")
    return Counter(re.findall(r"^tests/[^:]*::(\w+)", done.stdout, re.MULTILINE))


def report(before: Mapping[str, int], after: Mapping[str, int], messages: str) -> tuple[list[str], bool]:
    """A line for each test that went or has fewer cases, and whether every one that went is named in a message."""
    lines: list[str] = []
    explained = True
    for name, count in sorted(before.items()):
        left = after.get(name, 0)
        if left >= count:
            continue
        named = re.search(rf"\b{name}\b", messages) is not None
        explained = explained and (named or left > 0)
        lines.append(f"{name}: {count} -> {left}, {'named' if named else 'not named'} in a commit message")
    new = sum(after.values()) - sum(count for name, count in after.items() if name in before)
    lines.append(f"{sum(before.values())} cases before, {sum(after.values())} after, {new} of them under new names")
    return lines, explained


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main(before: str, after: str = "HEAD") -> int:
    """Prints the report; 1 where the reason of a test that went is missing."""
    lines, explained = report(collected(before), collected(after), _git("log", "--format=%B", f"{before}..{after}"))
    print("\n".join(lines))
    return 0 if explained else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
