"""The language host under the real engine, driven by the plain `pulumi` CLI."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.running.owned import owned
from tests.waiting import wait_until

_DEADLINE_SECONDS = 120

_PROGRAM = """
import os
import pulumi

class Greeter(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("tiny:index:Greeter", name)
        self.register_outputs({})

config = pulumi.Config()
Greeter(config.get("name") or "polite")
pulumi.export("greeting", config.get("greeting") or "none")
pulumi.export("token", config.get_secret("token") or "none")
pulumi.export("stack", pulumi.get_stack())
pulumi.export("directory", os.getcwd())
"""

_PACK = """
import pulumi
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def check(args, report):
    if args.resource_type == "tiny:index:Greeter" and args.name == "rude":
        report(f"rude in stack {pulumi.get_stack()} with greeting {pulumi.Config('tiny').get('greeting')}")

mandatory = EnforcementLevel.MANDATORY
rule = ResourceValidationPolicy(name="be-polite", description="Be polite.", enforcement_level=mandatory, validate=check)
PolicyPack("manners", [rule])
"""


@dataclass(frozen=True)
class Project:
    """A Pulumi project in its own folder, with its own home and backend."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=_DEADLINE_SECONDS, check=False,
        )  # fmt: skip

    def ok(self, *arguments: str) -> str:
        done = self.pulumi(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fails(self, *arguments: str) -> str:
        done = self.pulumi(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def write_options(self, **options: str) -> None:
        runtime = {"name": "python", "options": options}
        (self.folder / "Pulumi.yaml").write_text(json.dumps({"name": "tiny", "runtime": runtime}))


@pytest.fixture(scope="session")
def tools_on_path(tools_bin_dir: Path) -> str:
    return f"{tools_bin_dir}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def project(tmp_path: Path, tools_on_path: str) -> Project:
    folder, home, state = (tmp_path / name for name in ("program", "home", "state"))
    for path in (folder, home, state):
        path.mkdir()
    (folder / "__main__.py").write_text(_PROGRAM)
    made = Project(
        folder,
        {
            "PATH": tools_on_path,
            "HOME": str(tmp_path),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        },
    )
    made.write_options(toolchain="uv", virtualenv=sys.prefix)
    made.ok("stack", "init", "one")
    return made


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    # Relative on purpose: a pack's virtualenv is relative to the pack's own folder.
    virtualenv = os.path.relpath(sys.prefix, folder)
    runtime = {"name": "python", "options": {"toolchain": "uv", "virtualenv": virtualenv}}
    (folder / "PulumiPolicy.yaml").write_text(json.dumps({"runtime": runtime}))
    (folder / "__main__.py").write_text(_PACK)
    return folder


def _outputs(project: Project) -> dict[str, object]:
    return json.loads(project.ok("stack", "output", "--json", "--show-secrets"))


def test_a_program_goes_up_is_refreshed_and_destroyed_by_the_plain_cli(project: Project) -> None:
    assert "2 to create" in project.ok("preview")
    assert "2 created" in project.ok("up", "--yes")
    assert "2 unchanged" in project.ok("up", "--yes", "--expect-no-changes")
    project.ok("refresh", "--yes")
    assert "2 deleted" in project.ok("destroy", "--yes")


def test_no_run_warns_about_where_the_language_host_was_found(project: Project) -> None:
    done = project.pulumi("preview")
    assert "create" in done.stdout
    assert "$PATH" not in done.stdout + done.stderr


def test_a_program_without_configuration_gets_an_empty_one(project: Project) -> None:
    project.ok("up", "--yes")
    outputs = _outputs(project)
    assert (outputs["greeting"], outputs["token"]) == ("none", "none")
    assert (outputs["stack"], outputs["directory"]) == ("one", str(project.folder))


def test_configuration_and_its_secrets_reach_the_program(project: Project) -> None:
    project.ok("config", "set", "greeting", "hello")
    project.ok("config", "set", "--secret", "token", "hidden")
    assert "hidden" not in project.ok("up", "--yes")
    assert _outputs(project)["greeting"] == "hello"
    assert _outputs(project)["token"] == "hidden"


def test_a_failure_that_the_program_explained_is_not_explained_twice(project: Project) -> None:
    (project.folder / "__main__.py").write_text("raise ValueError('the reason')")
    output = project.fails("preview")
    assert "the reason" in output
    assert "non-zero exit code" not in output


def test_a_program_that_exits_silently_is_reported_with_its_exit_code(project: Project) -> None:
    (project.folder / "__main__.py").write_text("import os; os._exit(7)")
    assert "program exited with non-zero exit code: 7" in project.fails("preview")


def test_a_policy_pack_lets_through_what_it_allows(project: Project, pack: Path) -> None:
    output = project.ok("preview", "--policy-pack", str(pack))
    assert "manners" in output


def test_a_policy_pack_stops_a_violation_and_knows_stack_and_configuration(project: Project, pack: Path) -> None:
    project.ok("config", "set", "name", "rude")
    project.ok("config", "set", "greeting", "grunt")
    for verb in (["preview"], ["up", "--yes"]):
        output = project.fails(*verb, "--policy-pack", str(pack))
        assert "be-polite" in output
        assert "rude in stack one with greeting grunt" in output
    assert json.loads(project.ok("stack", "export"))["deployment"].get("resources", []) == []


def test_about_names_the_python_of_the_virtual_environment(project: Project) -> None:
    about = json.loads(project.ok("about", "--json"))
    assert Path(about["runtime"]["executable"]).is_relative_to(sys.prefix)
    assert about["runtime"]["toolchain"] == "Uv"


def test_the_engine_is_told_the_plugins_of_the_installed_sdks(project: Project) -> None:
    plugins = json.loads(project.ok("about", "--json"))["plugins"]
    resource = {plugin["name"]: plugin["version"] for plugin in plugins if plugin["name"] in {"aws", "kubernetes"}}
    assert resource == {"aws": version("pulumi-aws"), "kubernetes": version("pulumi-kubernetes")}


def test_a_wrong_toolchain_is_refused_with_what_is_allowed(project: Project) -> None:
    project.write_options(toolchain="conda")
    assert 'toolchain is "conda": allowed are auto, pip, poetry and uv' in project.fails("preview")


def test_a_virtual_environment_that_is_missing_is_named(project: Project) -> None:
    project.write_options(toolchain="pip", virtualenv="venv")
    (project.folder / "venv").write_text("")
    assert "venv" in project.fails("preview")


def test_a_typechecker_that_is_not_installed_is_named_with_what_to_do(project: Project) -> None:
    project.write_options(toolchain="uv", virtualenv=sys.prefix, typechecker="mypy")
    output = project.fails("preview")
    assert "typechecker is mypy, which is not installed" in output
    assert "pulumi install" in output


def test_install_makes_the_virtual_environment_of_a_uv_project(project: Project) -> None:
    project.write_options(toolchain="uv")
    (project.folder / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\nversion = "1"\nrequires-python = ">=3.11"\n'
    )
    project.ok("install")
    assert (project.folder / ".venv" / "bin" / "python").exists()


def test_an_interrupt_ends_the_program(project: Project, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    (project.folder / "__main__.py").write_text(
        f"import os, pathlib, time\npathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    engine = subprocess.Popen(
        owned(["pulumi", "preview", "--non-interactive"]),
        cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(
            lambda: pid_file.exists() and re.fullmatch(r"\d+", pid_file.read_text()) is not None,
            "the program has begun",
        )
        engine.send_signal(signal.SIGINT)
        assert engine.wait(timeout=_DEADLINE_SECONDS) != 0
        wait_until(lambda: not Path("/proc", pid_file.read_text()).exists(), "the program has ended")
    finally:
        engine.kill()
        engine.wait()
