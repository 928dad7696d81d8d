"""Secrets are told by the shape of a value or by the words of its name, and what only sounds like one is not."""

from __future__ import annotations

import pytest

from runbook import secret_values


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASS",
        "dbPassword",
        "MYSQL_PWD",
        "--api-key",
        "PASSWORD1",
        "db-password.txt",
        "passwords",
        "JWT_SECRET_OLD",
        "AUTHTOKEN",
    ],
)
def test_a_value_under_the_name_of_a_secret_is_one(name: str) -> None:
    assert secret_values.named(name, "hunter2")
    assert secret_values.named(name, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "hunter2"),
        ("MAX_TOKENS", "512"),
        ("PASSWORD_FILE", "/run/secrets/db"),
        ("COMPASS", "north"),
        ("SORT_KEY", "name"),
        ("KEY", "name"),
        ("PWD", "/app"),
        ("SHOW_PASSWORD", "true"),
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "$(OTHER)"),
        ("DB_PASSWORD", "<yours>"),
        ("KAFKA_AUTH", "SCRAM"),
        ("", "hunter2"),
    ],
)
def test_what_only_sounds_like_a_secret_is_none(name: str, value: str) -> None:
    assert not secret_values.named(name, value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("postgres://u:hunter2@db/x", "an address with a password"),
        ("see redis://:hunter2@cache now", "an address with a password"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("AKIAIOSFODNN7EXAMPLE", "an access key of AWS"),
        ("postgres://u@db:5432/x", None),
        ("postgres://u:$(PASSWORD)@db/x", None),
        ("https://example.com:443/a@b", None),
        ("", None),
    ],
)
def test_a_secret_has_the_shape_that_its_issuer_gives_it(text: str, wanted: str | None) -> None:
    assert secret_values.shape(text) == wanted


def test_options_are_read_with_their_values() -> None:
    words = ["serve", "--token", "a", "--password=b", "DB_PASS=c", "--verbose", "--quiet", "--last"]
    assert [*secret_values.options(words)] == [("--token", "a"), ("--password", "b"), ("DB_PASS", "c")]


def test_lines_of_a_file_set_secrets() -> None:
    lines = ["db.password=hunter2", "password_encryption = scram", "token: $TOKEN", "password=/run/x", "pw: 'x1'"]
    text = "\n".join([*lines, "requirepass hunter2", ""])
    assert [*secret_values.assigned(text)] == ["db.password", "pw"]
