"""One fresh process of `benchmarks.construction`: prints what it measured as JSON.

`program STACK`: CPU seconds that each import takes, then the program's first and second construction under mocks.
`services N`: CPU seconds for N synthetic services, after some to warm up.

Imports happen inside of functions by name, because they are what is measured.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable

# In the order in which the program needs them: each is measured without what was imported before it.
IMPORTS = ("pulumi", "pulumi_kubernetes", "pulumi_aws", "components.system", "components.stack_config")
_WARM_UP = 10


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def program(stack: str) -> dict[str, float]:
    """Seconds by phase, and the number of resources."""
    measured = {name: _seconds(lambda name=name: importlib.import_module(name)) for name in IMPORTS}
    stack_files = importlib.import_module("local.stack_files")
    before = len(sys.modules)
    measured["first"] = _seconds(lambda: stack_files.record(stack))
    measured["lazy_modules"] = len(sys.modules) - before
    measured["again"] = _seconds(lambda: stack_files.record(stack))
    measured["resources"] = len(stack_files.record(stack))
    return measured


def services(count: int) -> dict[str, float]:
    """Seconds for the services, with Python's garbage collector at work and without, and how many resources they are.

    The collector walks everything that lives, which under mocks is every resource: only without it, a cost that grows
    would be the program's own.
    """
    importlib.import_module("components.sdk").prepare()
    synthetic = importlib.import_module("benchmarks.synthetic")
    synthetic.construct(_WARM_UP)
    collected = _seconds(lambda: synthetic.construct(count))
    gc.collect()
    gc.disable()
    seconds = _seconds(lambda: synthetic.construct(count))
    return {"seconds": seconds, "collected": collected, "resources": count * synthetic.construct(1)}


def main() -> None:
    """Measures what the arguments say."""
    what, argument = sys.argv[1:]
    print(json.dumps(program(argument) if what == "program" else services(int(argument))))


if __name__ == "__main__":
    main()
