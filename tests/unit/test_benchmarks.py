"""What the benchmarks measure is what they say they measure."""

from __future__ import annotations

import runpy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import yaml
from botocore.config import Config

from benchmarks import alerts as alert_benchmark
from benchmarks import (
    construction,
    empty_pack,
    nowhere,
    operations,
    policy_check,
    policy_preview,
    preview,
    synthetic,
    trivial,
)
from local.recording import run
from policies.protocol.messages import analyzer_pb2

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


@pytest.mark.parametrize("kind", trivial.KINDS)
def test_a_trivial_program_has_as_many_resources_as_it_says(kind: str, tmp_path: Path) -> None:
    project = trivial.write(tmp_path / kind, kind, 7)
    resources = run(lambda: runpy.run_path(str(project.folder / "__main__.py")))
    assert len({item.name for item in resources}) == len(resources) == 7
    assert {item.custom for item in resources} == {"component" not in kind}


@pytest.mark.parametrize("kind", trivial.KINDS)
def test_a_trivial_program_reaches_a_cluster_only_where_it_is_applied_and_never_a_kept_state(
    kind: str, tmp_path: Path
) -> None:
    project = trivial.write(tmp_path / "project", kind, 1)
    assert project.variables.get("KUBECONFIG") == (None if trivial.KINDS[kind].applied else "/dev/null")
    assert project.variables["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/project/state"
    assert yaml.safe_load((project.folder / "Pulumi.yaml").read_text())["runtime"]["name"] == "python"


def test_kinds_that_are_in_the_cluster_at_once_share_no_name(tmp_path: Path) -> None:
    applied = [kind for kind, what in trivial.KINDS.items() if what.applied]
    written = {
        item.inputs["metadata"]["name"]
        for kind in applied
        for item in run(partial(runpy.run_path, str(trivial.write(tmp_path / kind, kind, 3).folder / "__main__.py")))
    }
    assert len(written) == 3 * len(applied) == 6


def test_an_engine_as_it_comes_has_the_plugins_and_a_home_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "configured"))
    (tmp_path / "configured" / "plugins" / "one").mkdir(parents=True)
    kind = next(kind for kind, what in trivial.KINDS.items() if what.as_it_comes)
    variables = trivial.write(tmp_path / "project", kind, 1).variables
    home = Path(variables["PULUMI_HOME"])
    assert variables["GOGC"] == "100"
    assert [path.name for path in home.iterdir()] == ["plugins"]
    assert (home / "plugins" / "one").is_dir()


def _costs(*walls: float) -> list[preview.Cost]:
    return [preview.Cost(wall, 2 * wall) for wall in walls]


def test_the_report_compares_with_the_trivial_programs_of_the_same_run() -> None:
    costs = {
        "without policies": _costs(9.0, 2.6, 2.6),
        "with policies": _costs(3.9, 3.9, 3.9),
        "as many components": _costs(1.3, 1.3, 9.0),
        "as many ConfigMaps": _costs(2.0, 2.0, 2.0),
        "as many applied ConfigMaps": _costs(2.6, 2.6, 2.6),
        "the same, engine as it comes": _costs(5.2, 5.2, 5.2),
    }
    assert set(trivial.KINDS) < set(costs)
    lines = preview.report(costs).splitlines()
    assert lines[0] == "without policies              min   2.6 s  median   2.6 s  max   9.0 s  CPU   5.2 s"
    assert lines[6:] == [
        "policies cost 1.50x, 1.50x in CPU",
        "without policies is 2.00x of as many components, 2.00x in CPU; at most 1.3x is the goal",
        "without policies is 1.30x of as many ConfigMaps, 1.30x in CPU; at most 1.3x is the goal",
        "without policies is 1.00x of as many applied ConfigMaps, 1.00x in CPU; at most 1.3x is the goal",
        "without policies is 0.50x of the same, engine as it comes, 0.50x in CPU; at most 1.3x is the goal",
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


def test_the_empty_pack_has_a_name_and_says_nothing_of_anything() -> None:
    told = empty_pack.answer("/pulumirpc.Analyzer/GetAnalyzerInfo")(b"", None)
    assert analyzer_pb2.AnalyzerInfo.FromString(told).name == "empty"
    for method in ("Analyze", "AnalyzeStack", "Remediate", "Configure"):
        assert empty_pack.answer(f"/pulumirpc.Analyzer/{method}")(b"anything", None) == b""


def test_the_objects_of_a_policy_preview_have_the_types_that_the_pack_knows_them_by() -> None:
    objects = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b"}},
    ]
    assert policy_preview.registrations(objects) == [
        ("kubernetes:core/v1:Service", objects[0]),
        ("kubernetes:apps/v1:Deployment", objects[1]),
    ]


def test_copies_of_a_stack_name_their_own_objects_and_are_as_good_as_the_first() -> None:
    stack = [
        {"kind": "PriorityClass", "metadata": {"name": "urgent"}},
        {"kind": "Deployment", "metadata": {"name": "api", "namespace": "crypto"}, "spec": {"of": ["urgent", 3]}},
        {"kind": "Namespace", "metadata": {"name": "crypto"}},
    ]
    copies = policy_check.copies(stack, 5)
    assert [each["metadata"]["name"] for each in copies] == ["urgent-0", "api", "crypto-0", "urgent-1", "api"]
    assert copies[4] == {
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "crypto-1"},
        "spec": {"of": ["urgent-1", 3]},
    }
    assert stack[0]["metadata"] == {"name": "urgent"}


def test_a_policy_preview_is_compared_with_the_one_without_a_pack() -> None:
    row = policy_preview.line(100, "the pack", _costs(3.0, 2.2, 2.2), _costs(2.0, 2.0, 9.0))
    assert "2.2 s   1.10x" in row
    assert "4.4 CPU s   1.10x" in row
