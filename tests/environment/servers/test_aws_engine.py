"""The stand-in plugin under the real engine: up, preview, refresh, destroy of a small program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.plugin import install_plugin

if TYPE_CHECKING:
    from tests.environment.servers.conftest import AwsEndpoint

pytestmark = pytest.mark.timeout(300)

_RESOURCES = 11
_EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'

_PROGRAM = """
import json
import os

import pulumi
import pulumi_aws as aws

endpoint = os.environ["TEST_ENDPOINT"]
provider = aws.Provider(
    "embedded",
    region="eu-west-1",
    access_key="test",
    secret_key="test",
    s3_use_path_style=True,
    endpoints=[{"s3": endpoint, "kms": endpoint, "iam": endpoint, "sts": endpoint}],
    default_tags={"tags": {"app": "crypto"}},
)
options = pulumi.ResourceOptions(provider=provider)
config = pulumi.Config()
key = aws.kms.Key("key", description="backups", enable_key_rotation=True, deletion_window_in_days=7, opts=options)
aws.kms.Alias("alias", name="alias/backups", target_key_id=key.key_id, opts=options)
bucket = aws.s3.Bucket(
    "bucket",
    bucket=config.get("bucket") or "crypto-backups",
    force_destroy=config.get_bool("forceDestroy"),
    tags={"owner": "platform", "note": config.get_secret("note") or "none"},
    opts=options,
)
aws.s3.BucketVersioning(
    "versioning", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=options
)
aws.s3.BucketServerSideEncryptionConfiguration(
    "encryption",
    bucket=bucket.id,
    rules=[
        {
            "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
            "bucket_key_enabled": True,
        }
    ],
    opts=options,
)
aws.s3.BucketPublicAccessBlock(
    "public-access",
    bucket=bucket.id,
    block_public_acls=True,
    block_public_policy=True,
    ignore_public_acls=True,
    restrict_public_buckets=True,
    opts=options,
)
aws.s3.BucketOwnershipControls(
    "ownership", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=options
)
aws.s3.BucketLifecycleConfiguration(
    "lifecycle",
    bucket=bucket.id,
    rules=[
        {
            "id": "expire-backups",
            "status": "Enabled",
            "filter": {"prefix": "crypto-analytics/"},
            "expiration": {"days": 30},
            "noncurrent_version_expiration": {"noncurrent_days": 30},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        }
    ],
    opts=options,
)
aws.s3.BucketPolicy(
    "tls-only",
    bucket=bucket.id,
    policy=bucket.arn.apply(
        lambda arn: json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "DenyPlainHttp",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": ["s3:*"],
                        "Resource": [f"{arn}/*", arn],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            }
        )
    ),
    opts=options,
)
invoke = pulumi.InvokeOptions(provider=provider)
document = aws.iam.get_policy_document(
    statements=[
        {
            "actions": ["sts:AssumeRoleWithWebIdentity"],
            "principals": [{"type": "Federated", "identifiers": ["arn:aws:iam::123456789012:oidc-provider/cluster"]}],
        }
    ],
    opts=invoke,
)
role = aws.iam.Role("role", assume_role_policy=document.json, opts=options)
aws.iam.RolePolicy(
    "role-policy",
    role=role.name,
    policy=bucket.arn.apply(
        lambda arn: {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"{arn}/crypto-analytics/*"]}],
        }
    ),
    opts=options,
)
pulumi.export("account", aws.get_caller_identity(opts=invoke).account_id)
pulumi.export("region", aws.get_region(opts=invoke).region)
pulumi.export("bucket", bucket.bucket)
pulumi.export("keyArn", key.arn)
pulumi.export("role", role.name)
"""


@dataclass
class Project:
    """A Pulumi project of its own, with its own home, backend and stack `test`."""

    run: Callable[..., subprocess.CompletedProcess[str]]

    def up(self, *options: str) -> dict[str, int]:
        """The numbers of operations by kind."""
        events = [
            json.loads(line)
            for line in self.run("up", "--yes", "--skip-preview", "--json", *options).stdout.splitlines()
        ]
        (summary,) = [event["summaryEvent"] for event in events if "summaryEvent" in event]
        return dict(summary["resourceChanges"])

    def preview(self, *options: str) -> dict[str, int]:
        return dict(json.loads(self.run("preview", "--json", *options).stdout)["changeSummary"])

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.run("stack", "output", "--json").stdout)

    def resources(self) -> list[dict[str, Any]]:
        return json.loads(self.run("stack", "export").stdout)["deployment"].get("resources", [])


@pytest.fixture
def project(tmp_path: Path, pulumi_cli: Path, aws_endpoint: AwsEndpoint) -> Project:
    home, folder = tmp_path / "home", tmp_path / "program"
    for path in (home, folder, tmp_path / "backend"):
        path.mkdir()
    install_plugin(home, Path(sys.executable))
    virtualenv = Path(sys.executable).parent.parent
    (folder / "__main__.py").write_text(_PROGRAM)
    settings = {"name": "engine-test", "runtime": {"name": "python", "options": {"virtualenv": str(virtualenv)}}}
    (folder / "Pulumi.yaml").write_text(json.dumps(settings))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_", "CRYPTO_"))},
        "PATH": f"{pulumi_cli.parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "TEST_ENDPOINT": aws_endpoint.url,
    }

    def run(
        *arguments: str, fails: bool = False, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [str(pulumi_cli), *arguments, "--non-interactive"],
            cwd=folder,
            env={**environment, **(variables or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (result.returncode != 0) is fails, result.stdout + result.stderr
        return result

    run("stack", "init", "test")
    return Project(run)


def test_a_program_goes_up_and_stays_without_drift(project: Project, aws_endpoint: AwsEndpoint) -> None:
    assert project.preview()["create"] >= _RESOURCES
    assert project.up()["create"] >= _RESOURCES
    outputs = project.outputs()
    assert outputs["bucket"] == "crypto-backups"
    assert outputs["account"] == "123456789012"
    assert outputs["region"] == "eu-west-1"
    assert outputs["keyArn"].startswith("arn:aws:kms:eu-west-1:123456789012:key/")
    assert set(project.preview()) == {"same"}
    assert set(project.preview("--refresh")) == {"same"}
    project.run("refresh", "--yes", "--expect-no-changes", "--skip-preview")
    aws_endpoint.kill()
    aws_endpoint.start()
    project.run("refresh", "--yes", "--expect-no-changes", "--skip-preview")
    assert set(project.preview()) == {"same"}


def test_what_was_changed_or_deleted_outside_is_seen_and_repaired(project: Project, aws_endpoint: AwsEndpoint) -> None:
    project.up()
    s3, iam = aws_endpoint.client("s3"), aws_endpoint.client("iam")
    s3.delete_bucket_policy(Bucket="crypto-backups")
    s3.put_bucket_tagging(Bucket="crypto-backups", Tagging={"TagSet": [{"Key": "owner", "Value": "mallory"}]})
    role = project.outputs()["role"]
    (inline,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    iam.put_role_policy(RoleName=role, PolicyName=inline, PolicyDocument=_EVERYTHING)
    project.run("refresh", "--yes", "--skip-preview")
    summary = project.preview()
    assert summary["create"] == 1
    assert summary["update"] == 2
    project.up()
    assert json.loads(s3.get_bucket_policy(Bucket="crypto-backups")["Policy"])["Statement"][0]["Effect"] == "Deny"
    assert set(project.preview("--refresh")) == {"same"}


def test_a_renamed_bucket_is_replaced_with_all_that_belongs_to_it(project: Project, aws_endpoint: AwsEndpoint) -> None:
    project.up()
    project.run("config", "set", "bucket", "crypto-backups-2")
    assert project.preview()["replace"] >= 7
    project.up()
    s3 = aws_endpoint.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["crypto-backups-2"]
    assert s3.get_bucket_versioning(Bucket="crypto-backups-2")["Status"] == "Enabled"
    assert set(project.preview("--refresh")) == {"same"}


def test_a_bucket_with_objects_is_destroyed_only_by_force(project: Project, aws_endpoint: AwsEndpoint) -> None:
    project.up()
    s3 = aws_endpoint.client("s3")
    s3.put_object(Bucket="crypto-backups", Key="k", Body=b"1")
    s3.put_object(Bucket="crypto-backups", Key="k", Body=b"2")
    refused = project.run("destroy", "--yes", "--skip-preview", fails=True)
    assert "the bucket crypto-backups is not empty" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    project.run("config", "set", "forceDestroy", "true")
    project.up()
    project.run("destroy", "--yes", "--skip-preview")
    assert s3.list_buckets()["Buckets"] == []
    assert [entry["type"] for entry in project.resources() if "aws:" in entry["type"]] == []


def test_a_secret_is_not_readable_in_the_state(project: Project, aws_endpoint: AwsEndpoint) -> None:
    project.run("config", "set", "--secret", "note", "a-secret-note")
    project.up()
    assert "a-secret-note" not in project.run("stack", "export").stdout
    project.run("refresh", "--yes", "--expect-no-changes", "--skip-preview")
    assert "a-secret-note" not in project.run("stack", "export").stdout
    tags = aws_endpoint.client("s3").get_bucket_tagging(Bucket="crypto-backups")["TagSet"]
    assert {"Key": "note", "Value": "a-secret-note"} in tags


def test_real_aws_is_refused_in_one_line(project: Project) -> None:
    refused = project.run("preview", fails=True, variables={"TEST_ENDPOINT": "https://s3.eu-west-1.amazonaws.com"})
    output = refused.stdout + refused.stderr
    assert "https://s3.eu-west-1.amazonaws.com" in output
    assert "genuine plugin" in output
    assert "Traceback" not in output
