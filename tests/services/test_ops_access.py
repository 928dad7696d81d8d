"""``ops access review`` against an API that answers like Kubernetes', and a real bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from runbook import admission
from runbook.admission import Subjects
from tests.services import kube_api, ops_runs, sinks
from tests.services.kube_api import KubeApi
from tests.services.ops_runs import Runs
from tests.services.servers import Server

pytestmark = pytest.mark.timeout(180)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_BELOW = f"{_RBAC}/namespaces/crypto"
_OWN = {"kubernetes.io/bootstrapping": "rbac-defaults"}


@pytest.fixture
def client(s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    credentials = tmp_path / "credentials"
    credentials.write_text("[default]\naws_access_key_id = test\naws_secret_access_key = aws-Geheim-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    client: Any = boto3.client(  # pyright: ignore[reportUnknownMemberType]
        "s3",
        endpoint_url=f"http://{s3.address}",
        region_name="eu-central-1",
        config=Config(proxies={}),
        aws_access_key_id="test",
        aws_secret_access_key="aws-Geheim-1",
    )
    for bucket in client.list_buckets()["Buckets"]:
        for item in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            client.delete_object(Bucket=bucket["Name"], Key=item["Key"])
        client.delete_bucket(Bucket=bucket["Name"])
    client.create_bucket(Bucket="backups", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


@pytest.fixture
def runs(s3: Server, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    assert client
    with kube_api.serving() as api:
        prepared = ops_runs.prepared(api, tmp_path, monkeypatch)
        prepared.configure(backup={**prepared.settings["backup"], "endpoint": f"http://{s3.address}"})
        for name in ("default", "health-check"):
            api.add(f"/api/v1/namespaces/crypto/serviceaccounts/{name}", {})
        role(api, "health-check", ["get", "list"], ["pods"])
        binding(api, "health-check", "Role health-check", "ServiceAccount health-check")
        prepared.as_job("access-review")
        yield prepared


def role(
    api: KubeApi, name: str, verbs: list[str], resources: list[str], *, cluster: bool = False, **more: Any
) -> None:
    path = f"{_RBAC}/clusterroles/{name}" if cluster else f"{_BELOW}/roles/{name}"
    api.add(path, {"rules": [{"apiGroups": [""], "verbs": verbs, "resources": resources, **more}]})


def binding(
    api: KubeApi, name: str, to: str, *subjects: str, cluster: bool = False, labels: dict[str, str] | None = None
) -> None:
    path = f"{_RBAC}/clusterrolebindings/{name}" if cluster else f"{_BELOW}/rolebindings/{name}"
    kind, target = to.split()
    listed: list[dict[str, str]] = []
    for subject in subjects:
        of, whole = subject.split(" ", 1)
        namespace, _, name_only = whole.rpartition("/")
        listed.append({"kind": of, "name": name_only} | ({"namespace": namespace} if namespace else {}))
    api.add(path, {"metadata": {"labels": labels or {}}, "roleRef": {"kind": kind, "name": target}, "subjects": listed})


def _reviews(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="backups").get("Contents", [])]


def test_a_review_is_kept_and_the_next_one_begins_with_what_differs(runs: Runs, client: Any) -> None:
    first = runs.ops("access", "review", "--json")
    role(runs.api, "snoop", ["get"], ["secrets"])
    binding(runs.api, "snoop", "Role snoop", "User mallory")
    del runs.api.objects[f"{_BELOW}/rolebindings/health-check"]
    second = runs.ops("access", "review")
    third = runs.ops("access", "review", "--json")

    assert (first.code, first.json["since"], first.json["new"]) == (0, None, [])
    assert first.json["rights"] == {
        "ServiceAccount crypto/health-check": [
            "get, list pods in the namespace, Role health-check by RoleBinding health-check"
        ]
    }
    assert second.code == 1
    lines = second.stdout.splitlines()
    assert lines[0].startswith("NEW FINDINGS since 20")
    assert lines[1] == "  User mallory: can read Secrets: get secrets (Role snoop by RoleBinding snoop)"
    assert lines[3:5] == ["granted:", "  User mallory: get secrets in the namespace, Role snoop by RoleBinding snoop"]
    assert lines[6] == "revoked:"
    assert "2 accounts without any right: default, health-check" in second.stdout
    # Known now: it stays in the report and is no news.
    assert (third.code, third.json["new"], third.json["findings"]) == (0, [], 1)
    kept = _reviews(client)
    assert len(kept) == 3
    assert all(key.startswith("crypto-analytics/access/20") for key in kept)
    assert first.json["kept"] in kept


def test_the_first_review_tells_everything_and_nothing_is_new_to_it(runs: Runs) -> None:
    role(runs.api, "x", ["get"], ["secrets"])
    binding(runs.api, "x", "Role x", "User ada")
    first = runs.ops("access", "review")
    role(runs.api, "y", ["*"], ["pods"])
    binding(runs.api, "y", "Role y", "User eve")
    second = runs.ops("access", "review", "--json")

    assert first.code == 0
    assert first.stdout.splitlines()[0] == "findings (the first review: later ones are compared with it):"
    assert "User ada: can read Secrets" in first.stdout
    assert (second.code, second.json["first"]) == (1, False)
    assert {line.partition(":")[0] for line in second.json["new"]} == {"User eve"}


@pytest.mark.parametrize(
    ("verbs", "resources", "group", "words"),
    [
        (["*"], ["pods"], "", "may use any of the verbs"),
        (["get"], ["*"], "", "may use any of the resources"),
        (["list"], ["secrets"], "", "can read Secrets"),
        (["watch"], ["secrets"], "", "can read Secrets"),
        (["escalate"], ["roles"], "rbac.authorization.k8s.io", "can give itself rights"),
        (["bind"], ["clusterroles"], "rbac.authorization.k8s.io", "can give itself rights"),
        (["impersonate"], ["serviceaccounts"], "", "can act as another"),
        (["create"], ["pods/exec"], "", "can run commands in running pods"),
        (["create"], ["serviceaccounts/token"], "", "can take the token of a service account"),
        (["create"], ["jobs"], "batch", "can start pods of its own making"),
        (["get"], ["pods/proxy"], "", "can connect to any port"),
    ],
)
@pytest.mark.parametrize("cluster", [False, True], ids=["namespace", "cluster"])
def test_dangerous_rights_are_found_wherever_they_come_from(
    runs: Runs, verbs: list[str], resources: list[str], group: str, words: str, cluster: bool
) -> None:
    runs.ops("access", "review")
    role(runs.api, "x", verbs, resources, cluster=cluster, apiGroups=[group])
    binding(runs.api, "x", f"{'Cluster' if cluster else ''}Role x", "Group developers", cluster=cluster)
    answer = runs.ops("access", "review", "--json")

    assert answer.code == 1
    assert any(line.startswith("Group developers: ") and words in line for line in answer.json["new"])


def test_what_a_waiver_accepts_is_told_and_is_new_again_once_the_waiver_has_ended(runs: Runs) -> None:
    said = {"rule": "rbac-no-own-pods", "owner": "platform", "reason": "Until admission does.", "ticket": "OPS-1"}
    today = datetime.now(UTC).date()
    waiver = {**said, "resource": "RoleBinding on-call", "expires": str(today + timedelta(days=1))}
    runs.ops("access", "review")
    for name in ("on-call", "another"):
        role(runs.api, name, ["create"], ["jobs"], apiGroups=["batch"])
    binding(runs.api, "on-call", "Role on-call", "Group people")
    runs.configure(waivers=[waiver])
    accepted = runs.ops("access", "review")
    binding(runs.api, "another", "Role another", "Group people")
    beside = runs.ops("access", "review", "--json")
    runs.configure(waivers=[{**waiver, "expires": str(today - timedelta(days=1))}])
    ended = runs.ops("access", "review", "--json")

    line = "Group people: can start pods of its own making, under any account and with any Secret and volume of the"
    assert accepted.code == 0
    assert f"findings that a waiver accepts:\n  {line} namespace: create jobs (batch)" in accepted.stdout
    assert f"by RoleBinding on-call), until {waiver['expires']} by platform (OPS-1): Until" in accepted.stdout
    # Another binding is another finding.
    assert (beside.code, len(beside.json["new"])) == (1, 1)
    assert "by RoleBinding another)" in beside.json["new"][0]
    assert ended.code == 1
    assert [told.partition(": ")[0] for told in ended.json["new"]] == ["Group people", "platform"]
    assert "answers for a waiver of rbac-no-own-pods of RoleBinding on-call that ended on" in ended.json["new"][1]


def test_rights_on_workloads_are_found_again_once_admission_no_longer_limits_them(runs: Runs) -> None:
    frozen = admission.freeze("crypto", Subjects(("people",)))
    api = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpol"
    for kind, specs in (("icies", frozen.policies), ("icybindings", frozen.bindings)):
        for name, spec in specs.items():
            runs.api.add(f"{api}{kind}/{name}", {"spec": spec})
    role(runs.api, "on-call", ["create"], ["jobs"], apiGroups=["batch"])
    binding(runs.api, "on-call", "Role on-call", "Group people")
    limited = runs.ops("access", "review", "--json")
    runs.api.objects[f"{api}icybindings/crypto-jobs-others"]["spec"]["validationActions"] = ["Warn"]
    weaker = runs.ops("access", "review", "--json")

    assert (limited.code, limited.json["findings"]) == (0, 0)
    assert "Group people" in limited.json["rights"]
    assert weaker.code == 1
    assert [line.partition(",")[0] for line in weaker.json["new"]] == ["Group people: can start pods of its own making"]


@pytest.mark.parametrize(
    ("verbs", "resources", "more"),
    [
        (["create", "delete"], ["secrets"], {}),
        (["get"], ["secrets"], {"apiGroups": ["example.com"]}),
        (["get"], ["pods", "pods/log"], {}),
        (["update"], ["nodes"], {}),
        (["get"], [], {"nonResourceURLs": ["/healthz"]}),
    ],
)
def test_harmless_rights_are_listed_and_not_flagged(
    runs: Runs, verbs: list[str], resources: list[str], more: dict[str, Any]
) -> None:
    role(runs.api, "x", verbs, resources, **more)
    binding(runs.api, "x", "Role x", "User ada")
    answer = runs.ops("access", "review", "--json")

    assert answer.code == 0
    assert answer.json["rights"]["User ada"]


@pytest.mark.parametrize(
    ("subject", "target", "words"),
    [
        ("User root", "ClusterRole cluster-admin", "is bound to cluster-admin: can start pods"),
        ("User eve", "ClusterRole edit", "is bound to edit: can start pods"),
        ("ServiceAccount default", "Role health-check", "account of every pod that names none"),
        ("Group system:serviceaccounts:crypto", "Role health-check", "everybody of a kind"),
        ("Group system:authenticated", "Role health-check", "everybody of a kind"),
        ("User ada", "Role gone", "a role that does not exist"),
    ],
)
def test_bindings_that_mean_more_than_they_say_are_found(runs: Runs, subject: str, target: str, words: str) -> None:
    runs.ops("access", "review")
    for name in ("cluster-admin", "edit"):
        role(runs.api, name, ["*"], ["*"], cluster=True)
    binding(runs.api, "b", target, subject)
    answer = runs.ops("access", "review", "--json")

    assert answer.code == 1
    assert any(words in line for line in answer.json["new"])


def test_what_kubernetes_grants_itself_is_left_out_until_somebody_else_is_let_in(runs: Runs) -> None:
    role(runs.api, "cluster-admin", ["*"], ["*"], cluster=True)
    role(runs.api, "system:discovery", ["get"], ["/version"], cluster=True)
    own = "Group system:masters", "ServiceAccount kube-system/job-controller", "User system:kube-scheduler"
    binding(runs.api, "cluster-admin", "ClusterRole cluster-admin", *own, cluster=True, labels=_OWN)
    public = "Group system:authenticated"
    binding(runs.api, "system:discovery", "ClusterRole system:discovery", public, cluster=True, labels=_OWN)
    quiet = runs.ops("access", "review", "--json")
    for number, other in enumerate(("User mallory", public)):
        binding(runs.api, f"more{number}", "ClusterRole cluster-admin", *own, other, cluster=True, labels=_OWN)
    loud = runs.ops("access", "review", "--json")

    assert (quiet.code, loud.code) == (0, 1)
    assert list(quiet.json["rights"]) == ["ServiceAccount crypto/health-check"]
    assert {line.partition(":")[0] for line in loud.json["new"]} == {"User mallory", "Group system"}


def test_a_dry_run_keeps_nothing_and_tells_nobody(runs: Runs, client: Any) -> None:
    with sinks.mail_server() as server:
        mail = {"host": "127.0.0.1", "port": server.port, "sender": "o@example.com", "recipients": ["a@example.com"]}
        runs.configure(mail={**mail, "tls": False})
        dry = runs.ops("access", "review", "--dry-run")
        kept = _reviews(client)
        told = runs.ops("access", "review", "--json")

    assert (dry.code, kept) == (0, [])
    assert told.json["notified"] == [{"sink": "mail", "sent": True}]
    assert [mail["Subject"] for mail in server.received] == ["Access review of crypto: the first, 0 findings"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": 2}', json.dumps({"version": 1}).encode()])
def test_a_damaged_review_is_named_and_never_taken_for_none(runs: Runs, client: Any, content: bytes) -> None:
    key = "crypto-analytics/access/20260301T090000Z-00000001.json"
    client.put_object(Bucket="backups", Key=key, Body=content)
    answer = runs.ops("access", "review")

    assert answer.code == 1
    assert key in answer.error
    assert _reviews(client) == [key]


def test_without_a_right_it_says_which(runs: Runs) -> None:
    runs.api.rights = [right for right in runs.api.rights or () if not right.cluster]
    answer = runs.ops("access", "review")

    assert answer.code == 2
    assert "not permitted to read /apis/rbac.authorization.k8s.io/v1/clusterroles" in answer.error


def test_many_bindings_are_read_page_by_page(runs: Runs) -> None:
    for number in range(600):
        binding(runs.api, f"b{number:03}", "Role health-check", f"User u{number:03}")
    answer = runs.ops("access", "review", "--json")

    assert answer.json["subjects"] == 601
