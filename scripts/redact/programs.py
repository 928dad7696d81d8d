"""Command lines: options that name a secret, and the short options by which programs take a password.

Each program is data: its name, the option, and what a text without it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scripts.redact import names, values
from scripts.redact.mask import compiled, replaced
from scripts.redact.values import Line, Value


@dataclass(frozen=True, slots=True)
class Program:
    """A program that takes a password in a short option of its command line."""

    names: str
    options: str
    hints: tuple[str, ...]


def masked(text: str) -> str:
    """``text`` without the secrets of its command lines."""
    if "-" in text:
        text = replaced(text, _options(text))
    for program in PROGRAMS:
        if any(hint in text for hint in program.hints):
            text = replaced(text, _arguments(text, program))
    return text


_OPTION: Final = re.compile(
    r"(?<![\w.-])(?:--(?P<name>[a-zA-Z][\w.-]*+)|-(?P<word>password|passwd|passphrase|token)(?![\w.-]))"
    r"(?:[ \t]++(?=[^\s-])|[\"'],[ \t]*+(?=[\"']))"
)


def _options(text: str) -> Iterator[tuple[int, int]]:
    """The values of options such as ``--password``, after a blank or in a list; Go's and Java's have one dash."""
    line, done = Line(text), 0
    for option in _OPTION.finditer(text):
        if option.start() < done or not names.names_secret(option["name"] or option["word"]):
            continue
        if option["name"] == "secret" and text.endswith("set ", 0, option.start()):
            # Pulumi's word for what the value is.
            continue
        value = values.read(text, option.end(), line)
        if not values.harmless(value):
            yield value.start, value.end
            done = value.end


def _program(programs: str, options: str, *hints: str) -> Program:
    return Program(rf"(?<![\w-])(?:{programs})(?![\w-])", rf"(?<![^\s\"'\[,]){options}", hints)


# An option's value is another word of the line, of a list, or of the same word.
_NEXT: Final = r"(?:[\"'],[ \t]*(?=[\"'])|[ \t]*)(?![\s-])"
_USER: Final = r"(?:[\"'],[ \t]*|[ \t]*|=)(?P<open>[\"']?)[^\s:%\"']*+"

PROGRAMS: Final = (
    _program("mysql(?:dump|admin|import|sh|check|pump|show|slap)?|mycli", r"-p(?=[^\s,])", "my"),
    _program("mariadb(?:-[a-z]{1,16})?", r"-p(?=[^\s,])", "mariadb"),
    _program("mongo[a-z]{0,16}|sshpass|rabbitmqadmin", f"-p{_NEXT}", "mongo", "sshpass", "rabbitmqadmin"),
    _program("(?:docker|podman|buildah|skopeo|nerdctl|az|oc|helm registry) login", f"-p{_NEXT}", " login"),
    _program("sqlcmd|bcp|snmp[a-z]{1,8}", f"-[PAX]{_NEXT}", "sqlcmd", "bcp", "snmp"),
    _program("(?:redis|valkey)-(?:cli|benchmark)", f"-a{_NEXT}", "redis-", "valkey-"),
    _program("cqlsh|twine", f"-p{_NEXT}", "cqlsh", "twine"),
    _program("zip|unzip|7z", r"-[pP](?:[ \t]++(?!-)|(?=[^\s,]))", "zip", "7z"),
    _program("rabbitmqctl", r"(?:add_user|change_password|authenticate_user)[ \t]++\S++[ \t]++", "rabbitmqctl"),
    _program("ldap[a-z]{2,12}", f"-w{_NEXT}", "ldap"),
    _program("curl|wget|https?|xh", f"(?:-[uUa]|--(?:user|proxy-user|auth)){_USER}:", "curl", "wget", "http", "xh"),
    _program("smbclient|rpcclient", f"-U{_USER}%", "smbclient", "rpcclient"),
    _program("htpasswd", r"-\w*b\w*[ \t]++\S++[ \t]++\S++[ \t]++", "htpasswd"),
    _program("openssl|keytool|gpg2?", "pass:", "openssl", "keytool", "gpg"),
)  # fmt: skip


def _arguments(text: str, program: Program) -> Iterator[tuple[int, int]]:
    """The values of a program's options, up to the end of the line that names it."""
    line, done = Line(text), 0
    for found in compiled(program.names).finditer(text):
        if found.start() < done:
            continue
        done = line.end(found.end())
        for option in compiled(program.options).finditer(text, found.end(), done):
            value = _argument(text, option, line)
            if not values.harmless(value):
                yield value.start, value.end


def _argument(text: str, option: re.Match[str], line: Line) -> Value:
    quote = option.groupdict().get("open")
    if quote is None:
        return values.read(text, option.end(), line)
    end = text.find(quote, option.end(), line.end(option.end())) if quote else -1
    if end < 0:
        return values.bare(text, option.end())
    return Value(option.end(), end, text[option.end() : end], quoted=True)
