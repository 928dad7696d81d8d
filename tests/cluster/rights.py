"""Asks the API server who may do what: one SubjectAccessReview a question."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.cluster.environment import Environment


@dataclass(frozen=True, slots=True)
class Question:
    """May ``user`` (with ``groups``) do ``verb`` on ``resource`` of ``group``, on the object ``name`` ("": any)?

    ``namespace`` None asks for what has no namespace. ``resource`` may name a subresource, as ``pods/log``.
    """

    user: str
    verb: str
    resource: str
    group: str = ""
    name: str = ""
    namespace: str | None = "crypto"
    groups: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """The SubjectAccessReview."""
        resource, _, subresource = self.resource.partition("/")
        attributes = {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "name": self.name,
            "namespace": self.namespace or "",
        }
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": self.user, "groups": list(self.groups), "resourceAttributes": attributes},
        }


def account(name: str) -> str:
    """A service account of the namespace, as the API server names it."""
    return f"system:serviceaccount:crypto:{name}"


def answers(system: Environment, questions: Iterable[Question]) -> dict[Question, bool]:
    """Whether each is allowed."""
    asked = list(dict.fromkeys(questions))
    assert asked, "nothing is asked"
    # The package has no types of its own.
    kubernetes: Any = importlib.import_module("kubernetes")
    connection = kubernetes.config.new_client_from_config(str(system.instance.kubeconfig))
    api = kubernetes.client.AuthorizationV1Api(connection)

    def ask(question: Question) -> bool:
        return bool(api.create_subject_access_review(question.body()).status.allowed)

    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(asked, pool.map(ask, asked), strict=True))
