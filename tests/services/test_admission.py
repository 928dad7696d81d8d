"""The declared admission policies, tried on a real API server: rights on workloads are no rights on Secrets.

The same objects and rights stand in two namespaces, and the policies watch over one of them. So each change that they
refuse is seen accepted without them.
"""

from __future__ import annotations

import copy
import json
import ssl
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.manifests.render import Manifest, from_resources
from runbook import jobs
from tests.program import engine
from tests.services.api_server import ApiServer, api_server
from tests.waiting import wait_until

# Compilers are waited for by the fixture of the tools; etcd and the API server take some seconds.
pytestmark = pytest.mark.timeout(3600)
_WATCHED, _OPEN = "crypto", "elsewhere"
_FOLDERS = {
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets",
    "CronJob": "apis/batch/v1/namespaces/{}/cronjobs",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "Role": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ValidatingAdmissionPolicy": "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
_RBAC = "rbac.authorization.k8s.io"
_STRATEGIC = "application/strategic-merge-patch+json"
_Headers = list[tuple[str, str]]
_ON_CALL = [("Impersonate-User", "olga"), ("Impersonate-Group", "crypto:on-call")]
_ROTATION = [("Impersonate-User", f"system:serviceaccount:{_WATCHED}:jwt-rotation")]
# Who breaks the glass is on call as well.
_BREAK_GLASS = [*_ON_CALL, ("Impersonate-Group", "crypto:break-glass")]
_DEPLOYER: _Headers = []


@dataclass(frozen=True, slots=True)
class Place:
    """A workload whose pod template is tried."""

    kind: str
    name: str
    container: str

    def around(self, template: Mapping[str, Any]) -> dict[str, Any]:
        """A change of the pod template as a change of the object."""
        inner = {"template": template}
        return {"spec": {"jobTemplate": {"spec": inner}} if self.kind == "CronJob" else inner}


GATEWAY = Place("Deployment", "api-gateway", "api-gateway")
POSTGRES = Place("StatefulSet", "postgres", "postgres")
BACKUP = Place("CronJob", "backup-postgres", "ops")
CONFIG = Place("ConfigMap", "app-config", "")
_PLACES = (GATEWAY, POSTGRES, BACKUP)
_HOSTS_NETWORK = GATEWAY.around({"spec": {"hostNetwork": True}})


class Tried:
    """The API server, with requests as any user. Each is a dry run: the server judges it and keeps nothing."""

    def __init__(self, server: ApiServer, client: httpx.Client) -> None:
        self._server, self._client = server, client

    def add(self, item: Manifest, namespace: str = "") -> httpx.Response:
        """The object, made by the administrator, in a namespace of its own or in this one."""
        content = copy.deepcopy(dict(item.content))
        if namespace:
            content["metadata"]["namespace"] = namespace
        answer = self._client.post(_FOLDERS[item.kind].format(namespace), json=content)
        assert answer.is_success, answer.text
        return answer

    def stored(self, place: Place) -> Any:
        """The object as the server keeps it."""
        answer = self._client.get(f"{_FOLDERS[place.kind].format(_WATCHED)}/{place.name}")
        assert answer.is_success, answer.text
        return answer.json()

    def patched(
        self, who: _Headers, place: Place, change: Mapping[str, Any], namespace: str = _WATCHED
    ) -> httpx.Response:
        """The answer to a strategic merge patch."""
        path = f"{_FOLDERS[place.kind].format(namespace)}/{place.name}"
        headers = [*who, ("Content-Type", _STRATEGIC)]
        return self._client.patch(path, params={"dryRun": "All"}, content=json.dumps(change), headers=headers)

    def created(self, who: _Headers, job: Mapping[str, Any], namespace: str = _WATCHED) -> httpx.Response:
        """The answer to the creation of a Job."""
        path = _FOLDERS["Job"].format(namespace)
        return self._client.post(path, params={"dryRun": "All"}, json=job, headers=who)

    def kubectl(self, program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A run of kubectl by somebody on call."""
        config = self._server.kubeconfig(folder / "kubeconfig")
        who = ("--as=olga", "--as-group=crypto:on-call", f"--kubeconfig={config}")
        return subprocess.run([program, *who, *arguments], capture_output=True, text=True, timeout=60, check=False)

    @contextmanager
    def without(self, place: Place) -> Generator[None]:
        """The object is gone for a while."""
        kept = self.stored(place)
        path = _FOLDERS[place.kind].format(_WATCHED)
        assert self._client.delete(f"{path}/{place.name}").is_success
        yield
        for key in ("resourceVersion", "uid", "creationTimestamp"):
            del kept["metadata"][key]
        assert self._client.post(path, json=kept).is_success


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    return from_resources(engine.declared("prod"))


@pytest.fixture(scope="module")
def tried(tools_bin_dir: Path, objects: list[Manifest]) -> Iterator[Tried]:
    with api_server(tools_bin_dir, "--allow-privileged=true") as server:
        trusted = ssl.create_default_context(cafile=server.pki / "ca.crt")
        trusted.load_cert_chain(server.pki / "admin.crt", server.pki / "admin.key")
        with httpx.Client(verify=trusted, trust_env=False, base_url=server.url, timeout=60) as client:
            api = Tried(server, client)
            _prepare(api, client, objects)
            yield api


def _prepare(api: Tried, client: httpx.Client, objects: list[Manifest]) -> None:
    user_service = Place("Deployment", "user-service", "user-service")
    workloads = {(place.kind, place.name) for place in (*_PLACES, user_service, CONFIG)}
    for namespace in (_WATCHED, _OPEN):
        assert client.post("api/v1/namespaces", json={"metadata": {"name": namespace}}).is_success
        for item in objects:
            rights = item.kind in ("Role", "RoleBinding") and item.name in ("on-call", "jwt-rotation")
            if rights or (item.kind, item.name) in workloads or item.kind == "CronJob":
                api.add(item, namespace)
        _built_in(api, namespace)
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        for item in objects:
            if item.kind == kind:
                stored = api.add(item).json()
                # Nothing is defaulted: so what is declared can be compared with what a cluster has.
                assert stored["spec"] == item.content["spec"]
    # The server takes policies and bindings into use together, in the order in which they were made.
    job = {"metadata": {"name": "j", "labels": {"app": "backup-postgres"}}, "spec": _ANY_JOB}
    wait_until(lambda: not api.patched(_ON_CALL, GATEWAY, _HOSTS_NETWORK).is_success, "the last policy is in use")
    wait_until(lambda: not api.created(_ON_CALL, job).is_success, "the server knows the CronJobs")


def _built_in(api: Tried, namespace: str) -> None:
    """Rights by Kubernetes' own roles: without its controllers, nothing has put together what they are made of."""
    for name, parts in (("on-call", ["view"]), ("break-glass", ["admin", "edit", "view"])):
        for part in parts:
            binding = {
                "kind": "RoleBinding",
                "metadata": {"name": f"{name}-{part}"},
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"system:aggregate-to-{part}"},
                "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": f"crypto:{name}"}],
            }
            api.add(Manifest(binding), namespace)


