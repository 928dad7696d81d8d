"""What the benchmarks measure is what they say they measure."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import yaml
from botocore.config import Config

from benchmarks import alerts as alert_benchmark
from benchmarks import construction, nowhere, operations, preview, synthetic, trivial
from local.recording import run

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


@pytest.mark.parametrize("kind", trivial.KINDS)
def test_a_trivial_program_has_as_many_resources_as_it_says(kind: str, tmp_path: Path) -> None:
    project = trivial.write(tmp_path / kind, kind, 7)
    resources = run(lambda: runpy.run_path(str(project.folder / "__main__.py")))
    assert len({item.name for item in resources}) == len(resources) == 7
    assert {item.custom for item in resources} == {"ConfigMap" in kind}


@pytest.mark.parametrize("kind", trivial.KINDS)
def test_a_trivial_program_reaches_a_cluster_only_where_it_is_applied_and_never_a_kept_state(
    kind: str, tmp_path: Path
) -> None:
    project = trivial.write(tmp_path / "project", kind, 1)
    assert project.variables.get("KUBECONFIG") == (None if trivial.KINDS[kind].applied else "/dev/null")
    assert project.variables["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/project/state"
    assert yaml.safe_load((project.folder / "Pulumi.yaml").read_text())["runtime"]["name"] == "python"


def _costs(*walls: float) -> list[preview.Cost]:
    return [preview.Cost(wall, 2 * wall) for wall in walls]


def test_the_report_compares_with_the_trivial_programs_of_the_same_run() -> None:
    costs = {
        "without policies": _costs(9.0, 2.6, 2.6),
        "with policies": _costs(3.9, 3.9, 3.9),
        "as many components": _costs(1.3, 1.3, 9.0),
        "as many ConfigMaps": _costs(2.0, 2.0, 2.0),
        "as many applied ConfigMaps": _costs(2.6, 2.6, 2.6),
    }
    assert set(trivial.KINDS) < set(costs)
    lines = preview.report(costs).splitlines()
    assert lines[0] == "without policies            min   2.6 s  median   2.6 s  max   9.0 s  CPU   5.2 s"
    assert lines[5:] == [
        "policies cost 1.50x, 1.50x in CPU",
        "without policies is 2.00x of as many components, 2.00x in CPU; at most 1.3x is the goal",
        "without policies is 1.30x of as many ConfigMaps, 1.30x in CPU; at most 1.3x is the goal",
        "without policies is 1.00x of as many applied ConfigMaps, 1.00x in CPU; at most 1.3x is the goal",
    ]


def test_synthetic_services_are_whole_services() -> None:
    assert synthetic.construct(3) == 3 * synthetic.construct(1)
    assert synthetic.construct(1) > 5


def test_growth_is_the_cost_of_one_among_many_to_one_among_few(capsys: pytest.CaptureFixture[str]) -> None:
    def measured(seconds: float) -> list[dict[str, float]]:
        return [{"seconds": seconds, "collected": 3 * seconds, "resources": 6.0}]

    assert construction.print_services({10: measured(1.0), 1000: measured(200.0)}) == pytest.approx(2.0)
    assert capsys.readouterr().out.splitlines()[-1].split()[:6] == ["1000", "6", "200.00", "200.00", "2.00", "600.00"]


@pytest.mark.parametrize(("start", "whole", "met"), [(0.3, 2.6, True), (0.31, 2.0, False), (0.1, 2.61, False)])
def test_the_operations_program_is_judged_by_its_start_and_by_its_slowest_check(
    start: float, whole: float, met: bool
) -> None:
    text, good = operations.report({"ops --help": [9.0, start, 0.0]}, [(whole, 2.0)] * 3)
    assert good is met
    assert f"ops --help takes {start:.2f} s, at most 0.3 s is the goal" in text
    assert f"{whole / 2:.2f}x, at most 1.3x is the goal" in text


def test_a_query_is_said_to_read_exactly_the_series_that_its_matchers_fit() -> None:
    known = list(alert_benchmark.series(7))
    assert len({item.selector for item in known}) == len(known)
    assert alert_benchmark.touched('up{namespace="crypto"}', known) == 7
    assert alert_benchmark.touched('up{job=~"service-.*"} or up{job="sentiment"}', known) == 3
    assert alert_benchmark.touched('up{job!~"service-.*", job!="sentiment"}', known) == 4
    assert alert_benchmark.touched("nobody_exports_this", known) == 0


def test_the_benchmark_of_alerts_reads_the_series_that_rules_record() -> None:
    known = list(alert_benchmark.series(7))
    rule = 'job:http_requests:rate5m{job="api-gateway"}'
    assert alert_benchmark.touched(rule, alert_benchmark.recorded(known)) == 1
    assert len(alert_benchmark.panels()) > 20


def test_the_bucket_on_no_machine_takes_whole_uploads_and_keeps_nothing() -> None:
    with nowhere.bucket() as server:
        client = boto3.client(  # pyright: ignore[reportUnknownMemberType]
            "s3",
            endpoint_url=f"http://{server.address}",
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )
        upload = client.create_multipart_upload(Bucket="b", Key="k")["UploadId"]
        sent = [
            client.upload_part(Bucket="b", Key="k", UploadId=upload, PartNumber=number, Body=bytes(3_000_000))["ETag"]
            for number in (1, 2)
        ]
        parts: list[CompletedPartTypeDef] = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(sent, 1)]
        client.complete_multipart_upload(Bucket="b", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
        client.put_object(Bucket="b", Key="manifest.json", Body=b"{}")
        assert client.list_objects_v2(Bucket="b")["KeyCount"] == 0
