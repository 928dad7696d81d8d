"""Command lines: the short options by which programs take a password. What a long option names is a pair."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scripts.redact import values
from scripts.redact.rules import compiled, replaced
from scripts.redact.values import Line, Value

# An option's value is another word of the line, of a list, or of the same word.
_NEXT: Final = r"(?:[\"'],[ \t]*(?=[\"'])|[ \t]*)(?![\s-])"
_USER: Final = r"(?:[\"'],[ \t]*|[ \t]*|=)(?P<open>[\"']?)[^\s:%\"']*+"

# Programs, what stands in front of the password on their lines, and what a text without them lacks.
PROGRAMS: Final = (
    ("mysql(?:dump|admin|import|sh|check|pump|show|slap)?|mycli|mariadb(?:-[a-z]{1,16})?", r"-p(?=[^\s,])", "my maria"),
    ("mongo[a-z]{0,16}|sshpass|rabbitmqadmin|cqlsh|twine", f"-p{_NEXT}", "mongo sshpass rabbitmqadmin cqlsh twine"),
    ("(?:docker|podman|buildah|skopeo|nerdctl|az|oc|helm registry) login", f"-p{_NEXT}", "login"),
    ("sqlcmd|bcp|snmp[a-z]{1,8}", f"-[PAX]{_NEXT}", "sqlcmd bcp snmp"),
    ("(?:redis|valkey)-(?:cli|benchmark)", f"-a{_NEXT}", "redis- valkey-"),
    ("zip|unzip|7z", r"-[pP](?:[ \t]++(?!-)|(?=[^\s,]))", "zip 7z"),
    ("rabbitmqctl", r"(?:add_user|change_password|authenticate_user)[ \t]++\S++[ \t]++", "rabbitmqctl"),
    ("ldap[a-z]{2,12}", f"-w{_NEXT}", "ldap"),
    ("curl|wget|https?|httpie|xh", f"(?:-[uUa]|--(?:user|proxy-user|auth)){_USER}:", "curl wget http xh"),
    ("ssh-keygen", f"-[NP]{_NEXT}", "ssh-keygen"),
    ("smbclient|rpcclient", f"-U{_USER}%", "smbclient rpcclient"),
    ("htpasswd", r"-\w*b\w*[ \t]++\S++[ \t]++\S++[ \t]++", "htpasswd"),
    ("openssl|keytool|gpg2?", "pass:", "openssl keytool gpg"),
)
_HINTS: Final = [(hint, program) for program in PROGRAMS for hint in program[2].split()]


def masked(text: str) -> str:
    """``text`` without the secrets of its command lines."""
    for programs, options, _ in dict.fromkeys([program for hint, program in _HINTS if hint in text]):
        text = replaced(text, _arguments(text, programs, options))
    return text


def _arguments(text: str, programs: str, options: str) -> Iterator[tuple[int, int]]:
    """The values of the options of programs, up to the end of the line that names one."""
    line, done = Line(text), 0
    for found in compiled(rf"(?<![\w-])(?:{programs})(?![\w-])").finditer(text):
        if found.start() < done:
            continue
        done = line.end(found.end())
        for option in compiled(rf"(?<![^\s\"'\[,]){options}").finditer(text, found.end(), done):
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
