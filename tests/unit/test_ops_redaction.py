"""No secret leaves: neither one that was announced, nor what its shape, its key or its frame shows to be one."""

from __future__ import annotations

import base64
import binascii
import gc
import html
import io
import json
import logging
import re
import subprocess
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.ops_settings import ChatTarget, Login
from scripts import cli, config, lazy, log, output, redact, unforeseen
from scripts.backup import age
from scripts.clients import kubeconfig, prometheus
from scripts.clients.kubernetes import Cluster
from scripts.diagnosis import bundle, objects
from scripts.exits import CheckFailedError, Exit, UsageError
from scripts.health import runner
from scripts.health.model import Check, Finding, Status
from scripts.incident import ticket
from scripts.incident.desk import Desk
from scripts.incident.desk import now as this_moment
from scripts.maintenance import lock
from scripts.notify import Message, chat, delivery
from scripts.output import Column, Outcome, Screen
from scripts.redact import announced
from scripts.redact.frames import FRAMES
from scripts.redact.shapes import SHAPES
from tests.terminal import Terminal
from tests.unit.ops_settings import settings
from tests.unit.redaction_corpus import AROUND, HARMLESS, SECRETS, TOKENS, expected

# A password whose every spelling differs from the others.
_HARD = "Gé\"'h<e>i&m\\/:% +7"


@pytest.fixture(autouse=True)
def _nothing_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announced, "_spellings", [])


@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_is_masked_and_nothing_else_of_its_line(line: str) -> None:
    given, kept, secrets = expected(line)

    assert secrets
    assert redact.clean(given) == kept


@pytest.mark.parametrize("issuer", TOKENS)
def test_a_token_of_known_shape_is_masked_wherever_it_stands(issuer: str) -> None:
    for around in AROUND:
        assert redact.clean(around.format(TOKENS[issuer])) == around.format(redact.MASK)


@pytest.mark.parametrize("line", HARMLESS)
def test_a_line_without_a_secret_stays_as_it_is(line: str) -> None:
    assert redact.clean(line) == line


@pytest.mark.parametrize("line", SECRETS)
def test_what_is_masked_stays_so(line: str) -> None:
    once = redact.clean(expected(line)[0])

    assert redact.clean(once) == once


def test_lines_are_masked_in_a_log_as_by_themselves() -> None:
    lines = [line for line in SECRETS if "\n" not in line and not line.endswith("cut off")]
    given, kept, _ = zip(*map(expected, lines), strict=True)

    assert len(lines) > 100
    assert redact.clean("\n".join(given)).splitlines() == [*"\n".join(kept).splitlines()]


def test_every_shape_has_an_issuer_and_a_hint_and_every_frame_an_origin() -> None:
    for rule in (*SHAPES.all, *FRAMES.all):
        assert rule.origin
        assert rule.hints
        assert all(rule.hints)
        assert "(?P<secret>" in rule.pattern
    assert all(hint == hint.lower() for frame in FRAMES.all for hint in frame.hints)


_NAMES = st.sampled_from(
    ["password", "DB_PASSWORD", "apiKey", "x-api-key", "client_secret", "access_token", "privateKey", "passphrase"]
)
_SIGNS = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!#%^~+", min_size=6, max_size=40)
_MADE_UP = _SIGNS.map(lambda text: f"q7{text}Z")
_FRAMES: tuple[Callable[[str, str], str], ...] = (
    lambda name, secret: f"{name}={secret}",
    lambda name, secret: f"{name}: {secret}",
    lambda name, secret: f"{name} = '{secret}'",
    lambda name, secret: json.dumps({"a": 1, name: secret}),
    lambda name, secret: json.dumps({"body": json.dumps({name: secret})}),
    lambda name, secret: repr({name: secret}),
    lambda name, secret: yaml.safe_dump({"spec": {name: secret}}),
    lambda name, secret: f"--{name} {secret} --port 80",
    lambda name, secret: f"GET /x?{name}={quote(secret)}&y=1".replace(quote(secret), secret.replace("#", "-")),
    lambda name, secret: f"<{name}>{secret}</{name}>",
    lambda name, secret: f"- name: {name}\n  value: {secret}",
    lambda _, secret: f"postgresql://crypto:{secret}@db:5432/x",
    lambda _, secret: f"ALTER ROLE x PASSWORD '{secret}'",
    lambda _, secret: f"Authorization: Bearer {secret}",
    lambda _, secret: f"curl -u user:{secret} https://x",
    lambda _, secret: f"mysql -u root -p{secret}",
    lambda _, secret: f"kind: Secret\ndata:\n  a: {secret}",
)


