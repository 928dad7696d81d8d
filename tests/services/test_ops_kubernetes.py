"""The client of Kubernetes with a real API server: watches that go on, and the errors that decide exit codes."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, ConflictError, ForbiddenError, GoneError, NotFoundError
from scripts.exits import CheckFailedError, Exit, OpsError, TemporaryError, UsageError
from scripts.workloads import budget
from tests.services.api_server import ApiServer, api_server
from tests.services.connect_proxy import connect_proxy
from tests.waiting import stopped, wait_until

# Compilers are waited for by the fixture of the tools; etcd and the API server take some seconds.
pytestmark = pytest.mark.timeout(300)

CORE = "/api/v1/namespaces/default"
MAPS, SECRETS = f"{CORE}/configmaps", f"{CORE}/secrets"
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["ResponseStarted", "ResponseComplete"],
    "rules": [{"level": "Metadata", "users": ["local-admin"]}],
}


class Audited:
    """An API server, and what the administrator asked it for."""

    def __init__(self, server: ApiServer, log: Path) -> None:
        self.server = server
        self._log = log

    def asked(self, verb: str, path: str) -> list[dict[str, list[str]]]:
        """The parameters of each such request."""
        events: list[Any] = [json.loads(line) for line in self._log.read_text().splitlines()]
        addresses = [urlsplit(str(event["requestURI"])) for event in events if event["verb"] == verb]
        return [parse_qs(address.query) for address in addresses if address.path == path]


@pytest.fixture(scope="module")
def audited(tools_bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audit")
    policy, log = folder / "policy.json", folder / "log"
    policy.write_text(json.dumps(POLICY))
    # Versions of Secrets are etcd's own then: those that it compacts are gone.
    options = (f"--audit-policy-file={policy}", f"--audit-log-path={log}", "--watch-cache-sizes=secrets#0")
    with api_server(tools_bin_dir, *options) as running:
        yield Audited(running, log)
        _OVER.set()


@pytest.fixture
def server(audited: Audited) -> ApiServer:
    return audited.server


@pytest.fixture
def admin(server: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    with kubernetes.connect(20, server.kubeconfig(tmp_path / "admin")) as cluster:
        yield cluster


def _named(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **fields}


_LABELS: list[dict[str, str]] = [{}, {"a": "x"}, {"a": "y"}, {"a": ""}, {"b": "x"}, {"a": "x", "b": "y"}]


def _selectors() -> Iterator[dict[str, Any]]:
    """Every operator on a key that each, some or no object has, alone and with another condition."""
    conditions = [
        *({"key": key, "operator": operator} for key in "abc" for operator in ("Exists", "DoesNotExist")),
        *(
            {"key": key, "operator": operator, "values": values}
            for key in "abc"
            for operator in ("In", "NotIn")
            for values in (["x"], ["x", "y"], [""])
        ),
    ]
    yield {}
    yield {"matchLabels": {"a": "x"}}
    for condition in conditions:
        yield {"matchExpressions": [condition]}
        yield {"matchLabels": {"a": "x"}, "matchExpressions": [condition]}
        yield {"matchExpressions": [condition, conditions[0]]}


def _query(selector: dict[str, Any]) -> str:
    """A selector as a parameter of a list."""
    formats = {"In": "{} in ({})", "NotIn": "{} notin ({})", "Exists": "{}", "DoesNotExist": "!{}"}
    parts = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    expressions: list[dict[str, Any]] = selector.get("matchExpressions", [])
    parts += [formats[each["operator"]].format(each["key"], ",".join(each.get("values", []))) for each in expressions]
    return ",".join(parts)


def test_a_selector_matches_what_the_api_server_selects(admin: Cluster) -> None:
    # Other tests watch those of their namespace.
    maps = "/api/v1/namespaces/kube-system/configmaps"
    for number, labels in enumerate(_LABELS):
        admin.create(maps, {"metadata": {"name": f"labelled-{number}", "labels": {**labels, "of": "selectors"}}})
    for selector in _selectors():
        query = ",".join(filter(None, ("of=selectors", _query(selector))))
        found = {item["metadata"]["name"] for item in admin.items(maps, {"labelSelector": query})}
        told = {f"labelled-{number}" for number, labels in enumerate(_LABELS) if budget.selects(selector, labels)}
        assert found == told, selector


def test_the_api_server_takes_budgets_of_every_kind_of_selector(admin: Cluster) -> None:
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    specs: list[dict[str, Any]] = [{}, {"selector": {}}, *({"selector": selector} for selector in _selectors())]
    for number, spec in enumerate(specs):
        kept = admin.create(path, {"metadata": {"name": f"budget-{number}"}, "spec": spec})["spec"]
        assert kept.get("selector") == spec.get("selector")
        assert not {"minAvailable", "maxUnavailable"} & set(kept)


# Ends the threads of the watches with their server: a later test of this process must not meet one.
_OVER = threading.Event()


class Watching:
    """The names of a collection as a watch tells them, in a thread of its own."""

    def __init__(self, cluster: Cluster, path: str) -> None:
        self.seen: list[set[str]] = []
        self.lost: list[OpsError] = []
        threading.Thread(target=self._follow, args=(cluster, path), daemon=True).start()

    def _follow(self, cluster: Cluster, path: str) -> None:
        with suppress(OpsError):
            for objects in cluster.watch(path, self._lose):
                self.seen.append({item["metadata"]["name"] for item in objects})

    def _lose(self, error: OpsError) -> None:
        self.lost.append(error)
        if _OVER.wait(0.1):
            raise error

    def await_names(self, *names: str) -> None:
        wait_until(lambda: self.seen and self.seen[-1] == set(names), f"{names} are seen, and not {self.seen[-1:]}")


def test_a_watch_tells_what_is_there_and_each_change(admin: Cluster) -> None:
    path = f"{CORE}/services"
    spec = {"ports": [{"port": 80}]}
    watching = Watching(admin, path)
    watching.await_names("kubernetes")
    admin.create(path, _named("a", spec=spec))
    watching.await_names("kubernetes", "a")
    admin.patch(f"{path}/a", {"metadata": {"labels": {"tier": "front"}}})
    wait_until(lambda: len(watching.seen) == 3, "the change is told")
    admin.delete(f"{path}/a")
    watching.await_names("kubernetes")
    assert watching.lost == []


def test_a_watch_goes_on_after_a_lost_connection_and_misses_no_deletion(
    audited: Audited, admin: Cluster, tmp_path: Path
) -> None:
    for name in ("kept", "gone"):
        admin.create(MAPS, _named(name))
    with connect_proxy() as proxy:
        through = audited.server.kubeconfig(tmp_path / "through", cluster={"proxy-url": proxy.url})
        with kubernetes.connect(20, through) as cluster:
            watching = Watching(cluster, MAPS)
            watching.await_names("kept", "gone")
            proxy.cut()
            wait_until(lambda: watching.lost, "the connection is lost")
            admin.delete(f"{MAPS}/gone")
            admin.create(MAPS, _named("new"))
            proxy.mend()
            watching.await_names("kept", "new")
    assert {type(error) for error in watching.lost} == {TemporaryError}
    assert {"kept"} in watching.seen, "each change is told by itself"
    assert len(audited.asked("list", MAPS)) == 1


def test_a_watch_that_the_server_ends_goes_on_from_the_last_bookmark(
    audited: Audited, admin: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server sends one two seconds before the end.
    monkeypatch.setattr(kubernetes, "WATCH_SECONDS", 4)
    path = f"{CORE}/limitranges"
    watching = Watching(admin, path)
    watching.await_names()
    admin.create(MAPS, _named("another-kind"))
    # A list that must be of now brings the server's copy of this kind to the version of the other.
    admin.get("/api/v1/limitranges")
    wait_until(lambda: len(audited.asked("watch", path)) > 1, "the watch goes on")
    first, second = (int(asked["resourceVersion"][0]) for asked in audited.asked("watch", path)[:2])
    assert second > first
    assert len(audited.asked("list", path)) == 1
    assert watching.lost == []


def test_a_watch_reads_the_list_anew_where_its_version_is_gone(
    audited: Audited, admin: Cluster, tmp_path: Path
) -> None:
    for name in ("kept", "gone"):
        admin.create(SECRETS, _named(name))
    with connect_proxy() as proxy:
        through = audited.server.kubeconfig(tmp_path / "through", cluster={"proxy-url": proxy.url})
        with kubernetes.connect(20, through) as cluster:
            watching = Watching(cluster, SECRETS)
            watching.await_names("kept", "gone")
            proxy.cut()
            wait_until(lambda: watching.lost, "the connection is lost")
            admin.delete(f"{SECRETS}/gone")
            admin.create(SECRETS, _named("new"))
            _compact(audited.server)
            proxy.mend()
            watching.await_names("kept", "new")
            admin.delete(f"{SECRETS}/new")
            watching.await_names("kept")
    assert any(isinstance(error, GoneError) for error in watching.lost)
    assert len(audited.asked("list", SECRETS)) == 2


def test_a_watch_outlives_a_restart_of_the_server(tools_bin_dir: Path, tmp_path: Path) -> None:
    with (
        api_server(tools_bin_dir) as server,
        kubernetes.connect(20, server.kubeconfig(tmp_path / "admin")) as admin,
    ):
        for name in ("kept", "gone"):
            admin.create(SECRETS, _named(name))
        watching = Watching(admin, SECRETS)
        watching.await_names("kept", "gone")
        server.restart()
        admin.delete(f"{SECRETS}/gone")
        watching.await_names("kept")
        assert watching.lost


def _compact(server: ApiServer) -> None:
    """Make etcd forget all but the newest versions."""
    with httpx.Client(base_url=f"http://{server.etcd.address}/v3/kv", trust_env=False) as etcd:
        revision = etcd.post("/range", json={"key": "AA=="}).raise_for_status().json()["header"]["revision"]
        etcd.post("/compaction", json={"revision": revision, "physical": True}).raise_for_status()


def test_a_watch_may_be_ended_by_what_a_loss_raises(server: ApiServer, tmp_path: Path) -> None:
    def give_up(error: OpsError) -> None:
        raise error

    bob = server.kubeconfig(tmp_path / "bob", {"token": "token-of-bob"})
    with kubernetes.connect(20, bob) as cluster, pytest.raises(ForbiddenError):
        next(cluster.watch(MAPS, give_up))


def test_what_is_there_already_or_has_changed_is_a_conflict_and_tried_again(admin: Cluster) -> None:
    made = admin.create(MAPS, _named("conflict"))
    with pytest.raises(ConflictError, match=r"409.*already exists") as there:
        admin.create(MAPS, _named("conflict"))
    admin.patch(f"{MAPS}/conflict", {"data": {"a": "b"}})
    version = {"resourceVersion": made["metadata"]["resourceVersion"]}
    with pytest.raises(ConflictError, match=r"409.*modified") as changed:
        admin.patch(f"{MAPS}/conflict", {"metadata": version, "data": {"a": "c"}})
    assert {there.value.code, changed.value.code} == {Exit.TEMPORARY}


def test_what_is_missing_is_a_failed_check_and_gone_already_is_fine(admin: Cluster) -> None:
    for ask in (lambda: admin.get(f"{MAPS}/none"), lambda: admin.patch(f"{MAPS}/none", {"data": {}})):
        with pytest.raises(NotFoundError, match='404: configmaps "none" not found') as missing:
            ask()
        assert missing.value.code is Exit.FAILED
    admin.delete(f"{MAPS}/none")


def test_what_the_server_refuses_is_a_failed_check_in_its_words(admin: Cluster) -> None:
    admin.create(MAPS, _named("refused"))
    with pytest.raises(CheckFailedError, match=r"422: .*a valid label must be") as invalid:
        admin.patch(f"{MAPS}/refused", {"metadata": {"labels": {"a": "b c"}}})
    with pytest.raises(CheckFailedError, match="400: ") as malformed:
        admin.apply(f"{MAPS}/refused", {"kind": "Nothing"}, manager="test")
    assert {invalid.value.code, malformed.value.code} == {Exit.FAILED}


def test_what_the_account_may_not_is_a_mistake_for_each_verb(server: ApiServer, tmp_path: Path) -> None:
    with kubernetes.connect(20, server.kubeconfig(tmp_path / "bob", {"token": "token-of-bob"})) as bob:
        with pytest.raises(ForbiddenError, match=r"not permitted to read .* \(403\)") as read:
            bob.get(MAPS)
        with pytest.raises(ForbiddenError, match=r"not permitted to create .* \(403\)") as create:
            bob.create(MAPS, _named("a"))
        with pytest.raises(ForbiddenError, match=r"not permitted to change .* \(403\)") as change:
            bob.patch(f"{MAPS}/a", {"data": {}})
        with pytest.raises(ForbiddenError, match=r"not permitted to DELETE .* \(403\)") as delete:
            bob.delete(f"{MAPS}/a")
    assert {each.value.code for each in (read, create, change, delete)} == {Exit.USAGE}


def test_a_version_that_the_server_no_longer_has_is_temporary(server: ApiServer, admin: Cluster) -> None:
    before = admin.create(SECRETS, _named("old"))["metadata"]["resourceVersion"]
    admin.delete(f"{SECRETS}/old")
    _compact(server)
    with pytest.raises(GoneError, match="410") as gone:
        admin.get(SECRETS, {"resourceVersion": before, "resourceVersionMatch": "Exact"})
    assert gone.value.code is Exit.TEMPORARY


def test_a_webhook_or_an_extension_that_does_not_answer_is_temporary(admin: Cluster) -> None:
    hook = {
        "name": "nobody.example.org",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["endpoints"], "operations": ["CREATE"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    admin.create(hooks, _named("nobody", webhooks=[hook]))

    def in_the_way() -> bool:
        with suppress(TemporaryError):
            admin.create(f"{CORE}/endpoints", {"metadata": {"generateName": "hooked-"}})
            return False
        return True

    wait_until(in_the_way, "the webhook is asked")
    with pytest.raises(TemporaryError, match=r"answers 500: .*failed calling webhook"):
        admin.create(f"{CORE}/endpoints", _named("hooked"))
    service = {"name": "nobody", "namespace": "default", "port": 443}
    extension = {"group": "nobody.example.org", "version": "v1", "service": service, "insecureSkipTLSVerify": True}
    priorities = {"groupPriorityMinimum": 100, "versionPriority": 100}
    services = "/apis/apiregistration.k8s.io/v1/apiservices"
    admin.create(services, _named("v1.nobody.example.org", spec={**extension, **priorities}))
    path = "/apis/nobody.example.org/v1/things"

    def is_known() -> bool:
        with suppress(NotFoundError):
            with pytest.raises(TemporaryError, match="answers 503"):
                admin.get(path)
            return True
        return False

    wait_until(is_known, "the extension is known")


def test_a_server_without_its_store_or_with_too_much_to_do_is_temporary(tools_bin_dir: Path, tmp_path: Path) -> None:
    options = ("--request-timeout=12s", "--enable-priority-and-fairness=false", "--max-requests-inflight=1")
    with (
        api_server(tools_bin_dir, *options, "--watch-cache=false") as server,
        kubernetes.connect(30, server.kubeconfig(tmp_path / "admin")) as admin,
        kubernetes.connect(30, server.kubeconfig(tmp_path / "bob", {"token": "token-of-bob"})) as bob,
    ):
        waiting = threading.Event()
        told: list[OpsError] = []

        def wait() -> None:
            waiting.set()
            try:
                admin.get(MAPS)
            except OpsError as late:
                told.append(late)

        with stopped(server.etcd.pid):
            thread = threading.Thread(target=wait)
            thread.start()
            waiting.wait()
            # An administrator is never refused; others are while the one place is taken.
            wait_until(lambda: _is_busy(bob), "there is no room for another request", 11)
            thread.join()
    assert told[0].code is Exit.TEMPORARY
    # The server's own deadlines run for the same time: one of them answers, the other hangs up.
    assert re.search("answers 504|without response", str(told[0]))


def _is_busy(cluster: Cluster) -> bool:
    with suppress(ForbiddenError):
        with pytest.raises(TemporaryError, match="answers 429"):
            cluster.get(MAPS)
        return True
    return False


def test_a_server_that_answers_nothing_or_is_gone_is_temporary(tools_bin_dir: Path, tmp_path: Path) -> None:
    with (
        api_server(tools_bin_dir) as server,
        kubernetes.connect(1, server.kubeconfig(tmp_path / "admin")) as cluster,
    ):
        cluster.get(MAPS)
        with stopped(server.pid), pytest.raises(TemporaryError, match="timed out"):
            cluster.get(MAPS)
        server.stop()
        with pytest.raises(TemporaryError, match="refused"):
            cluster.get(MAPS)


def test_a_server_that_is_not_the_one_is_a_mistake_in_one_line(server: ApiServer, tmp_path: Path) -> None:
    other = server.kubeconfig(tmp_path / "other", cluster={"certificate-authority": None})
    with kubernetes.connect(20, other) as cluster, pytest.raises(UsageError) as found:
        cluster.get(MAPS)
    assert "certificate verify failed" in str(found.value)
    assert "\n" not in str(found.value)


def test_a_named_kubeconfig_asks_no_proxy_of_the_shell_and_no_pod(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.9")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with kubernetes.connect(20, server.kubeconfig(tmp_path / "admin")) as admin:
        assert admin.get(CORE)["metadata"]["name"] == "default"
