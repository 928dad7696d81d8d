"""The providers: which cluster and which AWS account, both named and never taken from what happens to be current."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from components.tags import tags
from runbook.settings import Settings


@dataclass(frozen=True, slots=True)
class Providers:
    """The cluster and the AWS account of a stack."""

    cluster: kubernetes.Provider
    account: aws.Provider


def declare(settings: Settings) -> Providers:
    """The providers that the stack's settings name."""
    return Providers(kubernetes_provider(settings), aws_provider(settings))


def kubernetes_provider(settings: Settings) -> kubernetes.Provider:
    """The cluster of the context that the stack names. The kubeconfig is the caller's and never enters the state."""
    return kubernetes.Provider(
        "cluster",
        # Empty: the provider reads KUBECONFIG as kubectl does. Where nothing is given, the SDK puts its value into the
        # state, although machines differ and it may name several files, and the provider puts a copy into /tmp.
        kubeconfig="",
        context=settings.kube_context,
        enable_server_side_apply=True,
        # The provider else deletes a changed ConfigMap and makes it anew: pods that start in between would fail. What
        # reads one at its start is rolled by its fingerprint.
        enable_config_map_mutable=True,
    )


def aws_provider(settings: Settings) -> aws.Provider:
    """The AWS account, or the embedded environment's endpoint.

    Credentials are the caller's own, so that none enters the state; the endpoint is asked for none.
    """
    endpoint = settings.aws.endpoint
    if endpoint is None:
        return aws.Provider(
            "aws", region=settings.aws.region, default_tags=aws.ProviderDefaultTagsArgs(tags=tags(settings))
        )
    return aws.Provider(
        "aws",
        region=settings.aws.region,
        endpoints=[aws.ProviderEndpointArgs(s3=endpoint, kms=endpoint, iam=endpoint, sts=endpoint)],
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_requesting_account_id=True,
    )


def options(*providers: pulumi.ProviderResource) -> pulumi.ResourceOptions:
    """Options of a top-level component: its children inherit the providers."""
    return pulumi.ResourceOptions(providers=list(providers))
