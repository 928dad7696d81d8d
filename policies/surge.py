"""What a rollout adds."""

from __future__ import annotations

from math import ceil
from typing import Final

from policies import kinds
from policies.model import Resource
from policies.values import UnreadableValueError, counted, whole

# What the API server sets where a Deployment says nothing.
_DEFAULT: Final = "25%"


def surge(workload: Resource, replicas: int) -> int:
    """How many pods a rollout adds to so many replicas, for a while."""
    if workload.kind != kinds.DEPLOYMENT:
        return 0
    stated = workload.at("spec", "strategy", "rollingUpdate", "maxSurge")
    value = _DEFAULT if not stated.present or stated.hidden else stated.value
    try:
        return whole(value) if not isinstance(value, str) else ceil(counted(value.removesuffix("%")) * replicas / 100)
    except UnreadableValueError:
        return 0
