"""The environment's own commands: what they say, what they write, and what they refuse."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components.ops_config import ops_settings
from components.ops_jobs import secrets
from local import __main__ as cli
from local import credentials, ops_config, outdated, pulumi_cli, readiness, run_tests, settings, shell
from local.errors import LocalError
from local.kubectl import Kubectl
from local.paths import Instance
from local.platform.names import addresses
from local.pods import Watcher
from local.proxies import without_proxy
from local.report import Report, ToolchainLines
from local.summary import summary
from runbook import datastores, jobs
from runbook.ops_settings import OpsSettings
from runbook.settings import SecretNames
from scripts.backup import signing
from scripts.clients.kubeconfig import configuration
from tests.program.settings import load


def _pod(name: str, *, ready: bool, owner: str = "ReplicaSet", waiting: str | None = None) -> dict[str, Any]:
    running: dict[str, str] = {}
    state = {"waiting": {"reason": waiting, "message": "back-off"}} if waiting else {"running": running}
    return {
        "metadata": {"name": name, "ownerReferences": [{"kind": owner, "name": "web-5bd4c4bc4f"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "main", "restartCount": 0, "state": state}],
        },
    }


def _deployment(name: str, available: int) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"availableReplicas": available}}


def _addresses(settings: OpsSettings) -> dict[str, str]:
    """An address for each Service that the settings name."""
    hosts = (service.health_url.split("/")[2].split(".")[0] for service in settings.services)
    return {name: f"10.96.0.{index}" for index, name in enumerate(["postgres", "redis", "kafka", *hosts], start=10)}


def _scaler(name: str, least: int) -> dict[str, Any]:
    return {"spec": {"scaleTargetRef": {"name": name}, "minReplicas": least}}


def _missing(
    pods: list[dict[str, Any]], deployments: list[dict[str, Any]], autoscalers: list[dict[str, Any]]
) -> list[str]:
    watcher = Watcher(Kubectl(Path("kubectl"), Path("kubeconfig"), "context"))
    return [item.line for item in readiness.missing(pods, deployments, autoscalers, watcher)]


def test_a_system_without_pods_does_not_count_as_running() -> None:
    assert _missing([], [], []) == ["there are no pods"]


def test_a_running_pod_that_crash_loops_is_missing_with_its_reason() -> None:
    lines = _missing([_pod("a", ready=False, waiting="CrashLoopBackOff")], [], [])
    assert lines == ["pod a is not ready: CrashLoopBackOff (back-off)"]


def test_a_deployment_below_its_autoscalers_least_is_missing() -> None:
    lines = _missing([_pod("a", ready=True)], [_deployment("web", 1)], [_scaler("web", 3)])
    assert lines == ["web has 1 of 3 pods"]


def test_a_pod_of_a_job_is_not_waited_for() -> None:
    pods = [_pod("a", ready=True), _pod("job", ready=False, owner="Job")]
    assert _missing(pods, [_deployment("web", 3)], [_scaler("web", 3)]) == []


def test_a_pod_beyond_the_least_that_no_node_has_room_for_is_not_waited_for() -> None:
    homeless = _pod("web-2", ready=False)
    homeless["status"]["conditions"].append({"type": "PodScheduled", "status": "False", "message": "no node has room"})
    pods = [_pod("web-1", ready=True), homeless]
    assert _missing(pods, [_deployment("web", 1)], [_scaler("web", 1)]) == []
    assert _missing(pods, [_deployment("web", 1)], [_scaler("web", 2)]) == ["web has 1 of 2 pods"]
    assert _missing(pods, [_deployment("web", 1)], []) == ["pod web-2 is not ready: Running (no node has room)"]


def test_ops_on_the_host_gets_cluster_addresses_and_its_own_password_files(tmp_path: Path) -> None:
    inside = ops_settings(load("local"))
    prometheus = "http://10.96.0.9:9090"
    outside = ops_config.reachable(inside, _addresses(inside), credentials.Credentials(tmp_path), prometheus)
    assert outside.postgres.host == "10.96.0.10"
    assert outside.kafka.bootstrap == f"10.96.0.12:{datastores.KAFKA_EXTERNAL_PORT}"
    assert outside.services[0].health_url == "http://10.96.0.13:8000/api/health"
    assert outside.postgres.services.password_file == str(tmp_path / "postgres-credentials" / "password")
    assert outside.postgres.owner.password_file == str(tmp_path / "postgres-owner" / "password")
    assert outside.prometheus is not None
    assert outside.prometheus.url == prometheus
    assert ".svc" not in outside.model_dump_json()


def test_the_local_backups_are_encrypted_for_a_key_that_only_a_restore_gets(tmp_path: Path) -> None:
    made = credentials.Credentials(tmp_path)
    made.ensure()
    public = made.backup_public_key()
    assert public.startswith("age1")
    settings = load("local", backup_public_key=public)
    inside = ops_settings(settings)
    assert inside.backup.public_key == public
    assert inside.backup.private_key_file == "/etc/ops/secrets/backup-key/identity"
    restorers = {job.name for job in jobs.ALL if "backup-key" in secrets(job, settings)}
    assert restorers == {"backup-verify", "restore-drill"}


def test_the_local_backups_are_signed_by_keys_of_which_each_is_in_one_job(tmp_path: Path) -> None:
    made = credentials.Credentials(tmp_path)
    made.ensure()
    settings = load("local", backup_signers=made.backup_signers())
    inside = ops_settings(settings)
    assert inside.backup.signers is not None
    outside = ops_config.reachable(inside, _addresses(inside), made)

    holders = {
        secret: [job.name for job in jobs.ALL if secret in secrets(job, settings)]
        for secret in settings.secrets.signing.values()
    }
    assert holders == {
        "signing-postgres": ["backup-postgres"],
        "signing-redis": ["backup-redis"],
        "signing-resources": ["backup-resources"],
        "signing-verify": ["backup-verify"],
    }
    assert inside.backup.signers.verify.private_key_file == "/etc/ops/secrets/signing-verify/private.pem"
    for name in ("postgres", "redis", "resources", "verify"):
        assert signing.own_key(outside.backup, name) is not None


def test_credentials_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    made = credentials.Credentials(tmp_path / "secrets")
    made.ensure()
    names = SecretNames()
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    before = {path: path.read_text() for path in files}
    made.ensure()
    assert {path.parent.name for path in files} >= set(names.model_dump().values())
    assert {path: path.read_text() for path in files} == before
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    password = made.path(names.postgres, "password").read_text()
    assert made.path(names.pgbouncer, "userlist.txt").read_text() == f'"crypto_user" "{password}"\n'


def test_every_secret_that_the_program_names_is_made(tmp_path: Path) -> None:
    made = credentials.Credentials(tmp_path)
    made.ensure()
    objects = {item["metadata"]["name"]: item for item in made.objects("crypto")}
    assert set(SecretNames().model_dump().values()) | {load("local").aws.credentials_secret} == set(objects)
    assert all(item["metadata"]["namespace"] == "crypto" and item["stringData"] for item in objects.values())


def test_exports_survive_a_real_shell_and_a_second_evaluation() -> None:
    values = {"ODD": 'it\'s "$HOME" `x`'}
    text = shell.exports(values, [Path("/opt/first"), Path("/opt/second dir")])
    run = subprocess.run(
        ["sh", "-c", f'{text}\n{text}\nprintf "%s\\n%s" "$ODD" "$PATH"'],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split("\n") == [values["ODD"], "/opt/first:/opt/second dir:/usr/bin:/bin"]


def test_the_exported_kubeconfig_names_the_systems_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTO_KUBECONFIG", str(tmp_path / "theirs"))
    for name, value in (("KUBE_CONTEXT", "prod"), ("IMAGES", str(tmp_path / "theirs")), ("AWS_ENDPOINT", "http://x")):
        monkeypatch.setenv(f"CRYPTO_{name}", value)
    theirs = {
        "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": "https://c.example.com"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
    }
    (tmp_path / "theirs").write_text(json.dumps(theirs))
    instance = Instance("test", 1, tmp_path / "cache", tmp_path / "state")
    exported = shell.kubeconfig(instance)
    monkeypatch.setenv("KUBECONFIG", exported)
    first, second = exported.split(os.pathsep)
    (entry,) = json.loads(Path(first).read_text())["contexts"]

    assert second == str(tmp_path / "theirs")
    # Tools take a context from the first file that has it.
    assert entry == {"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "crypto"}}
    assert configuration().host == "https://c.example.com"
    assert json.loads((tmp_path / "theirs").read_text()) == theirs


def test_a_kubeconfig_that_is_not_there_yet_is_exported_as_it_will_be(tmp_path: Path) -> None:
    instance = Instance("test", 1, tmp_path / "cache", tmp_path / "state")

    assert shell.kubeconfig(instance) == str(instance.kubeconfig)


def test_the_engine_looks_for_garbage_less_often_unless_the_user_has_said_how_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOGC", raising=False)
    assert int(pulumi_cli.variables(tmp_path)["GOGC"]) > 100
    monkeypatch.setenv("GOGC", "50")
    assert pulumi_cli.variables(tmp_path)["GOGC"] == "50"


def test_the_engine_finds_uv_itself_and_nothing_else_of_its_folder(tmp_path: Path) -> None:
    uv, script = tmp_path / "versions" / "uv", tmp_path / "shims" / "uv"
    for program in (uv, script, uv.with_name("python3")):
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    tools = tmp_path / "bin" / "tools"
    for _ in range(2):
        folder = shell.search_path(tools, {"UV": str(uv)})[2]
        assert [entry.name for entry in folder.iterdir()] == ["uv"]
        found = shutil.which("uv", path=os.pathsep.join([str(folder), str(script.parent)]))
        assert found is not None
        assert Path(found).resolve() == uv
    assert len(shell.search_path(tools, {})) == 2


def test_no_existing_cluster_is_the_normal_case() -> None:
    assert settings.existing_cluster({}) is None


def test_everything_that_an_existing_cluster_lacks_is_said_at_once(tmp_path: Path) -> None:
    gone = tmp_path / "images.json"
    with pytest.raises(LocalError) as caught:
        settings.existing_cluster({"CRYPTO_KUBECONFIG": str(tmp_path), "CRYPTO_IMAGES": str(gone)})
    for problem in (
        "CRYPTO_KUBE_CONTEXT is not set: the context in it",
        "CRYPTO_AWS_ENDPOINT is not set",
        f"CRYPTO_KUBECONFIG={tmp_path} is a folder: name a file",
        f"CRYPTO_IMAGES={gone} is not there: name a file",
    ):
        assert problem in str(caught.value)
    assert "CRYPTO_IMAGES is not set" not in str(caught.value)


@pytest.mark.parametrize("name", ["unit/", "tests/unit", "tests/environment/parts/"])
def test_a_suite_may_be_named_as_a_shell_completes_its_folder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Sequence[str]] = []

    def ran(command: Sequence[str], _: Mapping[str, str]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(run_tests, "run_to_its_end", ran)
    assert run_tests.run_tests([name], []) == 0
    assert commands[0][-1] == f"tests/{name.strip('/').removeprefix('tests/')}"


@pytest.mark.parametrize(("arguments", "said"), [
    (["test", "unit; rm -rf x"], "test: there is no suite 'unit;': choose from alert_mutation, alerts"),
    (["test", "--fast", "services"], "test: the fast tests are the suites unit, program"),
])  # fmt: skip
def test_a_wrong_suite_is_refused_before_any_test(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err.startswith(said)


_TESTS = """
import signal, sys, time
def ended(*_):
    print("servers ended, 2 had failed", flush=True)
    sys.exit(2)
