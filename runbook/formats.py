"""The formats of names and numbers, for the settings of the stack and for those of ``ops``."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from runbook import cron

# What writes a number as text writes these digits: `pulumi config set --path` makes a text of every fraction.
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOST: Final = rf"{_LABEL}(\.{_LABEL})*"
_YEARS: Final = (2000, 9000)
# A registry, a path, a tag and a digest of SHA-256, as github.com/distribution/reference reads them for the kubelet:
# tests/oracles compares the two.
_REGISTRY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PART: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE: Final = re.compile(
    rf"((?=[^/]*[.:A-Z]|localhost/)(?:{_REGISTRY}(?:\.{_REGISTRY})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    rf"({_PART}(?:/{_PART})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
# Docker puts library/ before one word of its own registry.
_HUB: Final = (None, "docker.io/", "index.docker.io/")
_LONGEST_PATH: Final = 255
# Docker's engine takes it for the number of an image that is there.
_NUMBER_OF_IMAGE: Final = re.compile("[0-9a-f]{64}")
# PostgreSQL cuts longer names.
_DATABASE_BYTES: Final = 63
# What pydantic's own words say as a programmer's, by its type of error.
_SENTENCES: Final = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of names to values",
    "extra_forbidden": "must not be there",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "frozen_set_type": "must be a list",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "must be given",
    "model_type": "must be a mapping of names to values",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_too_short": "must have {min_length} or more characters",
    "string_type": "must be a text",
    "too_long": "must have {max_length} or fewer elements",
    "too_short": "must have {min_length} or more elements",
    "tuple_type": "must be a list",
}
# What a pattern asks for, in words.
_WORDS: Final[dict[str, str]] = {}


def form(pattern: str, words: str, **field: Any) -> Any:
    """A field whose text has this pattern; ``told`` says of a wrong value that it must be ``words``."""
    _WORDS[pattern] = words
    return Field(pattern=pattern, **field)


def told(detail: Any) -> str:
    """What a value must be, of an error that pydantic found."""
    limits = {name: _whole(limit) for name, limit in detail.get("ctx", {}).items()}
    if detail["type"] == "string_pattern_mismatch":
        return f"must be {_WORDS.get(limits['pattern'], 'of the form ' + limits['pattern'])}"
    if sentence := _SENTENCES.get(detail["type"]):
        return sentence.format(**limits)
    return str(detail["msg"]).removeprefix("Value error, ")


def _whole(limit: Any) -> Any:
    """A limit without the fraction that it does not have."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _number(given: Any) -> Any:
    if isinstance(given, bool) or (isinstance(given, str) and not _NUMBER.fullmatch(given)):
        raise ValueError("must be a number, in the digits 0 to 9")
    return given


def _day(given: Any) -> Any:
    if isinstance(given, date):
        return given
    if isinstance(given, str) and _DAY.fullmatch(given):
        with suppress(ValueError):
            # What this returns is no JSON to pydantic any more, where a text would be a day.
            return date.fromisoformat(given)
    raise ValueError("must be a day in quotes, like '2027-03-31'")


def _ports(addresses: str) -> str:
    if not all(1 <= int(address.rpartition(":")[2]) <= 65535 for address in addresses.split(",")):
        raise ValueError("must have a port from 1 to 65535")
    return addresses


def _web_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("must be an address like https://prometheus.example.com:9090")
    return address


def _time_zone(name: str) -> str:
    cron.zone(name)
    return name


def _database(name: str) -> str:
    if len(name.encode()) > _DATABASE_BYTES:
        raise ValueError(f"must have at most {_DATABASE_BYTES} bytes")
    return name


def _role(name: str) -> str:
    if name.startswith("pg_"):
        raise ValueError("must not begin with pg_, by which PostgreSQL names its own roles")
    return name


def _image(reference: str) -> str:
    found = _IMAGE.fullmatch(reference)
    if found is None or _NUMBER_OF_IMAGE.fullmatch(reference):
        raise ValueError("must be a reference like registry.example.com/team/name:1.2 or name@sha256:...")
    registry, path = found.groups()
    whole = f"library/{path}" if registry in _HUB and "/" not in path else path
    if len(whole) > _LONGEST_PATH:
        raise ValueError(f"must have at most {_LONGEST_PATH} characters after the registry")
    return reference


