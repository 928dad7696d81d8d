"""The stand-in provider reaches the embedded environment and nothing else."""

from __future__ import annotations

import asyncio
import json

import pytest
from pulumi.provider.experimental import provider as protocol

from local.aws.provider import configuration
from local.aws.provider.errors import ProviderError
from local.aws.provider.provider import AwsProvider
from local.aws.provider.values import UNKNOWN, Values, property_values


def _settings(url: str) -> Values:
    return {"region": "eu-west-1", "endpoints": json.dumps([dict.fromkeys(configuration.SERVICES, url)])}


@pytest.mark.parametrize(
    "url", ["http://10.231.0.2:4566", "http://10.231.7.2:4566/", "http://127.0.0.1:4566", "http://localhost:4566"]
)
def test_an_endpoint_on_this_machine_is_accepted(url: str) -> None:
    assert configuration.connection(_settings(url), {}).endpoints["s3"] == url


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.eu-west-1.amazonaws.com",
        "http://10.232.0.2:4566",
        "http://10.231.0.2.example.com",
        "http://127.0.0.1@203.0.113.7:4566",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "10.231.0.2:4566",
        "not an address",
    ],
)
def test_any_other_endpoint_is_refused_and_named(url: str) -> None:
    with pytest.raises(ProviderError) as refused:
        configuration.connection(_settings(url), {})
    assert url in str(refused.value)
    assert "genuine plugin" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_foreign_endpoint_among_good_ones_is_refused() -> None:
    entries = [{"s3": "http://127.0.0.1:4566", "kms": "https://kms.eu-west-1.amazonaws.com"}]
    with pytest.raises(ProviderError, match="kms"):
        configuration.connection({"endpoints": json.dumps(entries)}, {})


def test_without_an_endpoint_nothing_is_reached() -> None:
    with pytest.raises(ProviderError, match="no AWS endpoint is configured"):
        configuration.connection({"region": "eu-west-1"}, {})


def test_the_endpoint_may_come_from_the_environment() -> None:
    assert configuration.connection({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}).endpoints["iam"] == (
        "http://127.0.0.1:1"
    )
    with pytest.raises(ProviderError, match="amazonaws"):
        configuration.connection({}, {"AWS_ENDPOINT_URL": "https://amazonaws.com"})
    with pytest.raises(ProviderError, match="amazonaws"):
        configuration.connection(
            {}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com"}
        )


def test_a_named_environment_is_the_only_one_accepted() -> None:
    environment = {"CRYPTO_AWS_ENDPOINT": "http://10.231.3.2:4566"}
    assert configuration.connection(_settings("http://10.231.3.2:4566/"), environment)
    with pytest.raises(ProviderError, match=r"10\.231\.0\.2"):
        configuration.connection(_settings("http://10.231.0.2:4566"), environment)


def test_a_refusal_reaches_the_engine_as_a_failure_of_the_check() -> None:
    request = protocol.CheckRequest("urn", {}, property_values(_settings("https://amazonaws.com")), b"")
    answer = asyncio.run(AwsProvider().check_config(request))
    (failure,) = answer.failures or []
    assert "genuine plugin" in failure.reason


def test_an_endpoint_that_is_not_known_yet_is_not_refused() -> None:
    request = protocol.CheckRequest("urn", {}, property_values({"endpoints": UNKNOWN}), b"")
    assert not asyncio.run(AwsProvider().check_config(request)).failures


@pytest.mark.parametrize("endpoints", ["{", '"text"', "[1]"])
def test_endpoints_of_another_form_are_explained(endpoints: str) -> None:
    with pytest.raises(ProviderError, match="aws:endpoints"):
        configuration.connection({"endpoints": endpoints}, {})


def test_a_provider_that_was_not_configured_says_so() -> None:
    with pytest.raises(ProviderError, match="before it was configured"):
        asyncio.run(AwsProvider().invoke(protocol.InvokeRequest("aws:index/getRegion:getRegion", {})))
