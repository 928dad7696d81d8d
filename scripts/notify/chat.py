"""Chat by an incoming webhook of Slack, or of what reads Slack's webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from runbook.ops_settings import ChatTarget
from scripts import lazy, redact
from scripts.clients import addresses, tls
from scripts.exits import CheckFailedError, TemporaryError, UsageError

if TYPE_CHECKING:
    from scripts.notify.delivery import Message

# What Slack shows of a message without folding it away; the whole stands in the mail and in the job's log.
LONGEST: Final = 3500
_CUT: Final = "\n[shortened]"
# Slack opens addresses of a text and shows what it finds below the message.
_NO_PREVIEW: Final = {"unfurl_links": False, "unfurl_media": False}


def deliver(target: ChatTarget, message: Message, seconds: float) -> None:
    """Post ``message``; connecting and answering may take ``seconds`` each.

    Raises:
        UsageError: the webhook's file cannot be used.
        CheckFailedError: the webhook refuses.
        TemporaryError: it does not answer, or asks to come back later.
    """
    url = _address(target)
    try:
        with lazy.httpx.Client(timeout=seconds) as client:
            answer = client.post(url, json={"text": compose(message), **_NO_PREVIEW})
    except lazy.httpx.HTTPError as error:
        kind = UsageError if tls.mistaken(error) else TemporaryError
        raise kind(f"chat webhook: {error or type(error).__name__}") from None
    except (OSError, ValueError) as error:
        # Before it asks anybody: a proxy or a file of authorities that the environment names.
        raise UsageError(f"chat webhook: {error}; mend HTTPS_PROXY or SSL_CERT_FILE") from None
    if answer.is_success:
        return
    kind = TemporaryError if answer.status_code == 429 or answer.is_server_error else CheckFailedError
    raise kind(f"chat webhook: answers {answer.status_code} {redact.clean(answer.text)[:200]}")


def compose(message: Message) -> str:
    """The text that is posted: the subject in bold, and both in code.

    In code Slack reads no markup: ``@here`` calls no member, and ``[safe](http://evil)`` is no link. A backtick would
    end it.
    """
    text = message.text.strip().replace("`", "'")
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition("\n")[0] or text[:LONGEST]
        text += _CUT
    subject = message.subject.replace("`", "'")
    return f"*`{_escaped(subject)}`*\n```\n{_escaped(text)}\n```"


def _escaped(text: str) -> str:
    # Slack's three control characters, which it reads in code, too: "<!channel>" in a log line would call all members.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _address(target: ChatTarget) -> str:
    try:
        url = Path(target.webhook_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _unusable(target, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _unusable(target, "is no UTF-8 text") from None
    if not addresses.is_url(url):
        raise _unusable(target, "holds no address")
    # The address is the secret, with or without its host. What is none may be a part of harmless texts ("http://").
    redact.hide(url)
    redact.hide(url.partition("://")[2].partition("/")[2])
    return url


def _unusable(target: ChatTarget, reason: str) -> UsageError:
    return UsageError(f"the webhook file {target.webhook_file} of the chat {reason}")
