"""The frame of every command: start-up, exit codes, results, redaction, deadlines."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from runbook.ops_settings import Login, OpsSettings
from scripts import cli, commands, config, frame, guard, output
from scripts.exits import MEANINGS, Exit, Stop, UsageError
from tests.unit.ops_settings import settings

_HEAVY = (
    "boto3",
    "botocore",
    "kubernetes",
    "confluent_kafka",
    "psycopg",
    "redis",
    "httpx",
    "pydantic",
    "zstandard",
    "rich.console",
    "prometheus_client",
    "pyrage",
)
# What a command may load once it runs.
_CLIENTS = tuple(name for name in _HEAVY if name not in ("pydantic", "zstandard"))
_RUN = "from scripts.cli import main; main()"
_COMMANDS = (
    ("access", "review"),
    ("backup", "postgres"),
    ("backup", "redis"),
    ("backup", "resources"),
    ("backups", "list"),
    ("backups", "metrics"),
    ("backups", "prune"),
    ("backups", "verify"),
    ("certificates",),
    ("db", "connections"),
    ("db", "maintain"),
    ("db", "reap-idle"),
    ("db", "slow"),
    ("diagnose",),
    ("drill",),
    ("health",),
    ("incident", "simulate"),
    ("kafka", "lag"),
    ("kafka", "partitions"),
    ("kafka", "topics"),
    ("logs",),
    ("maintenance", "off"),
    ("maintenance", "on"),
    ("maintenance", "status"),
    ("redis", "bigkeys"),
    ("redis", "purge"),
    ("restart",),
    ("restore", "postgres"),
    ("restore", "redis"),
    ("restore", "resources"),
    ("rotate", "jwt"),
    ("scale", "normal"),
    ("scale", "peak"),
    ("slo",),
    ("updates",),
    ("upgrade",),
)


def _ops(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.cli", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def _settings(folder: Path, namespace: str) -> str:
    """The path of a settings file."""
    file = folder / f"{namespace}.json"
    file.write_text(settings(namespace=namespace).model_dump_json(by_alias=True))
    return str(file)


def _loaded(code: str, *libraries: str) -> list[str]:
    """Which of the libraries, and which modules of commands, a process has once it has run ``code``."""
    code = f"import atexit, sys; atexit.register(lambda: print('has', *sys.modules)); {code}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = answer.stdout.rpartition("has ")[2].split()
    assert "sys" in loaded
    return [name for name in loaded if name in libraries or name.startswith("scripts.commands")]


def test_help_loads_no_command_and_nothing_heavy() -> None:
    assert _loaded(f"sys.argv = ['ops', '--help']; {_RUN}", *_HEAVY) == []


def test_completing_the_name_of_a_command_loads_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_OPS_COMPLETE": "complete_bash", "COMP_WORDS": "ops ba", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)

    assert _loaded(f"sys.argv = ['ops']; {_RUN}", *_CLIENTS) == []


def test_a_command_is_loaded_without_the_others() -> None:
    loaded = _loaded(f"sys.argv = ['ops', 'backup', 'postgres', '--help']; {_RUN}")

    assert loaded == ["scripts.commands", "scripts.commands.backup"]


# Each thread begins while an earlier one still loads the library, as the checks of `ops health` may.
_OPEN_IN_THREADS = """
import sys, threading, time
from pathlib import Path
from scripts.clients import kubernetes

opened = []

def open_one():
    with kubernetes.connect(1, Path(sys.argv[1])) as cluster:
        opened.append(cluster)

threads = [threading.Thread(target=open_one) for _ in range(100)]
for thread in threads:
    thread.start()
    time.sleep(0.005)
for thread in threads:
    thread.join()
