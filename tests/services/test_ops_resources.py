"""``ops backup resources``, ``ops restore resources`` and ``ops drill`` against an API server and an S3 endpoint."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.services import kube_api, ops_environment, signing_keys
from tests.services.kube_api import Fault, KubeApi
from tests.services.ops_environment import BUCKET, PREFIX, Answer, Environment, populate
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

pyrage: Any = importlib.import_module("pyrage")
_SECRET = "cGFzc3dvcmQtb2YtdGhlLWRhdGFiYXNl"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=5, prices=5)
        yield environment


@pytest.fixture
def environment(servers: Environment) -> Iterator[Environment]:
    servers.reset()
    good = servers.settings["backup"]
    yield servers
    servers.configure(backup=good)


@pytest.fixture
def api(environment: Environment) -> Iterator[KubeApi]:
    """A namespace like that of the system."""
    with kube_api.serving(kube_api.KINDS) as api:
        api.kubeconfig(environment.folder)
        api.add_served("configmaps", "kube-root-ca.crt", data={"ca.crt": "x"})
        for number in range(600):
            api.add_served("configmaps", f"config-{number}", data={"key": "ü" * 50})
        api.add_served("secrets", "postgres", data={"password": _SECRET}, type="Opaque")
        api.add_served("secrets", "token", data={"token": "eHh4"}, type="kubernetes.io/service-account-token")
        api.add_served("serviceaccounts", "backup-postgres")
        api.add_served("services", "redis", spec={"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": []})
        api.add_served("services", "kafka", spec={"clusterIP": "None"})
        annotations = {"pv.kubernetes.io/bind-completed": "yes", "mine": "1"}
        api.add_served(
            "persistentvolumeclaims", "data", metadata={"annotations": annotations}, spec={"volumeName": "pv-1"}
        )
        api.add_served("resourcequotas", "quota", spec={"hard": {"pods": "50"}})
        api.add_served("deployments", "api-gateway", spec={"replicas": 3})
        owner = [{"kind": "Deployment", "name": "api-gateway", "controller": True, "uid": "uid-1"}]
        api.add_served("replicasets", "api-gateway-1", metadata={"ownerReferences": owner})
        api.add_served("pods", "shell", spec={})
        api.add_served("ingresses", "gateway", spec={"tls": []})
        api.add_served("issuers", "letsencrypt", spec={})
        api.add_served("certificates", "gateway", spec={"secretName": "tls"})
        api.add_served("widgets", "mine", spec={})
        api.add_served("podmetrics", "shell")
        # Of two groups, as events are.
        api.add_served("events", "started")
        yield api


def _ops(environment: Environment, *arguments: str) -> Answer:
    return environment.ops(*arguments, "--json", extra={"KUBECONFIG": str(environment.folder / "kubeconfig")})


def _forbidden() -> Fault:
    """An account that may read and apply nothing."""
    return Fault("PATCH", "", 403, times=9999, message="Namespace/crypto is forbidden")


def _encrypt(environment: Environment) -> str:
    """Backups are encrypted from now on; the private key."""
    identity = pyrage.x25519.Identity.generate()
    file = environment.folder / "identity"
    file.write_text(str(identity))
    environment.configure(
        backup={
            **environment.settings["backup"],
            "publicKey": str(identity.to_public()),
            "privateKeyFile": str(file),
        }
    )
    return str(identity)


def _lines(environment: Environment, backup: str) -> list[dict[str, Any]]:
    key = f"{PREFIX}resources/{backup}/objects.jsonl.zst"
    packed = environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    text = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    return [json.loads(line) for line in text.splitlines()]


def _backup(environment: Environment) -> str:
    answer = _ops(environment, "backup", "resources")
    assert answer.code == 0, answer.stderr
    return answer.json["id"]


def test_every_kind_is_saved_page_by_page_bare_and_without_secrets_in_plain_text(
    environment: Environment, api: KubeApi
) -> None:
    answer = _ops(environment, "backup", "resources")

    assert answer.code == 0, answer.stderr
    assert answer.json["secrets"] == "left out: backups are not encrypted (backup.publicKey)"
    assert answer.json["kinds"]["ConfigMap.v1"] == 601
    # 250 a page.
    lists = {kind.path for kind in api.kinds}
    assert len([path for _, path in api.requests if path in lists]) == 3 + len(api.kinds) - 1 - 2
    lines = _lines(environment, answer.json["id"])
    labels = [f"{line['object']['kind']}/{line['object']['metadata']['name']}" for line in lines]
    assert {"Ingress/gateway", "PersistentVolumeClaim/data", "Certificate/gateway", "Widget/mine"} <= set(labels)
    assert labels.count("Event/started") == 1
    assert not [label for label in labels if label.startswith(("Secret/", "PodMetrics/"))]
    assert len(lines) == answer.json["objects"] == 601 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1
    for line in lines:
        assert "status" not in line["object"]
        assert not {"managedFields", "uid", "resourceVersion", "generation"} & set(line["object"]["metadata"])
    managed = [line["object"]["metadata"]["name"] for line in lines if line["managedBy"]]
    assert managed == ["api-gateway-1"]
    # The cluster's own certificates come by themselves, too.
    assert answer.json["managed"] == 2


def test_secrets_are_saved_where_backups_are_encrypted(environment: Environment, api: KubeApi) -> None:
    _encrypt(environment)

    answer = _ops(environment, "backup", "resources")

    assert answer.code == 0, answer.stderr
    assert answer.json["secrets"] == "saved"
    assert answer.json["kinds"]["Secret.v1"] == 2
    everything = b"".join(
        environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in sorted(environment.keys())
    )
    for text in (everything.decode(errors="replace"), answer.stdout, answer.stderr):
        assert _SECRET not in text
    restored = _ops(environment, "restore", "resources", "--yes")
    assert restored.code == 0, restored.stderr
    # The cluster fills the one that asks for a token, which nobody else makes.
    assert restored.json["applied"]["Secret.v1"] == 2
    assert {body["metadata"]["name"]: body.get("data") for _, body, _ in api.applied if body["kind"] == "Secret"} == {
        "postgres": {"password": _SECRET},
        "token": None,
    }


def test_a_kind_that_may_not_be_listed_is_named_and_a_failure_only_where_the_role_grants_it(
    environment: Environment, api: KubeApi
) -> None:
    api.faults.append(Fault("GET", "/widgets", 403, times=99))
    foreign = _ops(environment, "backup", "resources")
    api.faults.append(Fault("GET", "/ingresses", 403, times=99))
    granted = _ops(environment, "backup", "resources")

    assert (foreign.code, foreign.json["refused"]) == (0, ["widgets.example.com"])
    assert granted.code == 1
    assert "ingresses.networking.k8s.io" in granted.json["error"]
    # The rest is saved all the same.
    assert granted.json["kinds"]["Deployment.apps/v1"] == 1
    listed = _ops(environment, "backups", "list").json["backups"]
    assert {entry["id"] for entry in listed} == {foreign.json["id"], granted.json["id"]}


def test_an_extension_that_does_not_answer_is_named_and_one_of_the_systems_own_stops_the_backup(
    environment: Environment, api: KubeApi
) -> None:
    api.faults = [Fault("GET", "/apis/example.com/", 503, times=99)]
    foreign = _ops(environment, "backup", "resources")
    api.faults = [Fault("GET", "/apis/cert-manager.io/", 503, times=99)]
    own = _ops(environment, "backup", "resources")

    assert (foreign.code, foreign.json["refused"]) == (0, ["example.com/v1beta1"])
    assert own.code != 0
    assert len([key for key in sorted(environment.keys()) if key.endswith("manifest.json")]) == 1


def test_a_restore_applies_in_order_what_nobody_else_makes(environment: Environment, api: KubeApi) -> None:
    _backup(environment)

    answer = _ops(environment, "restore", "resources", "--yes")

    assert answer.code == 0, answer.stderr
    order = list(dict.fromkeys(body["kind"] for _, body, _ in api.applied))
    assert order == [
        "Namespace", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim", "Issuer", "Certificate", "Service",
        "Deployment", "Ingress", "Widget", "ResourceQuota",
    ]  # fmt: skip
    assert answer.json["skipped"] == {
        "a controller makes it anew": 1,
        "a run or an observation": 2,
        "the cluster publishes its own": 1,
    }
    bodies = {f"{body['kind']}/{body['metadata']['name']}": body for _, body, _ in api.applied}
    assert "clusterIP" not in bodies["Service/redis"]["spec"]
    assert bodies["Service/kafka"]["spec"]["clusterIP"] == "None"
    assert "volumeName" not in bodies["PersistentVolumeClaim/data"]["spec"]
    assert bodies["PersistentVolumeClaim/data"]["metadata"]["annotations"] == {"mine": "1"}
    assert ("/apis/apps/v1/namespaces/crypto/deployments/api-gateway" in {path for path, _, _ in api.applied}) is True


def test_a_signed_backup_is_applied_and_of_a_forged_one_nothing(
    environment: Environment, api: KubeApi, tmp_path: Path
) -> None:
    environment.configure(backup=environment.settings["backup"] | {"signers": signing_keys.signers(tmp_path)})
    key = f"{PREFIX}resources/{_backup(environment)}/manifest.json"
    restored = _ops(environment, "restore", "resources", "--yes")
    applied = len(api.applied)
    manifest = json.loads(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(manifest | {"secrets": True}).encode())
    refused = _ops(environment, "restore", "resources", "--yes")

    assert restored.code == 0, restored.stderr
    assert refused.code == 1
    assert f"manifest {key} is forged: its signature is wrong" in refused.json["error"]
    assert len(api.applied) == applied > 600


def test_a_dry_run_is_judged_by_the_server_and_changes_nothing(environment: Environment, api: KubeApi) -> None:
    _backup(environment)
    api.faults = [Fault("PATCH", "/ingresses/gateway", 422, message="spec.tls: Required value")]

    answer = _ops(environment, "restore", "resources", "--dry-run")

    assert answer.code == 1
    assert "spec.tls: Required value" in answer.json["failed"]["Ingress/gateway"]
    assert len(api.applied) > 600
    assert all(dry for _, _, dry in api.applied)


def test_an_object_that_the_server_cannot_take_stops_none_of_the_others(environment: Environment, api: KubeApi) -> None:
    _backup(environment)
    api.faults = [
        Fault("PATCH", "/configmaps/config-599", 500, times=99, message="etcdserver: request is too large"),
        Fault("PATCH", "/services/redis", 403, times=99, message="exceeded quota: services"),
        Fault("PATCH", "/ingresses/gateway", 409, times=99, message="the object has been modified"),
    ]

    answer = _ops(environment, "restore", "resources", "--yes")

    assert answer.code == 1
    assert set(answer.json["failed"]) == {"ConfigMap/config-599", "Service/redis", "Ingress/gateway"}
    assert "request is too large" in answer.json["failed"]["ConfigMap/config-599"]
    assert answer.json["applied"]["ConfigMap.v1"] == 599
    assert answer.json["applied"]["Deployment.apps/v1"] == 1
    assert answer.json["applied"]["ResourceQuota.v1"] == 1


def test_a_login_that_expires_in_the_middle_ends_a_restore_with_one_line(
    environment: Environment, api: KubeApi
) -> None:
    _backup(environment)
    api.faults = [Fault("PATCH", "/services", 401, times=99, message="Unauthorized")]

    answer = _ops(environment, "restore", "resources", "--yes")

    assert answer.code == 2
    assert "(401): Unauthorized" in answer.json["error"]
    assert "objects are applied: log in anew, run it again" in answer.json["error"]
    assert len([path for path, _, _ in api.applied if "/configmaps/" in path]) == 600
    assert not [path for path, _, _ in api.applied if "/ingresses/" in path]


def test_nothing_is_applied_without_confirmation_right_or_a_whole_backup(
    environment: Environment, api: KubeApi
) -> None:
    backup = _backup(environment)
    unconfirmed = _ops(environment, "restore", "resources")
    api.faults = [_forbidden()]
    forbidden = _ops(environment, "restore", "resources", "--yes")
    api.faults = []
    key = f"{PREFIX}resources/{backup}/objects.jsonl.zst"
    content = bytearray(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(content))
    damaged = _ops(environment, "restore", "resources", "--yes")
    verified = _ops(environment, "backups", "verify", "--kind", "resources")

    assert unconfirmed.code == 2
    assert "confirm it with --yes" in unconfirmed.json["error"]
    assert forbidden.code == 2
    assert "Namespace/crypto is forbidden" in forbidden.json["error"]
    assert damaged.code == verified.code == 1
    assert api.applied == []


def test_a_custom_resource_whose_kind_is_gone_fails_and_the_rest_comes_back(
    environment: Environment, api: KubeApi
) -> None:
    _backup(environment)
    api.kinds[:] = [kind for kind in api.kinds if kind.plural != "widgets"]
    del api.objects[f"/apis/example.com/v1beta1/namespaces/{kube_api.NAMESPACE}/widgets/mine"]

    answer = _ops(environment, "restore", "resources", "--yes")

    assert answer.code == 1
    assert list(answer.json["failed"]) == ["Widget/mine"]
    assert answer.json["applied"]["ResourceQuota.v1"] == 1


def test_a_drill_restores_what_is_proven_and_its_report_cannot_be_forged(
    environment: Environment, api: KubeApi
) -> None:
    _encrypt(environment)
    postgres, resources = environment.backup(), _backup(environment)
    assert _ops(environment, "backups", "verify").code == 0
    unproven = environment.backup()
    before = environment.state()

    answer = _ops(environment, "drill")

    # No backup of Redis is proven: the drill says so and tries the rest.
    assert answer.code == 1
    assert answer.json["error"].startswith("redis: no proven backup")
    kinds = {kind["kind"]: kind for kind in answer.json["kinds"]}
    assert (kinds["postgres"]["id"], kinds["postgres"]["counts"]["public.users"]) == (postgres, 5)
    assert kinds["postgres"]["id"] != unproven
    assert kinds["resources"]["id"] == resources
    assert "applied as a server-side dry run" in kinds["resources"]["method"]
    for kind in ("postgres", "resources"):
        assert kinds[kind]["restored"] is True
        assert 0 < kinds[kind]["rpoSeconds"] < 600
        assert 0 < kinds[kind]["rtoSeconds"] < 600
    assert all(dry for _, _, dry in api.applied)
    assert environment.state() == before
    report = answer.json["report"]
    assert report.startswith(f"{PREFIX}drills/")
    assert _ops(environment, "drill", "--check", report).json["valid"] is True
    content = environment.s3.get_object(Bucket=BUCKET, Key=report)["Body"].read()
    forged = content.replace(b'"passed": false', b'"passed": true')
    assert forged != content
    environment.s3.put_object(Bucket=BUCKET, Key=report, Body=forged)
    refused = _ops(environment, "drill", "--check", report)
    assert (refused.code, "its signature is wrong" in refused.json["error"]) == (1, True)


def test_a_report_of_another_key_or_of_none_does_not_pass(environment: Environment, api: KubeApi) -> None:
    assert api
    unsigned = _ops(environment, "drill").json
    assert unsigned["signed"] is False
    _encrypt(environment)
    signed = _ops(environment, "drill").json["report"]
    assert _ops(environment, "drill", "--check", signed).code == 0
    assert _ops(environment, "drill", "--check", unsigned["report"]).code == 1
    _encrypt(environment)
    assert _ops(environment, "drill", "--check", signed).code == 1


def test_a_drill_that_cannot_ask_an_api_server_says_so(environment: Environment, api: KubeApi) -> None:
    _backup(environment)
    environment.backup()
    assert _ops(environment, "backups", "verify").code == 0
    api.faults = [_forbidden()]

    answer = _ops(environment, "drill")

    kinds = {kind["kind"]: kind for kind in answer.json["kinds"]}
    assert kinds["resources"]["restored"] is True
    assert "not judged by an API server" in kinds["resources"]["method"]


def test_a_drill_says_of_how_many_objects_the_account_may_ask_nothing(environment: Environment, api: KubeApi) -> None:
    _backup(environment)
    environment.backup()
    assert _ops(environment, "backups", "verify").code == 0
    api.faults = [Fault("PATCH", "/widgets/", 403, times=9999, message="widgets is forbidden")]

    answer = _ops(environment, "drill")

    kinds = {kind["kind"]: kind for kind in answer.json["kinds"]}
    assert kinds["resources"]["restored"] is True
    assert "objects applied as a server-side dry run; 1 not judged: " in kinds["resources"]["method"]


def test_dry_runs_write_nothing(environment: Environment, api: KubeApi) -> None:
    saved = _ops(environment, "backup", "resources", "--dry-run")
    drilled = _ops(environment, "drill", "--dry-run")

    assert saved.code == drilled.code == 0
    assert "ingresses.networking.k8s.io" in saved.json["kinds"]
    assert environment.keys() == []
    assert api.applied == []
