"""The AWS endpoint's promise: what was acknowledged outlives the process, however it ends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.environment.servers.conftest import AwsEndpoint

pytestmark = pytest.mark.timeout(120)

_BUCKET = "crypto-backups"
_PART_BYTES = 5 * 1024 * 1024


def _make_bucket(endpoint: AwsEndpoint) -> Any:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return s3


def test_everything_acknowledged_outlives_a_kill(aws_endpoint: AwsEndpoint) -> None:
    s3, kms, iam = _make_bucket(aws_endpoint), aws_endpoint.client("kms"), aws_endpoint.client("iam")
    s3.put_bucket_versioning(Bucket=_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    key = kms.create_key(Description="backups")["KeyMetadata"]["KeyId"]
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/backups", TargetKeyId=key)
    public = kms.get_public_key(KeyId=signing)["PublicKey"]
    sealed = kms.encrypt(KeyId="alias/backups", Plaintext=b"plain")["CiphertextBlob"]
    iam.create_role(RoleName="backup", AssumeRolePolicyDocument="{}", Tags=[{"Key": "a", "Value": "b"}])
    for body in (b"first", b"second"):
        s3.put_object(Bucket=_BUCKET, Key="dump", Body=body, Metadata={"rows": "3"}, Tagging="kind=full")

    aws_endpoint.kill()
    aws_endpoint.start()

    versions = s3.list_object_versions(Bucket=_BUCKET, Prefix="dump")["Versions"]
    bodies = {s3.get_object(Bucket=_BUCKET, Key="dump", VersionId=v["VersionId"])["Body"].read() for v in versions}
    assert bodies == {b"first", b"second"}
    newest = s3.get_object(Bucket=_BUCKET, Key="dump")
    assert newest["Body"].read() == b"second"
    assert newest["Metadata"] == {"rows": "3"}
    assert s3.get_object_tagging(Bucket=_BUCKET, Key="dump")["TagSet"] == [{"Key": "kind", "Value": "full"}]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"plain"
    assert kms.get_public_key(KeyId=signing)["PublicKey"] == public
    assert iam.get_role(RoleName="backup")["Role"]["Tags"] == [{"Key": "a", "Value": "b"}]
    s3.put_object(Bucket=_BUCKET, Key="dump", Body=b"third")
    assert len(s3.list_object_versions(Bucket=_BUCKET, Prefix="dump")["Versions"]) == 3


def test_an_upload_in_parts_can_be_finished_after_a_kill(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    parts = [os.urandom(_PART_BYTES), os.urandom(1000)]
    upload = s3.create_multipart_upload(Bucket=_BUCKET, Key="big")["UploadId"]
    tags: list[dict[str, Any]] = []
    for number, part in enumerate(parts, start=1):
        answer = s3.upload_part(Bucket=_BUCKET, Key="big", UploadId=upload, PartNumber=number, Body=part)
        tags.append({"PartNumber": number, "ETag": answer["ETag"]})
        aws_endpoint.kill()
        aws_endpoint.start()
    s3.complete_multipart_upload(Bucket=_BUCKET, Key="big", UploadId=upload, MultipartUpload={"Parts": tags})
    aws_endpoint.kill()
    aws_endpoint.start()
    assert s3.get_object(Bucket=_BUCKET, Key="big")["Body"].read() == b"".join(parts)


def test_a_large_body_is_written_once_and_removed_with_its_object(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    body = os.urandom(_PART_BYTES)
    s3.put_object(Bucket=_BUCKET, Key="big", Body=body)
    digest = hashlib.sha256(body).hexdigest()
    stored = aws_endpoint.state / "bodies" / digest[:2] / digest
    written = stored.stat().st_mtime_ns
    for number in range(3):
        s3.put_object(Bucket=_BUCKET, Key=f"small-{number}", Body=b"x")
    assert stored.stat().st_mtime_ns == written
    assert (aws_endpoint.state / "state.snapshot").stat().st_size < 100_000
    s3.delete_object(Bucket=_BUCKET, Key="big")
    assert stored.exists(), "the previous snapshot still refers to it"
    s3.put_object(Bucket=_BUCKET, Key="next", Body=b"x")
    assert not stored.exists()


def test_an_orderly_stop_keeps_everything_and_exits_0(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    assert aws_endpoint.stop() == 0
    assert "stopped" in aws_endpoint.log
    aws_endpoint.start()
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [_BUCKET]


@pytest.mark.parametrize("damage", [b"", b"no snapshot\n", None], ids=["empty", "garbage", "cut short"])
def test_a_broken_snapshot_is_moved_aside_and_the_one_before_is_used(
    aws_endpoint: AwsEndpoint, damage: bytes | None
) -> None:
    s3 = _make_bucket(aws_endpoint)
    s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x")
    aws_endpoint.kill()
    current = aws_endpoint.state / "state.snapshot"
    current.write_bytes(current.read_bytes()[:-10] if damage is None else damage)
    aws_endpoint.start()
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [_BUCKET]
    assert len(list(aws_endpoint.state.glob("broken-*-state.snapshot"))) == 1
    (line,) = [line for line in aws_endpoint.log.splitlines() if "snapshot-broken" in line]
    assert str(current) in line
    assert "from=previous" in aws_endpoint.log
    s3.put_object(Bucket=_BUCKET, Key="k2", Body=b"x")


def test_a_snapshot_whose_bodies_are_gone_is_not_used(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x")
    aws_endpoint.kill()
    bodies = [path for path in (aws_endpoint.state / "bodies").glob("??/*") if path.stat().st_size == 1]
    assert bodies
    for path in bodies:
        path.unlink()
    aws_endpoint.start()
    assert "Contents" not in s3.list_objects_v2(Bucket=_BUCKET)
    assert "snapshot-broken" in aws_endpoint.log


def test_a_write_that_cannot_be_saved_is_not_acknowledged(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    blocker = aws_endpoint.state / "next.snapshot"
    blocker.mkdir()
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x")
    assert "503" in str(refused.value)
    assert "state-not-saved" in aws_endpoint.log
    blocker.rmdir()
    s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x")
    aws_endpoint.kill()
    aws_endpoint.start()
    assert s3.get_object(Bucket=_BUCKET, Key="k")["Body"].read() == b"x"


def test_a_second_server_on_the_same_state_is_refused_in_one_line(aws_endpoint: AwsEndpoint) -> None:
    assert aws_endpoint.process is not None
    result = _run_server("--host", "127.0.0.1", "--port", "0", "--state", str(aws_endpoint.state))
    assert result.returncode == 2
    assert result.stderr.strip().splitlines() == [
        f"aws endpoint: the state folder {aws_endpoint.state} is in use by process {aws_endpoint.process.pid}"
    ]


def test_a_port_in_use_is_named_in_one_line(aws_endpoint: AwsEndpoint, tmp_path: Path) -> None:
    result = _run_server("--host", "127.0.0.1", "--port", str(aws_endpoint.port), "--state", str(tmp_path / "other"))
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert f"127.0.0.1:{aws_endpoint.port}" in line


def test_it_listens_on_the_one_address_only(aws_endpoint: AwsEndpoint) -> None:
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.2:{aws_endpoint.port}/healthz", timeout=5)


def test_the_state_cannot_be_reset_over_the_network(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    request = urllib.request.Request(f"{aws_endpoint.url}/moto-api/reset", method="POST")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310
    assert refused.value.code == 403
    assert s3.list_buckets()["Buckets"]


def test_requests_leave_no_lines_in_the_log(aws_endpoint: AwsEndpoint) -> None:
    before = aws_endpoint.log
    _make_bucket(aws_endpoint).list_buckets()
    assert aws_endpoint.log == before
    assert before.count("started") == 1
    assert "WARNING" not in before


def test_a_policy_that_demands_tls_lets_the_embedded_environment_work(aws_endpoint: AwsEndpoint) -> None:
    s3 = _make_bucket(aws_endpoint)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{_BUCKET}/*"}
    s3.put_bucket_policy(
        Bucket=_BUCKET, Policy=_policy({**deny, "Condition": {"Bool": {"aws:SecureTransport": False}}})
    )
    s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x")
    s3.put_bucket_policy(
        Bucket=_BUCKET,
        Policy=_policy(
            {**deny, "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}},
        ),
    )
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x")
    s3.put_object(Bucket=_BUCKET, Key="k", Body=b"x", ServerSideEncryption="aws:kms")


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _run_server(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.aws.server", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
