"""Debian packages: what is there in any form stays as it is, and nothing is ever removed for the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local import debian
from local.cluster import packages
from local.cluster.packages import CLUSTER_PACKAGES, Package
from local.errors import LocalError
from local.images.packages import HOST_PACKAGES

# Knows no package, as dpkg on a machine whose programs came from elsewhere.
_DPKG_QUERY = "#!/bin/sh\nexit 1\n"
# Writes down what it is asked. Its plan is the file `plan`; with the file `broken` it fails as after a kill.
_APT_GET = """#!/bin/sh
echo "$*" >>"$FAKE_APT/calls"
case "$*" in
*--simulate*) cat "$FAKE_APT/plan" ;;
*" install "*)
    if [ -e "$FAKE_APT/broken" ]; then
        echo "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'" >&2
        exit 100
    fi ;;
esac
"""
_DPKG = '#!/bin/sh\necho "dpkg $*" >>"$FAKE_APT/calls"\nrm "$FAKE_APT/broken"\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with those three programs alone, and root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("dpkg-query", _DPKG_QUERY), ("apt-get", _APT_GET), ("dpkg", _DPKG)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (tmp_path / "plan").touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("FAKE_APT", str(tmp_path))
    monkeypatch.setattr(packages, "SYSTEM_PATH", str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "_SERVICE_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(debian, "_MANUALS", tmp_path / "man")
    return tmp_path


def calls(machine: Path) -> list[str]:
    log = machine / "calls"
    return log.read_text().splitlines() if log.exists() else []


def have(machine: Path, program: str) -> None:
    path = machine / "bin" / program
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def silent(_: str) -> None:
    return


def test_a_runc_that_came_with_dockers_own_packages_is_taken_as_it_is(machine: Path) -> None:
    have(machine, "runc")
    debian.ensure([Package("runc", programs=("runc",))], silent)
    assert calls(machine) == []


def test_a_program_that_is_nowhere_is_installed(machine: Path) -> None:
    debian.ensure([Package("runc", programs=("runc",))], silent)
    assert [call for call in calls(machine) if call.endswith("-qq runc")]


def test_no_installation_may_remove_a_package(machine: Path) -> None:
    debian.ensure(["some-package"], silent)
    installing = [call for call in calls(machine) if " install " in f" {call} " and "--simulate" not in call]
    assert installing
    assert all("--no-remove" in call for call in installing)


def test_an_installation_that_would_remove_packages_is_refused_with_their_names(machine: Path) -> None:
    (machine / "plan").write_text("Remv docker-ce [5:28.0.1]\nRemv containerd.io [1.7.25]\nInst runc (1.1.5)\n")
    with pytest.raises(LocalError, match=r"installing runc would remove docker-ce, containerd\.io") as caught:
        debian.ensure([Package("runc", programs=("runc",))], silent)
    assert "\n" not in str(caught.value)
    assert not [call for call in calls(machine) if call.endswith("-qq runc")]


def test_an_installation_that_was_killed_is_ended_by_the_next_one(machine: Path) -> None:
    (machine / "broken").touch()
    debian.ensure(["some-package"], silent)
    assert "dpkg --configure -a" in calls(machine)
    assert calls(machine)[-1].endswith("-qq some-package")


def test_services_may_start_again_after_an_installation_that_was_killed(machine: Path) -> None:
    policy = machine / "policy-rc.d"
    policy.write_text(debian.POLICY_TEXT)
    debian.ensure(["some-package"], silent)
    assert not policy.exists()
    policy.write_text("#!/bin/sh\nexit 0\n")
    debian.ensure(["some-package"], silent)
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_user_program_counts_wherever_it_lies_on_the_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = machine / "own"
    own.mkdir()
    (own / "mvn").write_text("")
    (own / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")
    assert debian.missing([Package("maven", programs=("mvn",), users=True)]) == []
    assert debian.missing([Package("maven", programs=("mvn",))]) == ["maven"]


def test_every_package_of_the_environment_is_known_by_what_it_brings() -> None:
    assert all(package.programs or package.files for package in (*CLUSTER_PACKAGES, *HOST_PACKAGES))