sys.exit(len(opened) != len(threads))
"""


def test_threads_open_connections_to_the_cluster_while_its_library_is_loaded(tmp_path: Path) -> None:
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "x"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(kubeconfig))
    subprocess.run([sys.executable, "-c", _OPEN_IN_THREADS, str(file)], timeout=60, check=True)


def test_a_library_is_loaded_by_the_command_that_uses_it() -> None:
    modules = {f"scripts.commands.{name}" for name in cli.COMMANDS if name != "db"}

    assert set(_loaded(f"import {', '.join(modules)}", *_CLIENTS)) == {"scripts.commands", *modules}
    assert set(_loaded("import scripts.commands.db", *_CLIENTS)) - {"psycopg"} == {
        "scripts.commands",
        "scripts.commands.db",
    }


def test_every_module_of_commands_is_known_by_its_own_line() -> None:
    assert set(cli.COMMANDS) == {module.name for module in pkgutil.iter_modules(commands.__path__)}
    for name, line in cli.COMMANDS.items():
        command: Any = get_command(importlib.import_module(f"scripts.commands.{name}").app)
        assert command.get_short_help_str(200) == line


def test_a_command_gets_its_settings_and_its_options_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_CONFIG", _settings(tmp_path, "crypto"))
    other = _settings(tmp_path, "other")
    got: list[object] = []
    app = frame.app("A group.")

    @frame.command(app, "group changing", "x")
    def _changing(given: OpsSettings, name: str, count: int = 1, dry_run: frame.DryRun = False) -> output.Outcome:
        """Change it."""
        got.extend((given.namespace, name, count, dry_run))
        return output.Outcome({"count": count}, lambda _: None)

    def ask(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(app, ["changing", *words])
        return answer.exit_code, answer.stdout

    assert ask("x", "--count", "3", "--dry-run", "--config", other, "--json") == (
        0,
        '{"command": "group changing", "exit": 0, "count": 3}\n',
    )
    assert ask("y") == (0, "")
    assert got == ["other", "x", 3, True, "crypto", "y", 1, False]
    shown = " ".join(ask("--help")[1].split())
    assert re.findall(r"--[a-z-]+", shown) == [
        "--count", "--config", "--dry-run", "--deadline", "--json", "--help",
    ]  # fmt: skip
    assert shown.endswith("Example: ops group changing x")


def test_a_command_that_changes_nothing_has_no_dry_run_and_may_ask_for_its_settings_file(tmp_path: Path) -> None:
    file = _settings(tmp_path, "crypto")
    got: list[str | None] = []
    app = frame.app()

    @frame.command(app, "looking", "")
    def _looking(_: OpsSettings, config: frame.Config = None) -> output.Outcome:
        """Look at it."""
        got.append(config)
        return output.Outcome({}, lambda _: None)

    assert CliRunner().invoke(app, ["--config", file]).exit_code == 0
    assert CliRunner().invoke(app, ["--config", file, "--dry-run"]).exit_code == 2
    assert got == [file]


def test_a_client_of_the_bucket_loads_no_manager_of_transfers() -> None:
    code = (
        "import sys; from runbook.ops_settings import BackupTarget; from scripts.clients.s3 import Bucket; "
        "made = Bucket(BackupTarget(bucket='backups', region='eu-central-1', prefix='p/', retention_days=1)); "
        "print(type(made.client).__name__, [name for name in ('boto3', 's3transfer') if name in sys.modules])"
    )
    login = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True, env=os.environ | login
    )

    assert answer.stdout.strip() == "S3 []"


@pytest.mark.parametrize("command", _COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_a_deadline_and_json(command: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(cli.app, [*command, "--help"])

    assert answer.exit_code == 0
    assert f"Example: ops {' '.join(command)}" in " ".join(answer.stdout.split())
    assert "--deadline" in answer.stdout
    assert "--json" in answer.stdout


def test_help_states_every_exit_code() -> None:
    text = " ".join(_ops("--help").stdout.split())

    assert [int(code) for code in MEANINGS] == [0, 1, 2, 70, 75]
    for code, meaning in MEANINGS.items():
        assert f"{int(code)} {meaning}" in text


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("backup", "postgres", "--nonsense"), ("health", "--timeout", "soon")]
)
def test_wrong_usage_is_one_line_and_code_2(arguments: tuple[str, ...]) -> None:
    answer = _ops(*arguments)

    assert answer.returncode == 2
    assert answer.stdout == ""
    assert re.fullmatch(r"ops: .*\(see ops --help\)\n", answer.stderr)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("health", "--timeout", "soon"), "'--timeout': 'soon', which must be a number"),
        (("health", "--deadline", "inf"), "'--deadline': 'inf', which must be at most 31622400"),
        (("redis", "bigkeys", "--top", "0"), "'--top': '0', which must be at least 1"),
        (("kafka", "partitions", "t", "1.5"), "'COUNT': '1.5', which must be a whole number"),
        (("incident", "open", "P9", "x"), "'severity': 'P9' is not one of 'P1', 'P2', 'P3', 'P4'"),
    ],
)
def test_wrong_usage_names_the_value_and_what_is_allowed(arguments: tuple[str, ...], words: str) -> None:
    assert _ops(*arguments).stderr.startswith(f"ops: Invalid value for {words}")


def test_an_argument_that_is_no_text_is_wrong_usage() -> None:
    answer = _ops("incident", "open", "P1", "\udcff down", "--json")

    assert answer.returncode == json.loads(answer.stdout)["exit"] == 2
    assert "is no UTF-8 text" in json.loads(answer.stdout)["error"]


def test_wrong_usage_is_json_where_json_was_asked_for() -> None:
    answer = _ops("health", "--json", "--timeout", "soon")

    assert json.loads(answer.stdout)["exit"] == answer.returncode == 2


@given(
    st.dictionaries(st.text(max_size=20), st.text(max_size=9000) | st.lists(st.integers(), max_size=2000), max_size=6)
)
def test_a_termination_message_is_json_of_at_most_4096_bytes(data: dict[str, object]) -> None:
    text = output.shortened(
        {"command": "backup postgres", "exit": 0, **{f"key {key}": value for key, value in data.items()}}
    )

    assert len(text.encode()) <= output.TERMINATION_BYTES
    assert json.loads(text)["command"] == "backup postgres"


def test_what_does_not_fit_is_named() -> None:
    text = output.shortened({"command": "c", "exit": 0, "tables": list(range(5000)), "rows": 5})

    assert json.loads(text) == {"command": "c", "exit": 0, "rows": 5, "left_out": ["tables"]}


def test_a_missing_or_empty_password_file_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()

    with pytest.raises(UsageError, match="of u is empty"):
        config.password(Login(user="u", password_file=str(empty)))
    with pytest.raises(UsageError, match=r"cannot read the password file .*nowhere of u: No such file"):
        config.password(Login(user="u", password_file=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "the whole file: Invalid JSON"),
        ("{}", "namespace: must be given"),
        ('{"nonsense": 1}', "namespace: must be given"),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)

    with pytest.raises(UsageError, match=words):
        config.load(str(file))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("namespace", "../..", "lower-case letters"),
        ("namespace", "", "lower-case letters"),
        ("timeZone", "Mars/Base", "is no time zone"),
        ("timeZone", "../UTC", "is no time zone"),
        ("timeZone", "UTC\n", "is no time zone"),
        ("timeZone", "UTC\0", "is no time zone"),
        ("postgres.host", "db example", "a DNS name"),
        ("postgres.host", "../x", "a DNS name"),
        ("postgres.port", True, "must be a number"),
        ("postgres.port", "5432", "a whole number"),
        ("postgres.port", 70000, "at most 65535"),
        ("postgres.database", "", "a line of text"),
        ("postgres.database", "a\0b", "a line of text"),
        ("postgres.database", "d" * 64, "at most 63 bytes"),
        ("postgres.backup.user", "", "a line of text"),
        ("postgres.backup.passwordFile", "/etc/\0", "a line of text"),
        ("redis.tls", 1, "true or false"),
        ("kafka.bootstrap", "a:9092,b", "hosts with their ports"),
        ("kafka.bootstrap", "a:99999", "a port from 1 to 65535"),
        ("kafka.topic", "../prices", "letters, digits"),
        ("kafka.brokers", True, "must be a number"),
        ("kafka.brokers", 10**9, "at most 1000"),
        ("backup.bucket", "../..", "3 to 63"),
        ("backup.prefix", "../", "a slash at the end"),
        ("backup.prefix", "", "a slash at the end"),
        ("backup.region", "here", "like eu-central-1"),
        ("backup.endpoint", "http://h:99999", "an address like"),
        ("backup.endpoint", "file:///etc", "an address like"),
        ("backup.retentionDays", True, "must be a number"),
        ("backup.retentionDays", "30", "a whole number"),
        ("backup.shrinkShare", True, "must be a number"),
        ("services", [{"name": "../x", "healthUrl": "http://h/"}], "lower-case letters"),
        ("services", [{"name": "x", "healthUrl": "http://"}], "an address like"),
        ("prometheus", {"url": "gopher://h"}, "an address like"),
        ("scaling", [{"name": "a", "normal": 1, "peak": 10**9}], "at most 1000"),
        ("jwt", {"secret": "a/b", "services": []}, "lower-case letters"),
        ("jwt", {"secret": "a", "key": "../x", "services": []}, "letters, digits"),
        ("chat", {"webhookFile": ""}, "a line of text"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_one_line_with_key_and_value(
    tmp_path: Path, key: str, value: Any, words: str
) -> None:
    document = json.loads(settings().model_dump_json(by_alias=True))
    *parents, last = key.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document))

    with pytest.raises(UsageError) as caught:
        config.load(str(file))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"settings file {file}: {key}")
    assert words in line
    if not isinstance(value, list | dict):
        assert f"{key} is {json.dumps(value) if isinstance(value, bool) else repr(value)}: " in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host", "fd00::1"),
        ("host", "db.example.com"),
        ("database", 'We"ird d.b'),
        ("database", "dbname=postgres host=nowhere"),
        ("database", "it's \\ own"),
    ],
)
def test_a_server_by_its_address_and_a_database_by_any_name_of_postgresql_are_taken(
    tmp_path: Path, key: str, value: str
) -> None:
    document = json.loads(settings().model_dump_json(by_alias=True))
    document["postgres"][key] = value
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document))

    assert getattr(config.load(str(file)).postgres, key) == value


def test_the_settings_file_that_the_program_writes_is_read_with_all_that_may_stand_in_it(tmp_path: Path) -> None:
    waiver = dict.fromkeys(("rule", "resource", "owner", "reason", "ticket"), "x") | {"expires": "2027-03-31"}
    mail = {"host": "h", "port": 25, "sender": "o@example.com", "recipients": ["a@example.com"], "tls": False}
    written = settings(
        waivers=[waiver],
        mail=mail,
        chat={"webhookFile": "/f"},
        prometheus={"url": "http://p:9090"},
        scaling=[{"name": "a", "normal": 1, "peak": 2}],
        services=[{"name": "a", "healthUrl": "http://a:80/health"}],
        jwt={"secret": "jwt-secret", "services": ["a"]},
    )
    file = tmp_path / "config.json"
    file.write_text(written.model_dump_json(by_alias=True))

    assert config.load(str(file)) == written


def test_the_deadline_stops_a_wait_and_a_second_signal_does_not_disturb_the_cleaning_up() -> None:
    cleaned = False

    def work() -> None:
        nonlocal cleaned
        try:
            # As a library does that catches everything and tries again.
            with contextlib.suppress(Exception):
                time.sleep(20)
        finally:
            signal.raise_signal(signal.SIGTERM)
            cleaned = True

    with pytest.raises(Stop, match=r"the deadline of 0.1 s has passed"), guard.limits(0.1):
        work()

    assert cleaned
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_sigterm_is_temporary() -> None:
    with pytest.raises(Stop, match="ended by SIGTERM") as caught, guard.limits(None):
        signal.raise_signal(signal.SIGTERM)

    assert caught.value.code is Exit.TEMPORARY


def test_a_defect_of_ops_is_told_apart_from_what_it_finds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(output.TERMINATION_VARIABLE, raising=False)

    def broken() -> output.Outcome:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(typer.Exit) as ended:
        frame.run("health", broken, as_json=True, deadline=None)
    written = capsys.readouterr()
    assert ended.value.exit_code == Exit.DEFECT == 70
    assert json.loads(written.out)["exit"] == 70
    assert "Traceback" not in written.err
    assert "unexpected ZeroDivisionError: division by zero; this is a defect of ops" in written.err
    assert '"where": "test_ops_frame.py:' in written.err