_ANY_JOB = {"template": {"spec": {"containers": [{"name": "sh", "image": "busybox"}], "restartPolicy": "Never"}}}


def _in_container(**fields: Any) -> Mapping[str, Any]:
    """A change of the container, whose name the place fills in."""
    return {"spec": {"containers": [{"name": "", **fields}]}}


def _with_volume(**source: Any) -> Mapping[str, Any]:
    mount = [{"name": "mine", "mountPath": "/mine"}]
    return {"spec": {"volumes": [{"name": "mine", **source}], **_in_container(volumeMounts=mount)["spec"]}}


_RUN = {"command": ["sh", "-c", "cat /etc/crypto/secrets/*/*"]}
_SECRET_KEY = {"secretKeyRef": {"name": "postgres-superuser", "key": "password"}}
_TOKEN = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
_OTHER = {"name": "other", "image": "myregistry/api-gateway:1"}
_REFUSED: Mapping[str, Mapping[str, Any]] = {
    "another account": {"spec": {"serviceAccountName": "backup-resources"}},
    "a token": {"spec": {"automountServiceAccountToken": True}},
    "a Secret as a volume": _with_volume(secret={"secretName": "postgres-superuser"}),
    "a projected Secret": _with_volume(projected={"sources": [{"secret": {"name": "jwt-secret"}}]}),
    "a projected token": _with_volume(projected={"sources": [_TOKEN]}),
    "a Secret through CSI": _with_volume(csi={"driver": "secrets-store.csi.k8s.io", "readOnly": True}),
    "a volume claim": _with_volume(persistentVolumeClaim={"claimName": "data-redis-0"}),
    "a folder of the node": _with_volume(hostPath={"path": "/var/lib/kubelet"}),
    "a volume that leads elsewhere": {
        "spec": {"volumes": [{"name": "tmp", "emptyDir": None, "secret": {"secretName": "postgres-superuser"}}]}
    },
    "a mount": _in_container(volumeMounts=[{"name": "tmp", "mountPath": "/mine"}]),
    "a variable": _in_container(env=[{"name": "LD_PRELOAD", "value": "/tmp/mine.so"}]),
    "a variable of a Secret": _in_container(env=[{"name": "MINE", "valueFrom": _SECRET_KEY}]),
    "all of a Secret as variables": _in_container(envFrom=[{"secretRef": {"name": "postgres-superuser"}}]),
    "a command": _in_container(**_RUN),
    "arguments": _in_container(args=["access", "review"]),
    "a working directory": _in_container(workingDir="/mine"),
    "a hook": _in_container(lifecycle={"postStart": {"exec": _RUN}}),
    "a probe that runs a command": _in_container(
        livenessProbe={"exec": _RUN, "httpGet": None, "tcpSocket": None, "grpc": None}
    ),
    "an init container": {"spec": {"initContainers": [_OTHER]}},
    "another container": {"spec": {"containers": [_OTHER]}},
    "a privileged container": _in_container(securityContext={"privileged": True, "allowPrivilegeEscalation": True}),
    "a user of its own": {"spec": {"securityContext": {"runAsNonRoot": False, "runAsUser": 0}}},
    "the node's network": {"spec": {"hostNetwork": True}},
    "the node's processes": {"spec": {"hostPID": True}},
    "one space of processes": {"spec": {"shareProcessNamespace": True}},
    "an image of another registry": _in_container(image="evil.example.com/myregistry/api-gateway:1"),
    "an image of another repository": _in_container(image="myregistry/sentiment:1"),
    "an image below the repository": _in_container(image="myregistry/api-gateway/evil:1"),
    "a login of a registry": {"spec": {"imagePullSecrets": [{"name": "postgres-superuser"}]}},
    "another pull policy": _in_container(imagePullPolicy="Always"),
    "a node": {"spec": {"nodeName": "mine"}},
    "a choice of nodes": {"spec": {"nodeSelector": {"mine": "yes"}}},
    "addresses of hosts": {"spec": {"hostAliases": [{"ip": "203.0.113.1", "hostnames": ["redis"]}]}},
    "a server of names": {"spec": {"dnsConfig": {"nameservers": ["203.0.113.1"]}}},
    "a label that opens a flow": {"metadata": {"labels": {"app.kubernetes.io/part-of": "mine"}}},
    "an annotation of an injector": {"metadata": {"annotations": {"vault.hashicorp.com/agent-inject": "true"}}},
}
_RESTART = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-03-01T09:00:00Z"}}}
_ALLOWED: Mapping[str, Mapping[str, Any]] = {
    "a restart": _RESTART,
    "a restart of the rotation": {"metadata": {"annotations": {"crypto.analytics/jwt-phase": "switched"}}},
    "resources": _in_container(resources={"requests": {"cpu": "1"}, "limits": {"memory": "32Gi"}}),
    "a tag": _in_container(image="{repository}:1.2.3"),
    "a digest": _in_container(image="{repository}@sha256:" + "0" * 64),
    "a tag and a digest": _in_container(image="{repository}:1.2.3@sha256:" + "0" * 64),
}


