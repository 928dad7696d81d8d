"""Mail by SMTP."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from html import escape
from typing import TYPE_CHECKING

from runbook.ops_settings import Login, MailTarget
from scripts import config, redact
from scripts.clients import tls
from scripts.exits import CheckFailedError, TemporaryError, UsageError

if TYPE_CHECKING:
    from scripts.notify.delivery import Message


def deliver(target: MailTarget, message: Message, seconds: float) -> None:
    """Hand ``message`` to the mail server; each of its answers may take ``seconds``.

    Raises:
        UsageError: the login cannot be used, or the server speaks no TLS that can be.
        CheckFailedError: the server refuses the login, the sender or a recipient; the others have got it.
        TemporaryError: the server does not answer, or asks to come back later.
    """
    where = f"mail server {target.host}:{target.port}"
    password = _password(target)
    try:
        refused = _transfer(target, password, compose(target, message), seconds)
    except smtplib.SMTPRecipientsRefused as error:
        later = all(400 <= code < 500 for code, _ in error.recipients.values())
        raise (TemporaryError if later else CheckFailedError)(_refusal(where, error.recipients)) from None
    except smtplib.SMTPResponseException as error:
        kind = TemporaryError if 400 <= error.smtp_code < 500 else CheckFailedError
        raise kind(f"{where}: {error.smtp_code} {_text(error.smtp_error)}") from None
    except smtplib.SMTPNotSupportedError as error:
        raise CheckFailedError(f"{where}: {error}; set mail.tls to what the server offers") from None
    except ssl.SSLCertVerificationError as error:
        raise CheckFailedError(f"{where}: its certificate is not trusted: {error.verify_message}") from None
    except (smtplib.SMTPException, OSError) as error:
        kind = UsageError if tls.mistaken(error) else TemporaryError
        raise kind(f"{where}: {error or type(error).__name__}") from None
    if refused:
        # Not to be tried again, whatever the code: the others would get it twice.
        raise CheckFailedError(_refusal(where, refused))


def compose(target: MailTarget, message: Message) -> EmailMessage:
    """The mail: plain text, and the same as HTML for readers whose plain text has no fixed width."""
    mail = EmailMessage()
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.recipients)
    mail["Subject"] = message.subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=target.sender.rpartition("@")[2].rstrip(">") or "localhost")
    # Absence notes of people on holiday must not answer a machine.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    html = f"<pre>{escape(message.text)}</pre>" if message.html is None else message.html
    mail.add_alternative(html, subtype="html")
    return mail


def _transfer(
    target: MailTarget, password: str | None, mail: EmailMessage, seconds: float
) -> dict[str, tuple[int, bytes]]:
    # Without a name, smtplib asks the DNS for this host's own, which can take longer than everything else.
    with smtplib.SMTP(target.host, target.port, socket.gethostname(), timeout=seconds) as server:
        if target.tls:
            server.starttls(context=ssl.create_default_context())
        if target.user is not None and password is not None:
            server.login(target.user, password)
        return server.send_message(mail, target.sender, list(target.recipients))


def _password(target: MailTarget) -> str | None:
    if target.user is None and target.password_file is None:
        return None
    if target.user is None or target.password_file is None:
        raise UsageError("mail.user and mail.passwordFile belong together: give both or neither")
    if not target.tls:
        raise UsageError(f"mail.tls is false and mail.user is {target.user!r}: a password never travels in the clear")
    password = config.password(Login(user=target.user, password_file=target.password_file))
    # What the server gets, and its answer could repeat.
    redact.hide(base64.b64encode(f"\0{target.user}\0{password}".encode()).decode())
    return password


def _refusal(where: str, refused: dict[str, tuple[int, bytes]]) -> str:
    told = "; ".join(f"{name}: {code} {_text(answer)}" for name, (code, answer) in sorted(refused.items()))
    return f"{where} refuses {told}"


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