@given(_NAMES, _MADE_UP, st.sampled_from(_FRAMES), st.sampled_from(["", "10:00 INFO x=1 ", "user=u "]))
def test_a_secret_in_a_known_frame_never_survives(
    name: str, secret: str, frame: Callable[[str, str], str], before: str
) -> None:
    framed = frame(name, secret)
    given = framed if "\n" in framed or framed.startswith("-") else before + framed

    assert secret not in redact.clean(given)


@given(
    st.lists(st.sampled_from([expected(line)[0] for line in (*SECRETS, *HARMLESS)]), max_size=3), st.text(max_size=9)
)
def test_cleaning_twice_is_cleaning_once(lines: list[str], between: str) -> None:
    once = redact.clean(between.join(lines))

    assert redact.clean(once) == once


@given(st.text("abcdefg \n.,;()[]{}'\"=:0123456789/", max_size=200))
def test_a_text_without_a_key_or_a_shape_is_unchanged(text: str) -> None:
    assert redact.clean(text) == text


@given(st.text(max_size=300))
def test_no_text_upsets_it(text: str) -> None:
    redact.clean(text)


# What one pattern or another reads in, over and over again.
_GROWING = (
    "eyJ", "-eyJ", ":", "=", "a", " ", "\n", "//", "://a:", "://a:b@", '"', "'", "\\", "\\'", "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "password=", "password='", 'password="\\',
    "password: |\n ", "a=", "login ", "AUTH ", "PASSWORD '", "kind: Secret\ndata:\n", '"kind":"Secret","data":{',
    "mysql -p", "curl -u a:", "--token ", "*** ", "<password>", "('password','", "|a|", "name=password value=",
    "Cookie: a=b", "Set-Cookie: a=b;path ", "secret key: ", "%3A%2F%2F", "mnemonic: a", "authorization: digest a=",
    "insert into a (password) values (", "values ('", "password to ", "key was changed from a to ", "key for a b c ",
    "->", 'password = "a" -> "', "password ,", "--token", "-password", "BEGIN PRIVATE KEY-----\nabc",
    "a7a7a7a7a7a7a7a7\n",
)  # fmt: skip


@pytest.mark.parametrize("part", _GROWING)
def test_the_time_grows_with_the_text_and_no_faster(part: str) -> None:
    # Four times the text takes a quadratic rule sixteen times as long.
    texts = [f"a=b: {part * (size // len(part))}" for size in (50_000, 200_000)]
    few, many = (min(_seconds(text) for _ in range(2)) for text in texts)

    assert many < 9 * max(few, 0.002)


