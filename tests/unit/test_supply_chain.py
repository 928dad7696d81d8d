"""Where everything comes from: hashes, digests, commits; lists of what is there; a threat model whose proofs exist."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT
from local.supply_chain import GO, PYTHON, audit, sbom
from local.toolchain.versions import load

_DOCKERFILES = [PROJECT_ROOT / "images/ops/Dockerfile", *sorted((PROJECT_ROOT / "local/images").glob("*/Dockerfile"))]
_SCRIPTS = [*_DOCKERFILES, PROJECT_ROOT / "Makefile", PROJECT_ROOT / "local" / "bootstrap.sh",
            *sorted((PROJECT_ROOT / ".github" / "workflows").glob("*.yml"))]  # fmt: skip


def _lock() -> list[dict[str, Any]]:
    return tomllib.loads((PROJECT_ROOT / "uv.lock").read_text())["package"]


def test_every_package_has_a_hash_and_a_wheel() -> None:
    others = [package for package in _lock() if package["source"] != {"editable": "."}]
    assert len(others) > 100
    for package in others:
        assert package["wheels"], package["name"]
        assert all(wheel["hash"].startswith("sha256:") for wheel in package["wheels"]), package["name"]
    settings = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["uv"]["no-build"] is True
    assert settings["build-system"]["build-backend"] == "uv_build", "the backend that needs no package"


def _commands() -> Iterator[str]:
    for path in _SCRIPTS:
        text = re.sub(r"\\\n\s*", "", path.read_text())
        yield from (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def test_nothing_is_installed_that_no_lock_names() -> None:
    uses = [line for line in _commands() if re.search(r"\buv\"? (?:sync|run|export)\b", line)]
    assert len(uses) >= 5
    assert [line for line in uses if not re.search(r" --(?:frozen|locked)\b", line)] == []
    installs = [line for line in _commands() if re.search(r"\bpip3? install\b|\buvx\b|\buv tool\b|\bnpx\b", line)]
    assert len(installs) == 1
    assert all("--require-hashes" in line and "--only-binary :all:" in line for line in installs)
    assert [line for line in _commands() if re.search(r"\b(?:curl|wget)\b", line)] == []


def test_a_uv_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    wheel = tmp_path / "uv-0.13.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("uv-0.13.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 0.13.9\n")
        opened.writestr("uv-0.13.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr("uv-0.13.9.dist-info/RECORD", "")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    given = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    script = PROJECT_ROOT / "local" / "bootstrap.sh"
    done = subprocess.run(["sh", str(script)], env={**given, **offline}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert done.stdout == ""
    assert not list((tmp_path / "cache").rglob("bin/uv"))


def test_a_base_that_is_pulled_is_named_by_its_digest_and_one_that_is_made_is_never_pulled() -> None:
    bases = {
        path: re.findall(r"^(?:ARG BASE=|FROM )(?!\$)(\S+)", path.read_text(), re.MULTILINE) for path in _DOCKERFILES
    }
    released = bases.pop(PROJECT_ROOT / "images/ops/Dockerfile")
    assert released
    assert all(re.fullmatch(r"docker\.io/library/debian:bookworm-slim@sha256:[0-9a-f]{64}", base) for base in released)
    assert {base for found in bases.values() for base in found} == {"docker.io/library/debian:bookworm-slim"}
    ignored = json.loads((PROJECT_ROOT / "renovate.json").read_text())["packageRules"]
    assert any(rule.get("enabled") is False and rule["matchFileNames"] == ["local/images/**"] for rule in ignored)


def test_renovate_keeps_digests_commits_and_hashes() -> None:
    settings = json.loads((PROJECT_ROOT / "renovate.json").read_text())
    assert {"docker:pinDigests", "helpers:pinGitHubActionDigestsToSemver"} <= set(settings["extends"])
    # The form that Renovate's manager of requirements looks for by default.
    names = [
        path for path in (PROJECT_ROOT / "local").glob("*.txt") if re.search(r"[\w-]*requirements\.txt$", path.name)
    ]
    assert [path.name for path in names] == ["uv-requirements.txt"]


def test_the_lists_of_what_is_there_are_valid_and_whole(tmp_path: Path) -> None:
    sbom(tmp_path)
    for name in (PYTHON, GO):
        assert JsonStrictValidator(SchemaVersion.V1_5).validate_str((tmp_path / name).read_text()) is None, name
    python = {part["name"] for part in json.loads((tmp_path / PYTHON).read_text())["components"]}
    assert {"pulumi", "boto3", "pydantic-core", "urllib3"} <= python
    assert "pytest" not in python, "it is deployed nowhere"
    parts = json.loads((tmp_path / GO).read_text())["components"]
    go = {(part["name"], part["version"]) for part in parts}
    assert set(load().modules.items()) <= go
    assert len(go) > 500
    for part in parts:
        url = PackageURL.from_string(part["purl"])
        assert (url.type, "/".join(filter(None, (url.namespace, url.name)))) == ("golang", part["name"])
        assert url.version == part["version"]


class _Osv(ThreadingHTTPServer):
    """The service that pip-audit asks: one package has a vulnerability, or none has."""

    def __init__(self, vulnerable: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.vulnerable = vulnerable
        self.asked: set[str] = set()


class _Answers(BaseHTTPRequestHandler):
    server: _Osv  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.server.asked.add(name)
        affected: dict[str, Any] = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [], "versions": []}
        found = {"vulns": [{"id": "PYSEC-2026-1", "summary": "bad", "aliases": [], "affected": [affected]}]}
        body = json.dumps(found if name == self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        del format, args


@pytest.mark.parametrize(("vulnerable", "code"), [("urllib3", 1), ("nothing", 0)])
def test_a_known_vulnerability_is_told_and_fails(
    capsys: pytest.CaptureFixture[str], vulnerable: str, code: int
) -> None:
    server = _Osv(vulnerable)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        assert audit(f"http://127.0.0.1:{server.server_address[1]}/v1/query") == code
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert ("PYSEC-2026-1" in capsys.readouterr().out) == bool(code)
    assert {"pulumi", "boto3", "pytest", "ruff"} <= server.asked
    assert "crypto-operations" not in server.asked


def test_an_audit_without_an_answer_is_no_success() -> None:
    with pytest.raises(LocalError, match=r"pip-audit failed: .*Connection"):
        audit("http://127.0.0.1:9/v1/query")


# --- the threat model

_MODEL = PROJECT_ROOT / "docs" / "threat-model.md"
_ACTORS = (
    "a stolen service",
    "a stolen job that backs up",
    "an on-call engineer with bad intent",
    "a hostile pull request",
    "someone who can write to the bucket",
    "someone on the network",
    "a hostile text in chat, mail or a log",
    "a compromised dependency",
)


def _rows() -> list[list[str]]:
    lines = [line for line in _MODEL.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_threat_model_has_a_row_for_each_actor_and_each_is_shown_or_open() -> None:
    rows = _rows()
    assert set(_ACTORS) <= {row[0] for row in rows}
    for row in rows:
        assert len(row) == 4
        assert all(row), row[0]
        assert re.findall(r"`tests/\S+::test_\w+`", row[3]) or "**open**" in row[2], row[0]


def _named() -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", _MODEL.read_text())


@pytest.mark.parametrize(("file", "test"), _named(), ids=[test for _, test in _named()])
def test_a_test_that_the_threat_model_names_exists(file: str, test: str) -> None:
    tree = ast.parse((PROJECT_ROOT / file).read_text())
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_threat_model_names_tests() -> None:
    assert len(_named()) == _MODEL.read_text().count("::test_") > 30
    assert os.access(PROJECT_ROOT / "SECURITY.md", os.R_OK)
