"""The pod that takes Alertmanager's notifications, with `sink.py` as its program."""

from __future__ import annotations

import hashlib
from pathlib import Path

from local.paths import Instance
from local.platform.names import MONITORING, NOTIFICATIONS_PORT, notifications_address
from local.platform.objects import Manifest, container, http_probe, metadata, pod_security, service, workload

_NAME = "notifications"
_FOLDER = "/opt/notifications"
_PROGRAM = Path(__file__).with_name("sink.py")


def manifests(instance: Instance, python_image: str) -> list[Manifest]:
    """The sink; ``python_image`` is any image with a `python`."""
    program = _PROGRAM.read_text()
    ports = {"http": NOTIFICATIONS_PORT}
    command = ["python", f"{_FOLDER}/{_PROGRAM.name}", str(NOTIFICATIONS_PORT)]
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "securityContext": pod_security(65532),
        "volumes": [{"name": "program", "configMap": {"name": _NAME}}],
        "containers": [
            container(
                _NAME, python_image, command, ports, "64Mi", http_probe("/", "http"),
                volumeMounts=[{"name": "program", "mountPath": _FOLDER, "readOnly": True}],
            )
        ],
    }  # fmt: skip
    # A changed program makes a new pod.
    digest = {"crypto-operations.local/program": hashlib.sha256(program.encode()).hexdigest()[:12]}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(_NAME, MONITORING),
            "data": {_PROGRAM.name: program},
        },
        workload("Deployment", _NAME, MONITORING, pod, digest),
        service(
            _NAME, MONITORING, ports, {"app.kubernetes.io/name": _NAME}, clusterIP=str(notifications_address(instance))
        ),
    ]
