"""The provider's configuration, and the promise that it can only ever reach the embedded environment."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from local.aws.provider.check import Defaults
from local.aws.provider.clients import Connection
from local.aws.provider.errors import ProviderError
from local.aws.provider.values import Values, has_unknown

SERVICES = ("s3", "kms", "iam", "sts")
NODE_NETWORK = ipaddress.ip_network("10.231.0.0/16")
"""The nodes of all instances of the embedded environment."""

_DEFAULT_REGION = "us-east-1"
_NESTED = frozenset({"endpoints", "defaultTags"})
_GENUINE = (
    "this is the stand-in for the embedded environment; real AWS needs the genuine plugin"
    " (`pulumi plugin install resource aws`)"
)


def connection(settings: Values, environment: Mapping[str, str] = os.environ) -> Connection:
    """The connection that `settings` (the provider's inputs) and `environment` describe.

    Raises ProviderError when there is no endpoint or one that is not the embedded environment's own.
    """
    return Connection(
        endpoints=endpoints(settings, environment),
        region=region(settings, environment),
        access_key=settings.get("accessKey") or environment.get("AWS_ACCESS_KEY_ID") or "embedded",
        secret_key=settings.get("secretKey") or environment.get("AWS_SECRET_ACCESS_KEY") or "embedded",
    )


def defaults(settings: Values, environment: Mapping[str, str] = os.environ) -> Defaults:
    """What the configuration adds to each resource."""
    given = cast("dict[str, Any]", _nested(settings, "defaultTags") or {})
    tags: dict[str, str] = given.get("tags") or {}
    return Defaults(region=region(settings, environment), tags=tags)


def region(settings: Values, environment: Mapping[str, str]) -> str:
    """The configured region, else that of the environment, else us-east-1."""
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION
    return settings.get("region") or named


def endpoints(settings: Values, environment: Mapping[str, str]) -> dict[str, str]:
    """The URL of each service, every one of them allowed; raises ProviderError else."""
    shared = environment.get("AWS_ENDPOINT_URL")
    found = {name: shared for name in SERVICES if shared}
    found |= {
        name: url for name in SERVICES if (url := environment.get(f"AWS_ENDPOINT_URL_{name.upper()}"))
    }  # fmt: skip
    for entry in _configured_endpoints(settings):
        found |= {name: str(url) for name, url in entry.items() if url}
    if not found:
        raise ProviderError(f"no AWS endpoint is configured (aws:endpoints or AWS_ENDPOINT_URL): {_GENUINE}")
    own = environment.get("CRYPTO_AWS_ENDPOINT")
    for name, url in sorted(found.items()):
        if not is_embedded(url, own):
            raise ProviderError(f"the endpoint {url} of {name} is not {own or 'on this machine'}: {_GENUINE}")
    return found


def is_embedded(url: str, own: str | None) -> bool:
    """Whether `url` is the endpoint `own`; without `own`, whether its address is loopback or that of a node."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if own:
        return url.rstrip("/") == own.rstrip("/")
    if parts.hostname == "localhost":
        return True
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return False
    return address.is_loopback or address in NODE_NETWORK


def _configured_endpoints(settings: Values) -> list[dict[str, Any]]:
    given: object = _nested(settings, "endpoints")
    entries = cast("list[object]", given if isinstance(given, list) else [] if given is None else [given])
    if not all(isinstance(entry, dict) for entry in entries):
        raise ProviderError("aws:endpoints must be a list of maps from a service to its URL, for example [{s3: URL}]")
    return cast("list[dict[str, Any]]", entries)


def _nested(settings: Values, name: str) -> Any:
    # The SDK sends the nested settings of a provider as JSON text, the engine's own configuration as values.
    value = settings.get(name)
    if has_unknown(value):
        return None
    if name in _NESTED and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ProviderError(f"aws:{name} is not valid JSON: {error}") from None
    return value
