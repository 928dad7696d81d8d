"""A stack as ``pulumi stack export`` writes it, so that the real engine can judge it without a cluster or a login."""

from __future__ import annotations

from typing import Any

from tests.policies.stack import PROJECT, Stack

_ROOT = f"{PROJECT}pulumi:pulumi:Stack::crypto-test"
_TIME = "2026-01-01T00:00:00Z"


def exported(stack: Stack) -> dict[str, Any]:
    """The state file's content. Inputs and outputs are the same, as right after a creation without defaults."""
    packages = sorted({declared.type.partition(":")[0] for declared in stack.values()})
    resources = [_entry(_ROOT, "pulumi:pulumi:Stack", {}, custom=False), *(_provider(package) for package in packages)]
    for declared in stack.values():
        package = declared.type.partition(":")[0]
        entry = _entry(declared.urn, declared.type, declared.properties, custom=True)
        links = {key: [stack[name].urn for name in names] for key, names in declared.links.items()}
        resources.append(
            {
                **entry,
                "id": declared.name,
                "parent": _ROOT,
                "protect": declared.protect,
                "provider": f"{_provider_urn(package)}::{package}-id",
                "propertyDependencies": links,
                "dependencies": sorted({urn for urns in links.values() for urn in urns}),
            }
        )
    manifest = {"time": _TIME, "magic": "", "version": "v3.259.0"}
    return {"version": 3, "deployment": {"manifest": manifest, "resources": resources}}


def _entry(urn: str, kind: str, properties: dict[str, Any], *, custom: bool) -> dict[str, Any]:
    return {"urn": urn, "type": kind, "custom": custom, "inputs": properties, "outputs": properties}


def _provider(package: str) -> dict[str, Any]:
    entry = _entry(_provider_urn(package), f"pulumi:providers:{package}", {}, custom=True)
    return {**entry, "id": f"{package}-id"}


def _provider_urn(package: str) -> str:
    return f"{PROJECT}pulumi:providers:{package}::default"