signal.signal(signal.SIGINT, ended)
print("running", flush=True)
while True:
    time.sleep(60)
"""
_MAKE_TEST = """
import os, sys
from local.run_tests import run_to_its_end
sys.exit(run_to_its_end([sys.executable, "-c", sys.argv[1]], os.environ))
"""


def test_tests_that_are_told_to_end_finish_before_the_command_does() -> None:
    # As from a shell that does not let an interrupt reach what it runs in the background.
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", _MAKE_TEST, _TESTS]
    with subprocess.Popen(command, cwd=pulumi_cli.PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "running\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read() == "servers ended, 2 had failed\n"
        assert running.wait() == 2


@pytest.mark.parametrize("proxy", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environments_own_addresses_are_reached_without_the_proxy_of_the_shell(proxy: str, tmp_path: Path) -> None:
    instance = Instance("blue", 5, tmp_path, tmp_path)
    given = {proxy: "http://proxy.example.org:3128", "no_proxy": "example.com, 10.0.0.1"}
    added = without_proxy(instance, environ=given)
    assert set(added) == {"NO_PROXY", "no_proxy"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        for name, value in {**given, **added}.items():
            patch.setenv(name, value)
        # Python's own reader of the variables; the test of the system's down and up has those of Go and gRPC.
        for host in ("127.0.0.1", "localhost", str(instance.node_address), str(instance.host_address)):
            assert urllib.request.proxy_bypass(host)
        for host in ("example.com", "10.0.0.1"):
            assert urllib.request.proxy_bypass(host), "what the shell leaves out stays left out"
        assert not urllib.request.proxy_bypass("pypi.example.org")
    assert {"10.231.5.0/24", "10.244.5.0/24", "10.96.5.0/24"} <= set(added["no_proxy"].split(","))
    again = without_proxy(instance, environ={**given, **added})
    assert again == added, "a second evaluation adds nothing"
    assert without_proxy(instance, environ={}) == {}


@pytest.mark.parametrize(("variables", "said"), [
    ({"HOME": ""}, "neither HOME nor XDG_CACHE_HOME names a folder; set HOME"),
    ({"HOME": "", "XDG_CACHE_HOME": "relative"}, "neither HOME nor XDG_CACHE_HOME names a folder"),
    ({"XDG_CACHE_HOME": "/dev/null"}, "/dev/null/crypto-operations"),
])  # fmt: skip
def test_a_machine_without_a_folder_for_uv_is_told_what_to_set(variables: dict[str, str], said: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", **variables}
    script = pulumi_cli.PROJECT_ROOT / "local" / "bootstrap.sh"
    done = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_named_with_the_variable_that_moves_it() -> None:
    # An existing cluster, which needs no root.
    names = ("CRYPTO_KUBECONFIG", "CRYPTO_KUBE_CONTEXT", "CRYPTO_IMAGES", "CRYPTO_AWS_ENDPOINT")
    environment = {**os.environ, **dict.fromkeys(names, __file__)}
    environment |= {"XDG_STATE_HOME": "/dev/null", "CRYPTO_INSTANCE": "blue"}
    command = [sys.executable, "-m", "local", "up"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "up: Not a directory: /dev/null/crypto-operations/blue; set XDG_STATE_HOME to a folder"
    )
    assert done.stderr.count("\n") == 1


def test_what_is_behind_is_listed_and_what_is_not_known_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = "ours v1\\n├── boto3-stubs[iam, s3] v1.1 (group: dev) (latest: v1.2)\\n├── rich v14\\n"
    known = "case $5 in *kubernetes/kubernetes@*|k8s.io/kubernetes@*) echo v99.0.0;; *) echo gone >&2; exit 1;; esac"
    for name, script in (("uv", f"printf '{tree}'"), ("go", known)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("UV", str(tmp_path / "uv"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    lines = [line.split(maxsplit=1) for line in outdated.report()]
    told = dict(lines)
    assert told["boto3-stubs"] == "1.1 -> 1.2"
    assert "rich" not in told
    assert told["k8s.io/kubernetes"].endswith("-> 99.0.0")
    assert "not known" in told["github.com/coredns/coredns"]
    assert "gone" in told["github.com/coredns/coredns"]


@pytest.mark.parametrize(("here", "newest", "told"), [
    ("1.9", "1.10", True), ("1.10", "1.9", False), ("2!1.0", "1.9", False), ("1.0", "1.0.post1", True),
    ("2.0rc1", "1.9", False), ("2.0rc1", "2.0rc2", True), ("2.0rc1", "2.0", True), ("1.9", "2.0rc1", False),
    ("1.0", "1.0", False), ("1!11.6", "2!10.1", False), ("1!11.6", "2!11.7", True),
])  # fmt: skip
def test_an_older_release_of_a_package_is_no_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, newest: str, told: bool
) -> None:
    tree = f"├── rich v{here} (latest: v{newest})"
    assert _reported(tmp_path, monkeypatch, tree) == ([f"{here} -> {newest}"] if told else [])


@pytest.mark.parametrize(("here", "newest", "told"), [
    ("v1.9.0", "v1.10.0", True), ("v1.10.0", "v1.9.0", False), ("v1.9.0", "v2.0.0-rc.1", False),
    ("v2.0.0-rc.2", "v1.9.0", False), ("v2.0.0-rc.2", "v2.0.0-rc.10", True), ("v2.0.0-rc.2", "v2.0.0", True),
    ("v4.0.0-20260115033456-f47bc2d6f199", "v3.30.2", False), ("v2.0.0+incompatible", "v2.1.0+incompatible", True),
    ("v0.0.0-20250907161309-07c3a429bfed", "v0.0.0-20260101000000-07c3a429bfed", True),
])  # fmt: skip
def test_an_older_release_of_a_module_is_no_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, newest: str, told: bool
) -> None:
    expected = [f"{here.removeprefix('v')} -> {newest.removeprefix('v')}"] if told else []
    assert _reported(tmp_path, monkeypatch, "", {"example.com/tool": here}, newest) == expected


def _reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tree: str,
    modules: Mapping[str, str] | None = None,
    newest: str = "",
) -> list[str]:
    """The versions that are told where uv says this tree, and Go this newest version of these modules."""
    for name, said in (("uv", tree), ("go", newest)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("UV", str(tmp_path / "uv"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    chain = outdated.versions.load().model_copy(update={"modules": modules or {}})
    monkeypatch.setattr(outdated.versions, "load", lambda: chain)
    return [line.split(maxsplit=1)[1] for line in outdated.report() if "->" in line]


def test_an_unknown_stack_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LocalError, match="unknown stack 'staging'; known are local, prod"):
        pulumi_cli.check_stack("staging")


@pytest.mark.parametrize("stack", ["prod", "local"])
def test_a_stack_is_judged_with_its_own_tightening(stack: str) -> None:
    *_, option, file = pulumi_cli.policy_pack(stack)
    assert (option, Path(file).name) == ("--policy-pack-config", f"{stack}.json")


def test_a_stack_without_a_tightening_is_judged_by_the_pack_alone() -> None:
    assert "--policy-pack-config" not in pulumi_cli.policy_pack("another")


def test_the_pack_is_started_without_a_language_host() -> None:
    program = Path(pulumi_cli.policy_pack("local")[1])
    assert program.name == "crypto-policy-pack"
    assert os.access(program, os.X_OK)


@pytest.mark.parametrize("before", ["nothing", "a folder"])
def test_the_engine_writes_no_log_of_its_own(before: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if before == "a folder":
        (home / "logs" / "old").mkdir(parents=True)
    pulumi_cli.without_automatic_log(home)
    pulumi_cli.without_automatic_log(home)
    assert (home / "logs").is_file()


@pytest.mark.parametrize("variable", ["CRYPTO_SLOT", "CRYPTO_INSTANCE"])
def test_a_wrong_instance_is_one_line_and_exit_code_one(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "Not Allowed")
    assert cli.main(["status"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Not Allowed" in error


def test_up_without_root_says_what_to_do_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["up"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("up: the embedded cluster needs root; run `sudo make up`")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_summary_fits_eighty_columns_and_names_what_to_try() -> None:
    state = Path("/home/somebody/.local/state/crypto-operations/crypto")
    servers = addresses(Instance("crypto", 255, state, state))
    text = summary("https://10.231.0.2:6443", "http://10.231.0.2:4566", state, 16, 61.5, servers)
    assert "\n  Notifications    http://10.96.255.11:8080\n" in text
    assert "16 pods" in text
    assert "1 min 1 s" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert 'eval "$(make -s env)"' in text


def test_a_report_line_carries_the_time_and_its_subject() -> None:
    stream = io.StringIO()
    lines = ToolchainLines(Report(stream))
    lines.started("engine", 2)
    lines.finished("engine", 61.2)
    lines.close()
    assert stream.getvalue().splitlines() == [
        "[ 0:00] toolchain  building engine, 2 more after it",
        "[ 0:00] toolchain  engine built in 61 s",
    ]


def test_no_secret_of_a_log_gets_into_an_error_or_a_report_even_where_its_line_is_cut() -> None:
    stream = io.StringIO()
    log = ["connecting with password=hunter2", f"{'x' * 280} postgres://crypto:hunter2@db/crypto", "token: hunter2"]

    error = LocalError("`kubectl apply --token hunter2` failed: password=hunter2").with_log(log)
    Report(stream).say("services", "login with password=hunter2")

    assert "hunter2" not in error.shown() + stream.getvalue()
    assert error.shown().splitlines()[1] == "  | connecting with password=***"
    assert error.shown().count("***") == 5
    assert "password=***" in stream.getvalue()


def test_make_targets_are_the_commands() -> None:
    makefile = (pulumi_cli.PROJECT_ROOT / "Makefile").read_text()
    for command in ("up", "down", "clean", "status", "logs", "env", "preview", "test"):
        assert f"$(LOCAL) {command}" in makefile


def test_images_of_an_existing_cluster_must_be_a_json_object(tmp_path: Path) -> None:
    from local.up import existing_target

    (tmp_path / "images.json").write_text(json.dumps(["ops"]))
    cluster = settings.ExistingCluster(tmp_path / "k", "c", tmp_path / "images.json", "http://s3")
    with pytest.raises(LocalError, match="must be JSON like"):
        existing_target(cluster)
