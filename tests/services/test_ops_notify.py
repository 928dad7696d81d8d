"""Notifications, against a mail server and a webhook that work, refuse and hang."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from runbook.ops_settings import ChatTarget, MailTarget, OpsSettings
from scripts import notify, redact
from scripts.notify import chat, delivery
from scripts.notify.delivery import Message
from tests.running import slots
from tests.services import sinks
from tests.services.sinks import MailServer, Webhook

pytestmark = pytest.mark.timeout(120)
_HEADERS = ("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type")
_MESSAGE = Message("Health: 2 of 21 checks fail", "redis  fail\nkafka  fail\n.\n..end")


def _settings(mail: MailTarget | None = None, webhook_file: Path | None = None) -> OpsSettings:
    values: dict[str, Any] = {
        "mail": mail,
        "chat": None if webhook_file is None else ChatTarget(webhook_file=str(webhook_file)),
    }
    return OpsSettings.model_construct(None, **values)


def _mail(server: MailServer, **changes: Any) -> MailTarget:
    values: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "tls": False, **changes}
    return MailTarget(sender="ops@example.com", recipients=("a@example.com", "b@example.com"), **values)


def _webhook_file(folder: Path, url: str) -> Path:
    file = folder / "webhook"
    file.write_text(f"{url}\n")
    return file


def test_everybody_gets_the_mail_as_text_and_as_html() -> None:
    with sinks.mail_server() as server:
        results = notify.send(_settings(_mail(server)), _MESSAGE)

    assert notify.plain(results) == [{"sink": "mail", "sent": True}]
    assert server.recipients == ["a@example.com", "b@example.com"]
    mail = server.received[0]
    assert (mail["From"], mail["To"]) == ("ops@example.com", "a@example.com, b@example.com")
    assert mail["Subject"] == _MESSAGE.subject
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == _MESSAGE.text.splitlines()
    assert "<pre>redis  fail" in html.get_content()
    assert mail["Date"]
    assert mail["Message-ID"]
    assert mail["Auto-Submitted"] == "auto-generated"


def test_html_of_the_caller_is_sent_as_it_is_and_text_of_the_caller_is_escaped() -> None:
    with sinks.mail_server() as server:
        notify.send(_settings(_mail(server)), Message("s", "t", "<b>bold</b>"))
        notify.send(_settings(_mail(server)), Message("s", "<script>"))

    shown = [body.get_content() for mail in server.received if (body := mail.get_body(("html",)))]
    assert "<b>bold</b>" in shown[0]
    assert "&lt;script&gt;" in shown[1]


def test_a_login_travels_only_under_starttls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = tmp_path / "password"
    password.write_text("mail-Geheim-7\n")
    certificate = sinks.certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    login = {"user": "ops", "password_file": str(password)}

    with sinks.mail_server(MailServer(certificate=certificate)) as server:
        good = notify.send(_settings(_mail(server, tls=True, **login)), _MESSAGE)
        clear = notify.send(_settings(_mail(server, tls=False, **login)), _MESSAGE)

    assert [result.sent for result in good + clear] == [True, False]
    assert server.logins == [("ops", "mail-Geheim-7", True)]
    assert server.encrypted == [True]
    assert "never travels in the clear" in clear[0].detail


def test_starttls_that_is_wanted_and_not_offered_or_not_trusted_sends_nothing(tmp_path: Path) -> None:
    with sinks.mail_server() as bare, sinks.mail_server(MailServer(certificate=sinks.certificate(tmp_path))) as own:
        results = [notify.send(_settings(_mail(server, tls=True)), _MESSAGE)[0] for server in (bare, own)]

    assert [result.sent for result in results] == [False, False]
    assert "STARTTLS" in results[0].detail
    assert "certificate is not trusted" in results[1].detail
    assert bare.received == own.received == []


def test_a_refused_recipient_is_named_and_the_others_get_the_mail_once() -> None:
    with sinks.mail_server(MailServer(refused={"b@example.com"})) as server:
        results = notify.send(_settings(_mail(server)), _MESSAGE)

    assert not results[0].sent
    assert "b@example.com: 550 no such person" in results[0].detail
    assert (len(server.received), server.recipients) == (1, ["a@example.com"])


@pytest.mark.parametrize(("reply", "sent"), [("451 come back later", True), ("554 never", False)])
def test_what_is_temporary_is_tried_again_and_what_is_not_is_told(reply: str, sent: bool) -> None:
    with sinks.mail_server(MailServer(replies={"MAIL": [reply]})) as server:
        results = notify.send(_settings(_mail(server)), _MESSAGE)

    assert results[0].sent is sent
    assert sent or reply in results[0].detail
    assert len(server.received) == int(sent)


def test_a_mail_server_that_hangs_does_not_silence_the_chat_and_costs_its_own_deadline(tmp_path: Path) -> None:
    with sinks.webhook() as hook, sinks.mail_server(MailServer(silent=threading.Event())) as server:
        start = time.monotonic()
        results = notify.send(_settings(_mail(server), _webhook_file(tmp_path, hook.url)), _MESSAGE, seconds=1.0)
        took = time.monotonic() - start

    assert [(result.sink, result.sent) for result in results] == [("mail", False), ("chat", True)]
    assert len(hook.posted) == 1
    assert took < 3


def test_a_chat_that_is_gone_does_not_silence_the_mail(tmp_path: Path) -> None:
    file = _webhook_file(tmp_path, f"http://127.0.0.1:{slots.free_port()}/services/T0/B0/s3cretWebhookPart")
    with sinks.mail_server() as server:
        results = notify.send(_settings(_mail(server), file), _MESSAGE)

    assert [(result.sink, result.sent) for result in results] == [("mail", True), ("chat", False)]
    assert "s3cretWebhookPart" not in results[1].detail
    assert len(server.received) == 1


def test_the_chat_gets_subject_and_text_in_one_message_without_calling_everybody(tmp_path: Path) -> None:
    with sinks.webhook() as hook:
        message = Message("a <subject>", "<!channel> & ```x```")
        results = notify.send(_settings(None, _webhook_file(tmp_path, hook.url)), message)

    assert results == [notify.Delivery("chat", sent=True)]
    text = "*`a &lt;subject&gt;`*\n```\n&lt;!channel&gt; &amp; '''x'''\n```"
    # No address in it is opened by the server for a preview.
    assert hook.posted == [{"text": text, "unfurl_links": False, "unfurl_media": False}]


# What calls people, or shows another address than its own, in the markup of Slack, Mattermost or Teams.
_MARKUP = (
    "@here", "@channel @all", "<!channel>", "<!here|safe>", "<@U0123>", "[safe](http://evil.example)",
    "<http://evil.example|safe>", "`@here`", "``` \n@here", "*bold* _x_ ~y~", "\u2028@here", "\r@here", "`",
)  # fmt: skip


@pytest.mark.parametrize("markup", _MARKUP)
def test_all_that_the_chat_shows_of_others_stands_in_code_where_nothing_is_markup(markup: str) -> None:
    message = Message(f"pod {markup} down", f"first\n{markup}\nlast")

    posted = chat.compose(delivery.shown(message))

    code = r"`[^`\n]+`|```\n[^`]+\n```"
    assert re.sub(code, "", posted) == "**\n"
    assert not set("<>") & set(posted)
    assert len(re.findall(code, posted)) == 2


@pytest.mark.parametrize(
    "hostile",
    ["a\nBcc: x@example.com", "a\r\n\r\n<b>", "a\x85Bcc: x", "a\x1b[2J", "a\u202egnp.exe", "a\udc80", "a\x00b"],
)
def test_a_mail_has_no_header_and_no_control_character_of_others(hostile: str) -> None:
    with sinks.mail_server() as server:
        results = notify.send(_settings(_mail(server)), Message(f"pod {hostile}", f"text {hostile}"))

    assert [result.sent for result in results] == [True]
    mail = server.received[0]
    assert sorted({name.lower() for name in mail.keys()}) == sorted(_HEADERS)  # noqa: SIM118 - no mapping
    body = mail.get_body(("plain",))
    assert body is not None
    for shown in (mail["Subject"], body.get_content().replace("\n", "").replace("\r", "")):
        assert shown.isprintable()
        assert shown.startswith(("pod a", "text a"))


def test_a_long_text_is_cut_at_a_line_and_says_so() -> None:
    posted = chat.compose(Message("s", "\n".join(f"line {number}" for number in range(2000))))

    assert len(posted) < chat.LONGEST + 100
    assert posted.endswith("\n[shortened]\n```")
    assert all(line.startswith("line ") for line in posted.splitlines()[2:-2])


@pytest.mark.parametrize(
    ("answers", "sent", "tries"),
    [([(404, "no_service")], False, 1), ([(503, "busy")], True, 2), ([(429, "slow"), (429, "slow")], False, 2)],
)
def test_a_webhook_is_tried_again_only_where_that_can_help(
    tmp_path: Path, answers: list[tuple[int, str]], sent: bool, tries: int
) -> None:
    told = " ".join(str(part) for part in answers[0])
    with sinks.webhook(Webhook(answers=answers)) as hook:
        results = notify.send(_settings(None, _webhook_file(tmp_path, hook.url)), _MESSAGE)

    assert (results[0].sent, hook.tries) == (sent, tries)
    assert sent or told in results[0].detail


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), ("", "holds no address"), ("ftp-s3cret-nonsense", "no address")]
)
def test_a_webhook_file_that_cannot_be_used_is_named_and_its_content_is_not(
    tmp_path: Path, content: str | None, words: str
) -> None:
    file = tmp_path / "webhook"
    if content is not None:
        file.write_text(content)

    results = notify.send(_settings(None, file), _MESSAGE)

    assert not results[0].sent
    assert str(file) in results[0].detail
    assert words in results[0].detail
    assert "s3cret-nonsense" not in results[0].detail


def test_a_webhook_file_that_holds_no_address_masks_no_part_of_other_texts(tmp_path: Path) -> None:
    file = tmp_path / "webhook"
    file.write_text("https://")

    results = notify.send(_settings(None, file), _MESSAGE)

    assert "no address" in results[0].detail
    assert redact.clean("https://example.com does not answer") == "https://example.com does not answer"


def test_secrets_and_line_breaks_do_not_get_into_a_message(tmp_path: Path) -> None:
    redact.hide("announced-Geheim")
    with sinks.mail_server() as server, sinks.webhook() as hook:
        message = Message("broken\r\nBcc: x@example.com announced-Geheim", "postgresql://u:announced-Geheim@h/d")
        notify.send(_settings(_mail(server), _webhook_file(tmp_path, hook.url)), message)

    mail = server.received[0]
    assert mail["Subject"] == "broken Bcc: x@example.com ***"
    assert mail["Bcc"] is None
    assert "announced-Geheim" not in mail.as_string() + str(hook.posted)


def test_without_a_sink_there_is_nothing_to_do() -> None:
    assert notify.send(_settings(), _MESSAGE) == []
