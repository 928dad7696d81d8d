"""The diagnosis bundle's parts: descriptions without secrets, and parts that spoil no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import yaml

from scripts.diagnosis import bundle, objects
from scripts.diagnosis.parts import Part
from scripts.exits import TemporaryError


def test_a_description_keeps_everything_but_secrets_and_noise() -> None:
    pod = {
        "metadata": {
            "name": "p",
            "managedFields": [{"manager": "x"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "kept": "yes"},
        },
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "args": ["--password", "hunter2", "--token=hunter2", "--port", "80"],
                    "env": [
                        {"name": "POSTGRES_PASSWORD", "value": "hunter2"},
                        {"name": "DATABASE_URL", "value": "postgresql://u:hunter2@db/x"},
                        {"name": "LOG_LEVEL", "value": "info"},
                        {"name": "JWT", "valueFrom": {"secretKeyRef": {"name": "jwt-secret", "key": "secret"}}},
                    ],
                }
            ],
            "volumes": [{"name": "s", "secret": {"secretName": "postgres"}}],
        },
        "status": {"restartCount": 3, "ready": False},
    }

    text = objects.as_yaml(pod)
    found = yaml.safe_load(text)

    assert "hunter2" not in text
    assert found["metadata"] == {"name": "p", "annotations": {"kept": "yes"}}
    container = found["spec"]["containers"][0]
    assert container["args"] == ["--password", "***", "--token=***", "--port", "80"]
    assert [entry.get("value") for entry in container["env"]] == ["***", "postgresql://***@db/x", "info", None]
    assert container["env"][3]["valueFrom"]["secretKeyRef"]["name"] == "jwt-secret"
    assert found["spec"]["volumes"][0]["secret"] == {"secretName": "postgres"}
    assert found["status"] == {"restartCount": 3, "ready": False}


def test_a_part_that_hangs_or_fails_costs_no_other_anything() -> None:
    never = threading.Event()

    def hang(_: float) -> Mapping[str, str]:
        never.wait()
        return {}

    def refuse(_: float) -> Mapping[str, str]:
        raise TemporaryError("nobody answers, password=hunter2")

    def defect(_: float) -> Mapping[str, str]:
        raise KeyError("x")

    wanted = [
        Part("hangs", hang),
        Part("refuses", refuse),
        Part("defect", defect),
        Part("good", lambda _: {"a.txt": "text"}),
    ]
    start = time.monotonic()
    found = bundle.collect(wanted, 0.5)

    assert time.monotonic() - start < 10
    assert [(each.name, each.problem) for each in found] == [
        ("hangs", "no answer within 0.5 s"),
        ("refuses", "nobody answers, password=***"),
        ("defect", "KeyError: 'x'"),
        ("good", ""),
    ]
    assert found[3].files == {"a.txt": "text"}