def test_the_end_of_a_long_line_is_looked_for_once() -> None:
    few, many = (_seconds("password='a' " * (size // 13)) for size in (400_000, 3_200_000))

    assert many < 14 * few


def test_ten_megabytes_take_as_long_for_each_as_one() -> None:
    line = "10:00 level=info GET /x?a=b 'x' -----BEGIN user@host 17 ms\n"
    one, ten = (_seconds(line * (size // len(line))) for size in (1_000_000, 10_000_000))

    assert ten < 20 * one


@pytest.mark.parametrize("part", ["eyJ", "a", "://a:", "password=", "x y=z "])
def test_a_line_of_32_kilobytes_takes_milliseconds(part: str) -> None:
    redact.clean(part)

    assert min(_seconds(part * (32_768 // len(part))) for _ in range(3)) < 0.1


def _seconds(text: str) -> float:
    # Of this thread alone: the machine has other work.
    start = time.thread_time()
    redact.clean(text)
    return time.thread_time() - start


def _octal(text: str) -> str:
    known = {'"': '\\"', "\\": "\\\\"}
    return "".join(known.get(chr(b), chr(b)) if 32 <= b < 127 else f"\\{b:03o}" for b in text.encode())


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b64encode(f"{text}\n".encode()).decode(),
    lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    lambda text: quote(text, safe=""),
    quote,
    quote_plus,
    lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(json.dumps(text)),
    repr,
    lambda text: repr(text.encode()),
    _octal,
    html.escape,
    lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    lambda text: text.replace("'", "''"),
    lambda text: text.replace("\\", "\\\\").replace(":", "\\:"),
    lambda text: text.replace("'", "'\"'\"'"),
    lambda text: binascii.hexlify(text.encode()).decode(),
)


@pytest.mark.parametrize("spelled", _SPELLINGS)
def test_an_announced_secret_is_removed_in_every_spelling(spelled: Callable[[str], str]) -> None:
    redact.hide(_HARD)

    found = redact.clean(f"it is {spelled(_HARD)} indeed")

    # The quotes around it stay.
    assert re.fullmatch(r"it is b?[\\\"']*\*\*\*[\\\"']* indeed", found)


@given(st.text(max_size=9), st.text("abcdefgh0123456789", min_size=8, max_size=40))
def test_an_announced_secret_is_removed_from_the_base64_of_a_longer_text(before: str, secret: str) -> None:
    redact.hide(secret)
    whole = base64.b64encode(f"{before}:{secret}:after".encode()).decode()

    shown = redact.clean(whole)

    # The signs beside the mask hold some bits of the first and of the last sign alone.
    assert redact.MASK in shown
    assert len(whole) - len(shown.replace(redact.MASK, "")) >= len(secret) * 4 // 3 - 1


def test_each_line_of_an_announced_key_is_removed() -> None:
    lines = [f"line-{number}-of-the-key" for number in range(3)]
    redact.hide("-----BEGIN PRIVATE KEY-----\n" + "\n".join(lines) + "\n-----END PRIVATE KEY-----\n")

    assert [redact.clean(f"> {line} <") for line in lines] == ["> *** <"] * 3
    assert redact.clean("a line of dashes: -----END") == "a line of dashes: -----END"


def test_an_announced_secret_is_removed_after_its_white_space_was_changed() -> None:
    redact.hide("two  words\tof it")

    assert redact.clean(output.one_line("two  words\tof it")) == "***"


def test_no_harmless_text_is_masked_for_a_short_secret() -> None:
    redact.hide("abc")
    redact.hide("")
    redact.hide(None)

    assert redact.clean("abc and the alphabet") == "abc and the alphabet"


def test_data_stays_data_without_its_secrets() -> None:
    data = {
        "detail": "login password=hunter2",
        "token": "hunter2",
        "tokens": 5,
        "password": 123456,
        "passwords": ["hunter2", "hunter3"],
        "list": ["x token=hunter2"],
        "headers": {"Authorization": "Bearer hunter2", "Accept": "*/*"},
        "args": ["--password", "hunter2", "--port", "80"],
        "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "LEVEL", "value": "info"}],
        "secretName": "db",
        "error": ValueError(7),
        "key password=hunter2": 1,
    }

    found = json.loads(json.dumps(redact.plain(data)))

    assert found == {
        "detail": "login password=***",
        "token": "***",
        "tokens": 5,
        "password": "***",
        "passwords": ["***", "***"],
        "list": ["x token=***"],
        "headers": {"Authorization": "Bearer ***", "Accept": "*/*"},
        "args": ["--password", "***", "--port", "80"],
        "env": [{"name": "DB_PASSWORD", "value": "***"}, {"name": "LEVEL", "value": "info"}],
        "secretName": "db",
        "error": "7",
        "key password=***": 1,
    }


def test_a_finding_keeps_its_value_whatever_it_looked_at_and_a_secret_in_it_is_masked() -> None:
    finding = {"name": "certificate tls-secret", "status": "warn", "value": "9 days", "took": 0.1}

    assert redact.plain(finding) == finding
    assert redact.plain({**finding, "value": "password=hunter2"}) == {**finding, "value": "password=***"}
    for missing in ("status", "took"):
        pair = {name: value for name, value in finding.items() if name != missing}
        assert redact.plain(pair) == {**pair, "value": "***"}


def test_an_object_of_the_kind_secret_keeps_the_names_of_its_values_alone() -> None:
    found = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"user": "Y3J5cHRv"}, "stringData": {"a": "b"}}

    assert yaml.safe_load(objects.as_yaml(found)) == {
        "kind": "Secret",
        "metadata": {"name": "db"},
        "data": {"user": "***"},
        "stringData": {"a": "***"},
    }


# Each way by which a text leaves the program.


def _logged(act: Callable[[], object], *, terminal: bool = False) -> str:
    stream = Terminal() if terminal else io.StringIO()
    with redirect_stderr(stream):
        act()
    return stream.getvalue()


def _defect() -> None:
    unforeseen.report("x", ValueError("login password=hunter2"), as_json=False)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    "act",
    [
        lambda: log.info("login password=hunter2", reason="token=hunter2", secret="hunter2"),
        lambda: log.transient("login password=hunter2"),
        lambda: output.report_error("x", Exit.FAILED, "login password=hunter2", as_json=False),
        lambda: warnings.warn("login password=hunter2", stacklevel=1),
        lambda: logging.getLogger("some.library").warning("login password=%s", "hunter2"),
        _defect,
    ],
)
@pytest.mark.filterwarnings("always")
@pytest.mark.usefixtures("_listening")
def test_nothing_on_stderr_has_a_secret(act: Callable[[], object], *, terminal: bool) -> None:
    found = _logged(act, terminal=terminal)

    assert "hunter2" not in found
    assert "Traceback" not in found
    assert "password=***" in found or not (found or terminal)


@pytest.fixture
def _listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    # A test that ran the whole command line before has left it on, in the place of pytest's own of then.
    logging.captureWarnings(capture=False)
    unforeseen.listen()
    yield
    logging.captureWarnings(capture=False)


def test_an_error_outside_of_any_command_is_one_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> int:
        raise ValueError("login password=hunter2")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(gc, "freeze", lambda: None)

    with pytest.raises(SystemExit) as end, redirect_stderr(io.StringIO()) as stream:
        cli.main()

    assert end.value.code == int(Exit.DEFECT)
    assert "hunter2" not in stream.getvalue()
    assert "Traceback" not in stream.getvalue()


def _shown(screen: Screen) -> None:
    screen.line("login password=hunter2", ("token=hunter2", "red"))
    screen.document("a document\npassword: hunter2\n")
    screen.table([Column("A"), Column("B")], [("password=hunter2", "x"), ("y", "postgres://u:hunter2@h/d")])


@pytest.mark.parametrize("as_json", [True, False])
def test_no_result_has_a_secret(as_json: bool) -> None:
    stream = io.StringIO()
    with redirect_stdout(stream):
        output.report("x", Outcome({"detail": "password=hunter2", "token": "hunter2"}, _shown), as_json=as_json)

    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count(redact.MASK) == (2 if as_json else 5)


def test_a_termination_message_has_no_half_of_a_secret() -> None:
    redact.hide("Geheim" * 20)
    text = "x" * (output.TERMINATION_BYTES // 8 - 60) + "Geheim" * 20 + "y" * output.TERMINATION_BYTES

    found = output.shortened({"command": "x", "exit": 1, "detail": text})

    assert json.loads(found)["left_out"] == ["detail"]
    assert "Geheim" not in found


def test_a_long_result_is_cleaned_once_for_its_termination_message(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[object] = []

    def plain(value: object) -> object:
        cleaned.append(value)
        return value

    monkeypatch.setattr(redact, "plain", plain)
    payload = {"command": "x", "exit": 0, "backups": ["y" * 99] * 99, "more": ["z" * 99] * 99}

    assert json.loads(output.shortened(payload))["left_out"] == ["backups", "more"]
    assert cleaned == [payload]


def test_no_finding_of_a_health_check_has_a_secret() -> None:
    found = Finding("x", Status.FAIL, "password=hunter2", "token=hunter2", "postgres://u:hunter2@h/d refuses")

    results = runner.run([Check("x", lambda _: [found])], 5)

    assert "hunter2" not in str(results)


def test_no_file_of_a_diagnosis_has_a_secret() -> None:
    texts = {"events.txt": "Pod/x: password=hunter2\n", "health.json": json.dumps([{"token": "hunter2"}])}
    written: list[str] = []

    class Archive:
        def addfile(self, _: object, content: io.BytesIO) -> None:
            written.append(content.getvalue().decode())

    add = cast("Callable[..., None]", vars(bundle)["_add"])
    for name, text in texts.items():
        add(Archive(), name, text, this_moment())

    assert written == ["Pod/x: password=***\n", '[\n {\n  "token": "***"\n }\n]']


def test_no_part_of_a_ticket_has_a_secret() -> None:
    desk = Desk(cast("Any", None), cast("Any", None), "ann", tell=False, dry_run=True)
    made = ticket.opened("P1", "password=hunter2 refused", "token=hunter2", "ann", this_moment())
    made = made.having(desk.entry("it was password=hunter2"))

    assert "hunter2" not in ticket.render(made, "")
    assert ticket.render(made, "").count("***") >= 3


def test_no_message_has_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Message] = []

    def deliver(message: Message, _: float) -> None:
        got.append(message)

    def sinks(_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="mail", deliver=deliver)]

    monkeypatch.setattr(delivery, "_sinks", sinks)

    delivery.send(cast("Any", None), Message("password=hunter2", "token=hunter2", "<p>password=hunter2</p>"))

    assert got == [Message("password=***", "token=***", "<p>password=***</p>")]


def test_no_answer_of_a_server_is_cut_in_the_middle_of_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redact.hide("Geheim" * 10)
    text = "-" * 180 + "Geheim" * 10
    answer = SimpleNamespace(status_code=400, is_success=False, is_server_error=False, text=text)

    @contextmanager
    def client(**_: object) -> Generator[object]:
        def post(*_: object, **__: object) -> SimpleNamespace:
            return answer

        yield SimpleNamespace(post=post)

    monkeypatch.setattr(lazy.httpx, "Client", client)
    (tmp_path / "webhook").write_text("https://chat.example.com/in/abcdef")
    with pytest.raises(CheckFailedError) as error:
        chat.deliver(ChatTarget(webhook_file=str(tmp_path / "webhook")), Message("s", "t"), 1)
    told = cast("Callable[..., Exception]", vars(prometheus)["_error"])(answer, None, "Prometheus")

    assert "---***" in str(error.value)
    assert "---***" in str(told)


def test_no_reason_of_a_maintenance_has_a_secret() -> None:
    written: list[dict[str, Any]] = []

    def patch(_: str, change: dict[str, Any], **__: object) -> dict[str, Any]:
        written.append(change)
        return {"metadata": {"resourceVersion": "2"}, "spec": {}}

    cluster = cast("Cluster", SimpleNamespace(patch=patch))
    lock.take(cluster, "crypto", lock.Lock("1", declared=False), "ann", 60, "moving password=hunter2")

    assert "moving password=***" in str(written)
    assert "hunter2" not in str(written)


def test_settings_that_hold_a_secret_where_none_belongs_do_not_show_it(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    given = json.loads(settings().model_dump_json(by_alias=True, exclude_none=True))
    given["redis"]["password"] = "Geheim"
    file.write_text(json.dumps(given))

    with pytest.raises(UsageError, match=r"redis\.password: ") as error:
        config.load(str(file))

    assert "Geheim" not in str(error.value)


# Each reader of a secret announces it.


def test_a_password_comes_from_its_file_and_is_hidden_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a pass phrase \n")

    assert config.password(Login(user="u", password_file=str(file))) == "a pass phrase "
    assert redact.clean("it is a pass phrase !") == "it is ***!"


def test_every_key_of_a_file_of_private_keys_is_hidden(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("# created: today\nno-age-key-but-secret\nanother-secret\n")

    with pytest.raises(UsageError):
        age.PrivateKey.read(str(file))

    assert redact.clean("no-age-key-but-secret another-secret created: today") == "*** *** created: today"


def test_the_address_of_a_webhook_is_hidden(tmp_path: Path) -> None:
    file = tmp_path / "webhook"
    file.write_text("https://chat.example.com/in/abcdef\n")

    cast("Callable[[ChatTarget], str]", vars(chat)["_address"])(ChatTarget(webhook_file=str(file)))

    assert redact.clean("POST /in/abcdef refused") == "POST /*** refused"


def _pair() -> tuple[str, str]:
    """A key and its certificate, as PEM."""
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=ann"]
    command = ["openssl", "req", *options, "-keyout", "-", "-out", "-"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    key, end, certificate = made.partition("-----END PRIVATE KEY-----\n")
    return key + end, certificate


def test_every_login_of_a_kubeconfig_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    key, certificate = _pair()
    user = {"token": "token-of-ann", "client-key-data": base64.b64encode(key.encode()).decode()}
    user["client-certificate-data"] = base64.b64encode(certificate.encode()).decode()
    cluster = {"server": "https://h", "proxy-url": "http://u:proxy-of-ann@p:3128"}
    whole = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(whole))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    kubeconfig.configuration()

    for secret in ("token-of-ann", "proxy-of-ann", key.splitlines()[1]):
        assert redact.clean(f"it is {secret} !") == "it is *** !"
