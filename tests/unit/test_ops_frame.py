"""The frame of every command: start-up, exit codes, results, redaction, deadlines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from runbook.ops_settings import Login
from scripts import cli, config, guard, options, output, redact
from scripts.exits import MEANINGS, Exit, Stop, UsageError

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
)
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


def test_the_command_line_imports_nothing_heavy() -> None:
    code = f"import sys, scripts.cli; print([name for name in {_HEAVY!r} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert answer.stdout.strip() == "[]"


def test_a_client_of_the_bucket_loads_no_manager_of_transfers() -> None:
    code = (
        "import sys; from runbook.ops_settings import BackupTarget; from scripts.clients.s3 import Bucket; "
        "made = Bucket(BackupTarget(bucket='backups', region='eu-central-1', prefix='p', retention_days=1)); "
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


def test_announced_secrets_never_appear() -> None:
    redact.hide("s3cr3t-of-this-test")

    assert redact.clean("login with s3cr3t-of-this-test failed") == "login with *** failed"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgresql://crypto_user:hunter2@postgres:5432/x", "postgresql://***@postgres:5432/x"),
        ("host=postgres password=hunter2 user=x", "host=postgres password=*** user=x"),
        ("password='two words' user=x", "password=*** user=x"),
        ('{"aws_secret_access_key": "hunter2"}', '{"aws_secret_access_key": ***}'),
        ("POSTGRES_PASSWORD=hunter2 x", "POSTGRES_PASSWORD=*** x"),
        ("GET /x?access_token=hunter2&y=1", "GET /x?access_token=***&y=1"),
        (r"{\"jwt_secret\": \"two words\"}", r"{\"jwt_secret\": ***}"),
        ('{"detail": "login password=hunter2"}', '{"detail": "login password=***"}'),
        ('login (password=hun"ter2), then', "login (password=***), then"),
        ("redis://:hunter2@redis:6379", "redis://***@redis:6379"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: ***"),
        ("sent bearer abcdefgh12 to it", "sent bearer *** to it"),
        ("got eyJhbGciOi.eyJzdWIiOi.c2lnbmF0 for it", "got *** for it"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "-----BEGIN ***"),
        ("https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/***"),
        ("AGE-SECRET-KEY-1QQQ is it", "*** is it"),
        ("passwordFile: /etc/x, secretName: postgres", "passwordFile: /etc/x, secretName: postgres"),
        ("secret:\n  secretName: postgres", "secret:\n  secretName: postgres"),
        ("password authentication failed for user x", "password authentication failed for user x"),
    ],
)
def test_what_looks_like_a_credential_is_removed(text: str, cleaned: str) -> None:
    assert redact.clean(text) == cleaned


def test_a_result_without_its_secrets_is_still_json() -> None:
    data = {"detail": "login password=hunter2", "token": "hunter2", "list": ["x token=hunter2"], "error": ValueError(7)}

    found = json.loads(output.shortened(data))

    assert found == {"detail": "login password=***", "token": "***", "list": ["x token=***"], "error": "7"}


def test_a_password_comes_from_its_file_and_is_hidden_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a pass phrase \n")

    assert config.password(Login(user="u", password_file=str(file))) == "a pass phrase "
    assert redact.clean("it is a pass phrase !") == "it is ***!"


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
        ("{}", "namespace: Field required"),
        ('{"nonsense": 1}', "namespace: Field required"),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)

    with pytest.raises(UsageError, match=words):
        config.load(str(file))


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
        options.run("health", broken, as_json=True, deadline=None)
    written = capsys.readouterr()
    assert ended.value.exit_code == Exit.DEFECT == 70
    assert json.loads(written.out)["exit"] == 70
    assert "Traceback" not in written.err
    assert "unexpected ZeroDivisionError: division by zero; this is a defect of ops" in written.err
    assert '"where": "test_ops_frame.py:' in written.err
