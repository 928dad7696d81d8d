"""What the benchmarks measure is what they say they measure."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml

from benchmarks import construction, preview, synthetic, trivial
from local.recording import run


@pytest.mark.parametrize("kind", trivial.KINDS)
def test_a_trivial_program_has_as_many_resources_as_it_says(kind: str, tmp_path: Path) -> None:
    project = trivial.write(tmp_path / kind, kind, 7)
    resources = run(lambda: runpy.run_path(str(project.folder / "__main__.py")))
    assert len({item.name for item in resources}) == len(resources) == 7
    assert {item.custom for item in resources} == {"ConfigMap" in kind}


def test_a_trivial_program_reaches_neither_a_cluster_nor_a_kept_state(tmp_path: Path) -> None:
    project = trivial.write(tmp_path / "project", next(iter(trivial.KINDS)), 1)
    assert project.variables["KUBECONFIG"] == "/dev/null"
    assert project.variables["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/project/state"
    assert yaml.safe_load((project.folder / "Pulumi.yaml").read_text())["runtime"]["name"] == "python"


def test_the_report_compares_with_the_trivial_programs_of_the_same_run() -> None:
    times = {
        "without policies": [9.0, 2.6, 2.6],
        "with policies": [3.9, 3.9, 3.9],
        "as many components": [1.3, 1.3, 9.0],
        "as many ConfigMaps": [2.0, 2.0, 2.0],
    }
    lines = preview.report(times).splitlines()
    assert lines[0] == "without policies   min   2.6 s  median   2.6 s  max   9.0 s"
    assert lines[4:] == [
        "policies cost 1.50x",
        "without policies is 2.00x of as many components, at most 1.3x is the goal",
        "without policies is 1.30x of as many ConfigMaps, at most 1.3x is the goal",
    ]


def test_synthetic_services_are_whole_services() -> None:
    assert synthetic.construct(3) == 3 * synthetic.construct(1)
    assert synthetic.construct(1) > 5


def test_growth_is_the_cost_of_one_among_many_to_one_among_few(capsys: pytest.CaptureFixture[str]) -> None:
    def measured(seconds: float) -> list[dict[str, float]]:
        return [{"seconds": seconds, "collected": 3 * seconds, "resources": 6.0}]

    assert construction.print_services({10: measured(1.0), 1000: measured(200.0)}) == pytest.approx(2.0)
    assert capsys.readouterr().out.splitlines()[-1].split()[:6] == ["1000", "6", "200.00", "200.00", "2.00", "600.00"]