def _change(template: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The change of a template as one of the place, whose container and repository it is about."""
    filled = copy.deepcopy(dict(template))
    for container in filled.get("spec", {}).get("containers", ()):
        container["name"] = container["name"] or place.container
        if "image" in container:
            repository = "myregistry/" + ("ops" if place is BACKUP else place.container)
            container["image"] = container["image"].replace("{repository}", repository)
    return place.around(filled)


@pytest.mark.parametrize("place", _PLACES, ids=lambda place: place.kind)
@pytest.mark.parametrize("what", _REFUSED)
def test_on_call_changes_nothing_by_which_a_pod_reaches_more(tried: Tried, what: str, place: Place) -> None:
    change = _change(_REFUSED[what], place)
    elsewhere, refused = (tried.patched(_ON_CALL, place, change, namespace) for namespace in (_OPEN, _WATCHED))
    assert elsewhere.status_code == 200, elsewhere.text
    assert refused.status_code == 403, refused.text
    message = refused.json()["message"]
    assert f"the pods of {place.kind} {place.name} differ: " in message
    assert message.endswith("change the rest by a deployment, or break the glass")


@pytest.mark.parametrize("place", _PLACES, ids=lambda place: place.kind)
@pytest.mark.parametrize("what", _ALLOWED)
def test_on_call_restarts_upgrades_and_makes_room(tried: Tried, what: str, place: Place) -> None:
    answer = tried.patched(_ON_CALL, place, _change(_ALLOWED[what], place))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("place", "spec"),
    [
        (GATEWAY, {"replicas": 7}),
        (GATEWAY, {"paused": True}),
        (POSTGRES, {"replicas": 0}),
        (BACKUP, {"suspend": True}),
        (BACKUP, {"schedule": "0 3 * * *"}),
    ],
    ids=str,
)
def test_on_call_scales_pauses_and_suspends(tried: Tried, place: Place, spec: dict[str, Any]) -> None:
    answer = tried.patched(_ON_CALL, place, {"spec": spec})
    assert answer.status_code == 200, answer.text


def test_a_refusal_names_what_differs(tried: Tried) -> None:
    template: dict[str, Any] = {"spec": {**_with_volume(secret={"secretName": "x"})["spec"], "hostPID": True}}
    template["spec"]["containers"][0]["image"] = "evil.example.com/x"
    message = tried.patched(_ON_CALL, GATEWAY, _change(template, GATEWAY)).json()["message"]
    told = message.partition("differ: ")[2].partition(";")[0]
    assert set(told.split(", ")) == {
        "hostPID", "volumes", "container api-gateway: volumeMounts", "container api-gateway: the repository of image"
    }  # fmt: skip


@pytest.mark.parametrize("service", ["api-gateway", "user-service"])
def test_the_rotation_restarts_its_services_and_changes_no_more(tried: Tried, service: str) -> None:
    place = Place("Deployment", service, service)
    stamp = tried.patched(_ROTATION, place, _change(_ALLOWED["a restart of the rotation"], place))
    assert stamp.status_code == 200, stamp.text
    for what in ("a Secret as a volume", "another account", "a command"):
        change = _change(_REFUSED[what], place)
        elsewhere, refused = (tried.patched(_ROTATION, place, change, namespace) for namespace in (_OPEN, _WATCHED))
        assert (elsewhere.status_code, refused.status_code) == (200, 403), (what, elsewhere.text, refused.text)


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"NODE_OPTIONS": "--import=data:text/javascript,evil"}},
        {"data": {"DATABASE_HOST": "evil.example.com"}},
        {"data": {"REDIS_HOST": None}},
        {"data": {"DATABASE_MAX_OVERFLOW": "50 --import=evil"}},
        {"binaryData": {"NODE_OPTIONS": "eA=="}},
        {"immutable": True},
    ],
    ids=str,
)
def test_on_call_sets_no_variable_of_services_but_the_pools_numbers(tried: Tried, change: dict[str, Any]) -> None:
    elsewhere, refused = (tried.patched(_ON_CALL, CONFIG, change, namespace) for namespace in (_OPEN, _WATCHED))
    numbers = {"data": {"DATABASE_MAX_OVERFLOW": "20", "DATABASE_POOL_TIMEOUT": "3"}}
    assert elsewhere.status_code == 200, elsewhere.text
    assert refused.status_code == 403, refused.text
    assert "ConfigMap app-config differs: " in refused.json()["message"]
    assert tried.patched(_ON_CALL, CONFIG, numbers).status_code == 200


@pytest.mark.parametrize("who", [_BREAK_GLASS, _DEPLOYER], ids=["break-glass", "deployer"])
def test_who_breaks_the_glass_or_deploys_is_not_bound(tried: Tried, who: _Headers) -> None:
    assert tried.patched(who, GATEWAY, _change(_REFUSED["a Secret as a volume"], GATEWAY)).status_code == 200
    assert tried.created(who, {"metadata": {"name": "j"}, "spec": _ANY_JOB}).status_code == 201


def _job(tried: Tried, name: str) -> dict[str, Any]:
    """A Job as kubectl makes it from a CronJob."""
    cron_job = tried.stored(Place("CronJob", name, "ops"))
    template = cron_job["spec"]["jobTemplate"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": name,
        "uid": cron_job["metadata"]["uid"],
        "controller": True,
    }
    by_hand = {"cronjob.kubernetes.io/instantiate": "manual"}
    labels = template["metadata"]["labels"]
    metadata = {"name": "by-hand", "labels": labels, "annotations": by_hand, "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": template["spec"]}


@pytest.mark.parametrize("name", jobs.BY_NAME)
def test_on_call_runs_each_job_by_hand(tried: Tried, name: str) -> None:
    answer = tried.created(_ON_CALL, _job(tried, name))
    assert answer.status_code == 201, answer.text


def _pod(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


def _volume(job: dict[str, Any]) -> None:
    _pod(job)["volumes"].append({"name": "mine", "secret": {"secretName": "jwt-secret"}})


def _sidecar(job: dict[str, Any]) -> None:
    _pod(job)["initContainers"] = [_OTHER]


_MADE_OTHERWISE: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "another account": lambda job: _pod(job).update(serviceAccountName="backup-resources", serviceAccount="x"),
    "a Secret": _volume,
    "another container": lambda job: _pod(job)["containers"].append(_OTHER),
    "an init container": _sidecar,
    "another image": lambda job: _pod(job)["containers"][0].update(image="myregistry/ops:1"),
    "another command": lambda job: _pod(job)["containers"][0].update(args=["backup", "resources"]),
    "a variable": lambda job: _pod(job)["containers"][0].update(env=[{"name": "HTTPS_PROXY", "value": "http://x"}]),
    "the node's network": lambda job: _pod(job).update(hostNetwork=True),
    "a Service's label": lambda job: job["spec"]["template"]["metadata"]["labels"].update(app="api-gateway"),
    "one label more": lambda job: job["spec"]["template"]["metadata"]["labels"].update(mine="yes"),
    "an annotation": lambda job: job["spec"]["template"]["metadata"]["annotations"].update(mine="yes"),
    "no deadline": lambda job: job["spec"].pop("activeDeadlineSeconds"),
    "the label of another job": lambda job: job["metadata"].update(labels={"app": "backup-redis"}),
}


@pytest.mark.parametrize("what", _MADE_OTHERWISE)
def test_on_call_creates_no_job_that_is_no_copy_of_a_cron_job(tried: Tried, what: str) -> None:
    job = _job(tried, "backup-postgres")
    _MADE_OTHERWISE[what](job)
    elsewhere, refused = (tried.created(_ON_CALL, job, namespace) for namespace in (_OPEN, _WATCHED))
    assert elsewhere.status_code == 201, elsewhere.text
    assert refused.status_code == 403, refused.text
    assert "Job by-hand is no copy of CronJob backup-" in refused.json()["message"]


@pytest.mark.parametrize("labels", [{}, {"app": "mine"}], ids=["no label", "a label of its own"])
def test_on_call_creates_no_job_that_names_no_cron_job(tried: Tried, labels: dict[str, str]) -> None:
    job = {"metadata": {"name": "mine", "labels": labels}, "spec": _ANY_JOB}
    elsewhere, refused = (tried.created(_ON_CALL, job, namespace) for namespace in (_OPEN, _WATCHED))
    assert elsewhere.status_code == 201, elsewhere.text
    assert refused.status_code == 403, refused.text
    assert (
        "Job mine is made from no CronJob of the system; allowed is: kubectl -n crypto create job --from"
        in refused.text
    )


def test_a_job_is_refused_while_its_cron_job_is_gone(tried: Tried) -> None:
    job = _job(tried, "backup-redis")
    with tried.without(Place("CronJob", "backup-redis", "ops")):
        wait_until(lambda: not tried.created(_ON_CALL, job).is_success, "a Job without its CronJob is refused")
        assert "no params found" in tried.created(_ON_CALL, job).json()["message"]
    wait_until(lambda: tried.created(_ON_CALL, job).is_success, "a Job of its CronJob is accepted")


def test_kubectl_does_what_the_runbook_says(tried: Tried, tools_bin_dir: Path, tmp_path: Path) -> None:
    kubectl = tools_bin_dir / "kubectl"
    made = ("create", "job", "by-hand", "--dry-run=server")
    for arguments in (
        (*made, "--from=cronjob/backup-postgres"),
        ("rollout", "restart", "deployment/api-gateway"),
        ("set", "image", "deployment/api-gateway", "api-gateway=myregistry/api-gateway:2", "--dry-run=server"),
    ):
        run = tried.kubectl(kubectl, tmp_path, *arguments)
        assert run.returncode == 0, run.stderr
    refused = tried.kubectl(kubectl, tmp_path, *made, "--image=busybox")
    assert refused.returncode != 0
    assert "is made from no CronJob of the system" in refused.stderr