def moment(at: datetime) -> datetime:
    """A time from which others are counted, so far from the calendar's ends that they exist in each zone.

    Raises:
        ValueError: it is of another year.
    """
    if not _YEARS[0] <= at.year <= _YEARS[1]:
        raise ValueError(f"must be of the years {_YEARS[0]} to {_YEARS[1]}")
    return at


def shown(value: object) -> str:
    """A value in a message, written as in the file that it stands in: ``true``, not ``True``."""
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


# pydantic would take true for 1, "1_0" for 10 and a day for a number of seconds.
Whole = Annotated[int, BeforeValidator(_number)]
Fraction = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
Switch = Annotated[bool, Field(strict=True)]
Moment = Annotated[AwareDatetime, AfterValidator(moment)]
Day = Annotated[date, BeforeValidator(_day)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_number)]
# Of a service, of brokers: more is a slip of the pen.
Pods = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_number)]

# Text of one line: no sign that ends a line, steers a terminal or ends a text of C.
Line = Annotated[str, form(r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", "a line of text", max_length=4096)]
_LABEL_WORDS: Final = "lower-case letters, digits and hyphens, with a letter or digit at both ends"
DnsLabel = Annotated[str, form(f"^{_LABEL}$", f"{_LABEL_WORDS}, like api-gateway", max_length=63)]
DnsName = Annotated[str, form(f"^{_HOST}$", "a DNS name in lower case, like crypto.example.com", max_length=253)]
Host = Annotated[
    str, form(rf"^({_HOST}|[0-9a-f]*:[0-9a-f:.]+)$", "a DNS name in lower case or an IP address", max_length=253)
]
_HOST_PORT: Final = rf"({_HOST}|\[[0-9a-f]*:[0-9a-f:.]+\]):[0-9]{{1,5}}"
HostPort = Annotated[
    str,
    form(f"^{_HOST_PORT}$", "a host and its port, like cache.example.com:6379", max_length=261),
    AfterValidator(_ports),
]
# How Kafka asks for a password, in its words.
KafkaMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
# Brokers as the clients of Kafka take them.
HostPorts = Annotated[
    str,
    form(
        f"^{_HOST_PORT}(,{_HOST_PORT})*$",
        "hosts with their ports, like broker-1.example.com:9092,broker-2.example.com:9092",
        max_length=8192,
    ),
    AfterValidator(_ports),
]
WebAddress = Annotated[
    str,
    form(r"^https?://[^\s\x00-\x1f]+$", "an address like http://prometheus.example.com:9090", max_length=2048),
    AfterValidator(_web_address),
]
SecureAddress = Annotated[
    str,
    form(r"^https://[^\s\x00-\x1f]+$", "an address like https://login.example.com", max_length=2048),
    AfterValidator(_web_address),
]
MailAddress = Annotated[
    str, form(r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$", "a mail address, like ops@example.com", max_length=254)
]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Region = Annotated[str, form(r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "a region of AWS, like eu-central-1", max_length=64)]
BucketName = Annotated[
    str,
    form(
        r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$",
        "3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends",
    ),
]
# A part of dots alone leads out of the folder, where the key becomes a path.
_KEY: Final = r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY_WORDS: Final = "letters, digits, dots, hyphens and underscores"
KeyPrefix = Annotated[
    str, form(rf"^({_KEY}/)+$", f"{_KEY_WORDS}, with a slash at the end, like crypto-analytics/", max_length=512)
]
Database = Annotated[Line, AfterValidator(_database)]
# A role of PostgreSQL that needs no quotes in a connection string, in PgBouncer's list or in SQL.
DatabaseRoleName = Annotated[
    str,
    form(r"^[a-z_][a-z0-9_]*$", "lower-case letters, digits and underscores, like crypto_owner", max_length=63),
    AfterValidator(_role),
]
Topic = Annotated[str, form(f"^{_KEY}$", _KEY_WORDS, max_length=249)]
SecretKey = Annotated[str, form(f"^{_KEY}$", _KEY_WORDS, max_length=253)]
# Of Ed25519: 32 bytes in base64; two bits are left over, which are 0, so that a key has one spelling.
PublicKey = Annotated[
    str, form(r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", "a public key of Ed25519: 32 bytes in base64")
]
Image = Annotated[str, AfterValidator(_image)]
