"""Where notifications end in tests: a mail server and a webhook, which can also refuse, wait or say nothing."""

from __future__ import annotations

import base64
import ipaddress
import json
import socketserver
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services.quiet_http import QuietServer, whole_body


@dataclass
class MailServer:
    """A mail server on 127.0.0.1.

    ``replies`` are said instead of the usual answer to a command, one a time it comes; ``refused`` are recipients that
    it does not take; ``certificate`` makes it offer STARTTLS; until ``silent`` is set its greeting does not end.
    """

    port: int = 0
    certificate: Path | None = None
    refused: set[str] = field(default_factory=set[str])
    replies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    silent: threading.Event | None = None
    received: list[EmailMessage] = field(default_factory=list[EmailMessage])
    recipients: list[str] = field(default_factory=list[str])
    logins: list[tuple[str, str, bool]] = field(default_factory=list[tuple[str, str, bool]])
    encrypted: list[bool] = field(default_factory=list[bool])


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.server_state = cast("Any", self.server).state
        self.secure = False
        if self.server_state.silent is not None:
            # A line now and then: no timeout of a single read ever passes.
            with suppress(OSError):
                while not self.server_state.silent.wait(0.1):
                    self._say("220-wait")
            return
        with suppress(OSError):
            self._say("220 sink")
            while line := self.rfile.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                if not self._answer(verb.upper(), rest):
                    return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _answer(self, verb: str, rest: str) -> bool:
        state: MailServer = self.server_state
        if scripted := state.replies.get(verb):
            self._say(scripted.pop(0))
            return True
        if verb == "EHLO":
            offers = ["sink", "AUTH PLAIN", *(["STARTTLS"] if state.certificate and not self.secure else [])]
            for number, offer in enumerate(offers):
                self._say(f"250{' ' if number + 1 == len(offers) else '-'}{offer}")
        elif verb == "STARTTLS" and state.certificate:
            self._say("220 go")
            self._encrypt(state.certificate)
        elif verb == "AUTH":
            _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
            state.logins.append((user, password, self.secure))
            self._say("235 in")
        elif verb == "RCPT" and (name := rest.partition("<")[2].partition(">")[0]):
            self._say("550 no such person" if name in state.refused else "250 ok")
            state.recipients += [name] if name not in state.refused else []
        elif verb == "DATA":
            self._receive(state)
        else:
            self._say("221 bye" if verb == "QUIT" else "250 ok")
        return verb != "QUIT"

    def _receive(self, state: MailServer) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        state.received.append(message_from_bytes(b"".join(lines), policy=default))
        state.encrypted.append(self.secure)
        self._say("250 taken")

    def _encrypt(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.secure = True


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up is what the tests are about."""


@contextmanager
def mail_server(state: MailServer | None = None) -> Generator[MailServer]:
    """A running ``MailServer``."""
    state = state or MailServer()
    server = _Listener(("127.0.0.1", 0), _Session)
    cast("Any", server).state = state
    state.port = int(server.server_address[1])
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        if state.silent is not None:
            state.silent.set()
        server.shutdown()
        server.server_close()


@dataclass
class Webhook:
    """A webhook on 127.0.0.1: what was posted, and the answers that it gives first."""

    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    posted: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tries: int = 0


@contextmanager
def webhook(state: Webhook | None = None) -> Generator[Webhook]:
    """A running ``Webhook``."""
    hook = state or Webhook()

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = whole_body(self)
            hook.tries += 1
            code, text = hook.answers.pop(0) if hook.answers else (200, "ok")
            if code == 200:
                hook.posted.append(json.loads(body))
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: the test's output is not the place."""

    server = QuietServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hook.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/s3cretWebhookPart"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key in one file; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *form)
    )
    return file
