"""The formats of names and numbers, for the settings of the stack and for those of ``ops``."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from runbook import cron

# What writes a number as text writes these digits: `pulumi config set --path` makes a text of every fraction.
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOST: Final = rf"{_LABEL}(\.{_LABEL})*"
_YEARS: Final = (2000, 9000)
# A registry by its name, a path, a tag and a digest of SHA-256, as github.com/distribution/reference describes them.
_REGISTRY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PART: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE: Final = re.compile(
    rf"(?:{_REGISTRY}(?:\.{_REGISTRY})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
# PostgreSQL cuts longer names.
_DATABASE_BYTES: Final = 63


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


def _image(reference: str) -> str:
    if not _IMAGE.fullmatch(reference):
        raise ValueError("must be a reference like registry.example.com/team/name:1.2 or name@sha256:...")
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
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", max_length=4096)]
DnsLabel = Annotated[str, Field(pattern=f"^{_LABEL}$", max_length=63)]
DnsName = Annotated[str, Field(pattern=f"^{_HOST}$", max_length=253)]
Host = Annotated[str, Field(pattern=rf"^({_HOST}|[0-9a-f]*:[0-9a-f:.]+)$", max_length=253)]
_HOST_PORT: Final = rf"({_HOST}|\[[0-9a-f]*:[0-9a-f:.]+\]):[0-9]{{1,5}}"
HostPort = Annotated[str, Field(pattern=f"^{_HOST_PORT}$", max_length=261), AfterValidator(_ports)]
# Brokers as the clients of Kafka take them.
HostPorts = Annotated[str, Field(pattern=f"^{_HOST_PORT}(,{_HOST_PORT})*$", max_length=8192), AfterValidator(_ports)]
WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x1f]+$", max_length=2048), AfterValidator(_web_address)]
SecureAddress = Annotated[
    str, Field(pattern=r"^https://[^\s\x00-\x1f]+$", max_length=2048), AfterValidator(_web_address)
]
MailAddress = Annotated[str, Field(pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$", max_length=254)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", max_length=64)]
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$")]
# A part of dots alone leads out of the folder, where the key becomes a path.
KeyPrefix = Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*/)+$", max_length=512)]
Database = Annotated[Line, AfterValidator(_database)]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=249)]
SecretKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=253)]
# Of Ed25519: 32 bytes in base64; two bits are left over, which are 0, so that a key has one spelling.
PublicKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
Image = Annotated[str, AfterValidator(_image)]
