"""Each resource type of the stand-in provider through its whole life, against a real endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider as protocol

from local.aws.provider import s3 as bucket_type
from local.aws.provider.errors import ProviderError
from local.aws.provider.provider import AwsProvider
from local.aws.provider.registry import resource_types
from local.aws.provider.values import UNKNOWN, Values, plain_values, property_values
from tests.environment.servers.aws_lives import BUCKET, CHANGEABLE, LIVES, SEED, TRUST, Life, grant
from tests.environment.servers.conftest import AwsEndpoint
from tests.running.slots import free_port

pytestmark = pytest.mark.timeout(120)


@dataclass
class Engine:
    """Speaks to the provider as the engine does, with plain values."""

    provider: AwsProvider

    def check(self, token: str, inputs: Values, old: Values | None = None, name: str = "thing") -> Values:
        answer = self._check(token, inputs, old or {}, name)
        assert not answer.failures, [failure.reason for failure in answer.failures or []]
        return plain_values(answer.inputs or {})

    def refusal(self, token: str, inputs: Values) -> str:
        answer = self._check(token, inputs, {}, "thing")
        (failure,) = answer.failures or []
        return failure.reason

    def create(self, token: str, inputs: Values, *, preview: bool = False) -> tuple[str, Values]:
        request = protocol.CreateRequest(_urn(token), property_values(self.check(token, inputs)), 60, preview)
        answer = asyncio.run(self.provider.create(request))
        return answer.resource_id or "", plain_values(answer.properties)

    def diff(self, token: str, resource_id: str, state: Values, inputs: Values) -> protocol.DiffResponse:
        new = self.check(token, inputs, state)
        request = protocol.DiffRequest(_urn(token), resource_id, property_values(state), property_values(new), [])
        return asyncio.run(self.provider.diff(request))

    def update(self, token: str, resource_id: str, state: Values, inputs: Values, *, preview: bool = False) -> Values:
        new = property_values(self.check(token, inputs, state))
        request = protocol.UpdateRequest(_urn(token), resource_id, property_values(state), new, 60, [], preview)
        return plain_values(asyncio.run(self.provider.update(request)).properties)

    def read(
        self, token: str, resource_id: str, state: Values | None = None, inputs: Values | None = None
    ) -> tuple[str, Values, Values]:
        request = protocol.ReadRequest(
            _urn(token), resource_id, property_values(state or {}), property_values(inputs or {})
        )
        answer = asyncio.run(self.provider.read(request))
        return answer.resource_id or "", plain_values(answer.properties), plain_values(answer.inputs)

    def delete(self, token: str, resource_id: str, state: Values) -> None:
        asyncio.run(self.provider.delete(protocol.DeleteRequest(_urn(token), resource_id, property_values(state), 60)))

    def _check(self, token: str, inputs: Values, old: Values, name: str) -> protocol.CheckResponse:
        request = protocol.CheckRequest(_urn(token, name), property_values(old), property_values(inputs), SEED)
        return asyncio.run(self.provider.check(request))


def _urn(token: str, name: str = "thing") -> str:
    # As under a component: the types of the parents come before the resource's own.
    return f"urn:pulumi:test::crypto::crypto:aws:Backups${token}::{name}"


def _configured(url: str, **settings: Any) -> AwsProvider:
    provider = AwsProvider()
    endpoints = [dict.fromkeys(("s3", "kms", "iam", "sts"), url)]
    values = {"region": "eu-west-1", "endpoints": json.dumps(endpoints), **settings}
    asyncio.run(provider.configure(protocol.ConfigureRequest({}, property_values(values), True, False)))
    return provider


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    server = AwsEndpoint(tmp_path_factory.mktemp("aws") / "state", free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def engine(endpoint: AwsEndpoint) -> Iterator[Engine]:
    yield Engine(_configured(endpoint.url))
    _wipe(endpoint)


def _wipe(endpoint: AwsEndpoint) -> None:
    _wipe_buckets(endpoint.client("s3"))
    _wipe_iam(endpoint.client("iam"))
    kms = endpoint.client("kms")
    for alias in kms.list_aliases()["Aliases"]:
        if not alias["AliasName"].startswith("alias/aws/"):
            kms.delete_alias(AliasName=alias["AliasName"])


def _wipe_buckets(s3: Any) -> None:
    for bucket in s3.list_buckets()["Buckets"]:
        for entry in s3.list_object_versions(Bucket=bucket["Name"]).get("Versions", []):
            s3.delete_object(Bucket=bucket["Name"], Key=entry["Key"], VersionId=entry["VersionId"])
        s3.delete_bucket(Bucket=bucket["Name"])


def _wipe_iam(iam: Any) -> None:
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        for version in iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=policy["Arn"], VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=policy["Arn"])


_EACH = pytest.mark.parametrize("life", LIVES, ids=[life.name.rpartition(":")[2] for life in LIVES])


@pytest.fixture
def surroundings(endpoint: AwsEndpoint, engine: Engine) -> dict[str, str]:
    """What the lives refer to: two buckets, a locked one, keys, a role and a policy."""
    del engine
    s3, kms, iam = (endpoint.client(name) for name in ("s3", "kms", "iam"))
    place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    for name in (BUCKET, "crypto-logs"):
        s3.create_bucket(Bucket=name, **place)
    s3.create_bucket(Bucket="crypto-locked", ObjectLockEnabledForBucket=True, **place)
    group = "http://acs.amazonaws.com/groups/s3/LogDelivery"
    s3.put_bucket_acl(Bucket="crypto-logs", GrantWrite=f'uri="{group}"', GrantReadACP=f'uri="{group}"')
    iam.create_role(RoleName="base", AssumeRolePolicyDocument=json.dumps(TRUST))
    policy = iam.create_policy(PolicyName="base", PolicyDocument=json.dumps(grant("s3:ListBucket")))
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    return {"<key>": keys[0], "<key 2>": keys[1], "<policy>": policy["Policy"]["Arn"]}


def _in(surroundings: dict[str, str], inputs: Values) -> Values:
    return {name: surroundings.get(value, value) if isinstance(value, str) else value for name, value in inputs.items()}


def test_every_resource_type_has_a_life_here() -> None:
    assert {life.name for life in LIVES} == set(resource_types())


@_EACH
def test_what_was_created_reads_back_without_a_difference(
    engine: Engine, surroundings: dict[str, str], life: Life
) -> None:
    inputs = _in(surroundings, life.inputs)
    resource_id, state = engine.create(life.name, inputs)
    assert resource_id
    assert set(resource_types()[life.name].computed) <= set(state)
    assert engine.diff(life.name, resource_id, state, inputs).changes is False
    checked = engine.check(life.name, inputs)
    read_id, read_state, read_inputs = engine.read(life.name, resource_id, state, checked)
    assert (read_id, read_state, read_inputs) == (resource_id, state, checked)


@_EACH
def test_an_import_needs_no_change(engine: Engine, surroundings: dict[str, str], life: Life) -> None:
    inputs = _in(surroundings, life.inputs)
    resource_id, state = engine.create(life.name, inputs)
    read_id, imported, imported_inputs = engine.read(life.name, resource_id)
    assert read_id == resource_id
    local = {name for name, rule in resource_types()[life.name].properties.items() if not rule.readable}
    assert {name: value for name, value in imported.items() if name not in local}.keys() == state.keys() - local
    wanted = {name: value for name, value in inputs.items() if name not in local}
    assert engine.diff(life.name, resource_id, imported, wanted).changes is False
    assert engine.diff(life.name, resource_id, imported, imported_inputs).changes is False


@pytest.mark.parametrize("life", CHANGEABLE, ids=[life.name.rpartition(":")[2] for life in CHANGEABLE])
def test_a_change_in_place_is_seen_made_and_kept(engine: Engine, surroundings: dict[str, str], life: Life) -> None:
    assert life.changed is not None
    inputs, changed = _in(surroundings, life.inputs), _in(surroundings, life.changed)
    resource_id, state = engine.create(life.name, inputs)
    difference = engine.diff(life.name, resource_id, state, changed)
    assert difference.changes
    assert difference.replaces == []
    expected = {name for name in {*inputs, *changed} if inputs.get(name) != changed.get(name)}
    assert set(difference.diffs) | {"deletionWindowInDays"} == expected | {"deletionWindowInDays"}
    updated = engine.update(life.name, resource_id, state, changed)
    assert engine.diff(life.name, resource_id, updated, changed).changes is False
    assert engine.diff(life.name, resource_id, updated, inputs).changes
    _, live, _ = engine.read(life.name, resource_id, updated, engine.check(life.name, changed, updated))
    assert live == updated


@_EACH
def test_drift_is_seen_and_repaired(
    engine: Engine, endpoint: AwsEndpoint, surroundings: dict[str, str], life: Life
) -> None:
    inputs = _in(surroundings, life.inputs)
    resource_id, state = engine.create(life.name, inputs)
    life.drift(endpoint, resource_id)
    read_id, live, live_inputs = engine.read(life.name, resource_id, state, engine.check(life.name, inputs))
    if life.changed is None:
        assert read_id == ""
        return
    assert live != state
    assert live_inputs != engine.check(life.name, inputs)
    assert engine.diff(life.name, resource_id, live, inputs).changes
    repaired = engine.update(life.name, resource_id, live, inputs)
    assert engine.diff(life.name, resource_id, repaired, inputs).changes is False
    assert engine.read(life.name, resource_id, repaired)[1] == engine.read(life.name, resource_id, state)[1]


@_EACH
def test_another_identity_replaces(engine: Engine, surroundings: dict[str, str], life: Life) -> None:
    inputs = _in(surroundings, life.inputs)
    resource_id, state = engine.create(life.name, inputs)
    difference = engine.diff(life.name, resource_id, state, {**inputs, life.replaced_by: "another"})
    assert difference.replaces == [life.replaced_by]
    kind = resource_types()[life.name]
    assert difference.delete_before_replace is bool(kind.identity and life.replaced_by not in kind.identity)
    unknown = engine.diff(life.name, resource_id, state, {**inputs, life.replaced_by: UNKNOWN})
    assert unknown.replaces == [life.replaced_by]


@_EACH
def test_what_was_deleted_is_gone_and_deleting_again_is_harmless(
    engine: Engine, surroundings: dict[str, str], life: Life
) -> None:
    resource_id, state = engine.create(life.name, _in(surroundings, life.inputs))
    engine.delete(life.name, resource_id, state)
    gone, properties, inputs = engine.read(life.name, resource_id, state, state)
    if life.name.endswith(("BucketVersioning", "BucketObjectLockConfiguration")):
        assert properties != state, "S3 cannot forget these; they are suspended or without a default"
    else:
        assert (gone, properties, inputs) == ("", {}, {})
    engine.delete(life.name, resource_id, state)


@_EACH
def test_a_preview_touches_nothing(engine: Engine, endpoint: AwsEndpoint, life: Life) -> None:
    snapshot = endpoint.state / "state.snapshot"
    before = snapshot.read_bytes() if snapshot.exists() else b""
    resource_id, state = engine.create(life.name, dict.fromkeys(life.inputs, UNKNOWN), preview=True)
    assert resource_id == ""
    assert all(state[name] == UNKNOWN for name in life.inputs if name != "region")
    assert (snapshot.read_bytes() if snapshot.exists() else b"") == before


def test_a_bucket_with_objects_is_deleted_only_by_force(engine: Engine, endpoint: AwsEndpoint) -> None:
    token = "aws:s3/bucket:Bucket"
    resource_id, state = engine.create(token, {"bucket": "crypto-full"})
    s3 = endpoint.client("s3")
    s3.put_bucket_versioning(Bucket=resource_id, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=resource_id, Key="k", Body=b"1")
    s3.put_object(Bucket=resource_id, Key="k", Body=b"2")
    s3.delete_object(Bucket=resource_id, Key="k")
    s3.create_multipart_upload(Bucket=resource_id, Key="unfinished")
    with pytest.raises(ProviderError, match="the bucket crypto-full is not empty"):
        engine.delete(token, resource_id, state)
    engine.delete(token, resource_id, {**state, "forceDestroy": True})
    assert engine.read(token, resource_id, state)[0] == ""


def test_a_bucket_into_which_a_job_writes_once_more_is_deleted_by_force(
    engine: Engine, endpoint: AwsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "aws:s3/bucket:Bucket"
    resource_id, state = engine.create(token, {"bucket": "crypto-late"})
    empty = bucket_type._empty  # pyright: ignore[reportPrivateUsage] - what it does before it deletes
    s3, late = endpoint.client("s3"), ["k"]

    def emptied(client: Any, bucket: str) -> None:
        empty(client, bucket)
        if late:
            s3.put_object(Bucket=bucket, Key=late.pop(), Body=b"late")

    monkeypatch.setattr(bucket_type, "_empty", emptied)
    engine.delete(token, resource_id, {**state, "forceDestroy": True})

    assert late == []
    assert engine.read(token, resource_id, state)[0] == ""


def test_a_bucket_that_exists_is_not_taken_over(engine: Engine, surroundings: dict[str, str]) -> None:
    assert surroundings
    with pytest.raises(ProviderError, match=f"a bucket named {BUCKET} exists already"):
        engine.create("aws:s3/bucket:Bucket", {"bucket": BUCKET})


def test_what_aws_refuses_is_said_in_one_line_that_names_the_resource(engine: Engine) -> None:
    with pytest.raises(ProviderError) as refused:
        engine.create("aws:iam/rolePolicy:RolePolicy", {"role": "nobody", "policy": json.dumps(grant("s3:*"))})
    assert str(refused.value).startswith("thing: ")
    assert "nobody" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_can_be_changed_more_often_than_aws_keeps_versions(engine: Engine, endpoint: AwsEndpoint) -> None:
    token = "aws:iam/policy:Policy"
    resource_id, state = engine.create(token, {"name": "often", "policy": json.dumps(grant("s3:A0"))})
    for number in range(1, 8):
        inputs = {"name": "often", "policy": json.dumps(grant(f"s3:A{number}"))}
        state = engine.update(token, resource_id, state, inputs)
    versions = endpoint.client("iam").list_policy_versions(PolicyArn=resource_id)["Versions"]
    assert len(versions) <= 5
    assert "s3:A7" in state["policy"]


def test_default_tags_reach_every_tagged_resource(endpoint: AwsEndpoint, engine: Engine) -> None:
    del engine
    tagging = Engine(_configured(endpoint.url, defaultTags=json.dumps({"tags": {"app": "crypto", "a": "default"}})))
    _, bucket = tagging.create("aws:s3/bucket:Bucket", {"bucket": "crypto-tagged", "tags": {"a": "own"}})
    _, role = tagging.create("aws:iam/role:Role", {"assumeRolePolicy": TRUST})
    assert bucket["tagsAll"] == {"app": "crypto", "a": "own"}
    assert role["tagsAll"] == {"app": "crypto", "a": "default"}


def test_a_name_left_out_is_made_up_once_and_kept(engine: Engine) -> None:
    token = "aws:iam/role:Role"
    resource_id, state = engine.create(token, {"assumeRolePolicy": TRUST})
    assert resource_id == "thing-0123456"
    assert engine.diff(token, resource_id, state, {"assumeRolePolicy": TRUST}).changes is False


def test_an_endpoint_that_does_not_answer_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del tmp_path
    monkeypatch.setattr("local.aws.provider.clients.READY_WITHIN_SECONDS", 0.3)
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ProviderError, match=f"the AWS endpoint {url} did not answer .* `make up`"):
        Engine(_configured(url)).create("aws:s3/bucket:Bucket", {"bucket": BUCKET})


def test_the_users_own_aws_files_are_never_read(
    endpoint: AwsEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "config"
    broken.write_text("this is [ no configuration\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    request = protocol.InvokeRequest("aws:index/getCallerIdentity:getCallerIdentity", {})
    answer = asyncio.run(_configured(endpoint.url).invoke(request))
    assert plain_values(answer.return_value or {})["accountId"] == "123456789012"
