"""Looking at what the program registers: by kind, by name, by pod. Nothing found is an error, never an empty list."""

from __future__ import annotations

from typing import Any

from tests.program.engine import Registered


def of(stack: list[Registered], token_end: str) -> list[Registered]:
    """Every resource whose token ends so (``v1:Role``, ``Deployment``)."""
    found = [item for item in stack if item.custom and item.token.replace("/", ":").endswith(f":{token_end}")]
    assert found, f"the program registers no {token_end}"
    return found


def named(stack: list[Registered], token_end: str, name: str) -> dict[str, Any]:
    """The inputs of the one object of that kind and name."""
    found = [item for item in of(stack, token_end) if item.inputs["metadata"]["name"] == name]
    assert len(found) == 1, f"{token_end} {name}: {len(found)} of them"
    return found[0].inputs


def in_kubernetes(stack: list[Registered]) -> list[Registered]:
    """Every Kubernetes object."""
    found = [item for item in stack if item.custom and item.token.startswith("kubernetes:")]
    assert found, "the program registers nothing in Kubernetes"
    return found


def pods(stack: list[Registered]) -> list[tuple[str, dict[str, Any]]]:
    """The pod of every workload and job, with its resource's name."""
    workloads = [*of(stack, "Deployment"), *of(stack, "StatefulSet"), *of(stack, "v1:Job")]
    running = [(item.name, item.inputs["spec"]["template"]["spec"]) for item in workloads]
    jobs = [
        (item.name, item.inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]) for item in of(stack, "CronJob")
    ]
    return running + jobs


def labels(stack: list[Registered]) -> dict[str, dict[str, str]]:
    """The labels of every workload's pods, by their label ``app``."""
    workloads = [*of(stack, "Deployment"), *of(stack, "StatefulSet"), *of(stack, "v1:Job")]
    templates = [item.inputs["spec"]["template"] for item in workloads]
    templates += [item.inputs["spec"]["jobTemplate"]["spec"]["template"] for item in of(stack, "CronJob")]
    return {template["metadata"]["labels"]["app"]: template["metadata"]["labels"] for template in templates}
