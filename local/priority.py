"""Who goes first on a busy machine: the cluster's daemons and pods, then this program, then its compilers.

A compiler's nice value alone protects no daemon. Linux divides a processor between sessions and cgroups first
(`sched_autogroup_enabled`), and a nice value counts only inside of one: there, a compiler with nice 19 still takes half
of it from a daemon. What protects the daemons is the weight of their cgroup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# Beside a busy loop of the user in the same session a compiler gets 25% of a processor with this; with nice 10 it gets
# 10%, with nice 19 it gets 1.8%, by which a cold start would take a day.
_COMPILERS_NICE: Final = 5
# Ten times that of a session: beside two compilers that is 94% of a processor where it is wanted, beside a compiler and
# a busy loop of the user 83%.
START_WEIGHT: Final = 10.0
NORMAL_WEIGHT: Final = 1.0


def behind(command: Sequence[str]) -> list[str]:
    """The command, such that it and all that it starts come after everything else that this program runs."""
    return ["nice", "-n", str(_COMPILERS_NICE), *command]
