"""The providers name a cluster and an account, and hold nothing of the machine that deploys."""

from __future__ import annotations

import pytest

from components import providers
from tests.program import engine, settings


@pytest.mark.parametrize("stack", ["local", "prod"])
@pytest.mark.parametrize("path", ["/home/someone/.kube/config", "/one/kubeconfig:/two/kubeconfig"])
def test_the_kubeconfig_of_the_caller_never_enters_the_state(
    stack: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", path)
    registered = engine.run(lambda: providers.declare(settings.load(stack)))
    cluster = [item for item in registered if item.token == "pulumi:providers:kubernetes"]
    assert len(cluster) == 1
    # Empty, not absent: the SDK puts the variable's value where nothing is given.
    assert cluster[0].inputs["kubeconfig"] == ""
    assert path not in repr(registered)
