"""A pull request cannot vouch for itself: what it leaves is data, and the main branch's checkout judges it."""

from __future__ import annotations

import datetime
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT, known_stacks
from local.review import artifact
from local.review.artifact import ArtifactError, logs
from local.review.publishing import AUTHOR, CONTEXT, JUDGES, MARKER, publish
from local.review.verdict import COMMENT, verdict
from policies.waiving.reading import today
from tests.policies.stack import Stack, good_stack
from tests.unit.code_host import BOT, HEAD, PERSON, TOKEN, CodeHost, archive, running, written
from tests.unit.test_review import BAD, log_of, plain_stacks, rendered, shown, without_waivers

# A fixture of every test here, too.
assert plain_stacks

_WORKFLOW = PROJECT_ROOT / ".github" / "workflows" / "verdict.yml"


@pytest.fixture
def storage() -> Iterator[CodeHost]:
    with running(CodeHost()) as host:
        yield host


@pytest.fixture
def api(storage: CodeHost) -> Iterator[CodeHost]:
    with running(CodeHost(storage)) as host:
        yield host


def left(**stacks: Stack) -> bytes:
    """The artifact of a pull request's run, with a whole log of each stack."""
    good = dict.fromkeys(known_stacks(), good_stack())
    return archive({f"{name}.events.json": log_of(stack) for name, stack in {**good, **stacks}.items()})


def judged(api: CodeHost, folder: Path) -> tuple[int, str]:
    """The exit code and the comment, as a reader sees it."""
    code = verdict(folder / "verdict", api.variables(folder))
    return code, shown(rendered((folder / "verdict" / COMMENT).read_text()))


def test_a_good_preview_is_well_and_a_violation_is_not(api: CodeHost, storage: CodeHost, tmp_path: Path) -> None:
    storage.artifact = left()
    assert judged(api, tmp_path)[0] == 0
    storage.artifact = left(prod=BAD)
    code, text = judged(api, tmp_path)
    assert code == 1
    assert "hpa-range" in text
    assert {path.name for path in (tmp_path / "verdict").glob("*.sarif")} == {"local.sarif", "prod.sarif"}


def test_the_token_is_not_shown_to_the_host_of_artifacts(api: CodeHost, storage: CodeHost, tmp_path: Path) -> None:
    storage.artifact = left()
    judged(api, tmp_path)
    assert {told for _, _, told in api.calls} == {f"Bearer {TOKEN}"}
    assert [told for _, _, told in storage.calls] == [None]


def test_a_stack_that_the_pull_request_adds_is_judged_and_one_that_it_removes_has_no_verdict(
    api: CodeHost, storage: CodeHost, tmp_path: Path
) -> None:
    storage.artifact = left(staging=BAD)
    assert "❌ staging" in judged(api, tmp_path)[1]
    storage.artifact = archive({"local.events.json": log_of(good_stack())})
    code, text = judged(api, tmp_path)
    assert code == 1
    assert "❌ prod: no verdict" in text


def test_a_run_that_left_nothing_has_no_verdict(api: CodeHost, tmp_path: Path) -> None:
    code, text = judged(api, tmp_path)
    assert code == 1
    assert text.count("the preview left no log") == len(known_stacks())


def _claiming(size: int) -> bytes:
    """An archive whose directory gives a small file another size."""
    packed = bytearray(archive({"prod.events.json": "{}"}))
    directory = packed.index(b"PK\x01\x02")
    packed[directory + 24 : directory + 28] = size.to_bytes(4, "little")
    return bytes(packed)


def _bomb() -> bytes:
    return archive({"prod.events.json": b" " * (artifact.MOST_BYTES + 1)})


def _lying_bomb() -> bytes:
    """32 MiB and more of content, of which the directory says that it is two bytes."""
    packed = bytearray(_bomb())
    directory = packed.index(b"PK\x01\x02")
    packed[directory + 24 : directory + 28] = (2).to_bytes(4, "little")
    return bytes(packed)


def _damaged() -> bytes:
    """An archive whose compressed stream begins with a kind of block that there is not."""
    packed = bytearray(archive({"prod.events.json": "{}" * 100}))
    packed[packed.index(b"prod.events.json") + len("prod.events.json")] = 0xFF
    return bytes(packed)


def _twice() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("prod.events.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("prod.events.json", "[]")
    return packed.getvalue()


def _link() -> bytes:
    """A symbolic link, as `zip --symlinks` packs it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        member = zipfile.ZipInfo("prod.events.json")
        member.external_attr = 0o120777 << 16
        opened.writestr(member, "/etc/passwd")
    return packed.getvalue()


def _by_method(method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as opened:
        opened.writestr("prod.events.json", "{}")
    return packed.getvalue()


_NAMES = (
    "../../policies/catalogue.py",
    "/etc/cron.d/x.events.json",
    "..\\prod.events.json",
    "prod.events.json/../../x.events.json",
    "$(id).events.json",
    "`id`.events.json",
    "-rf.events.json",
    ".events.json",
    "comment.md",
    "PROD.events.json",
    "prod\n::error::x.events.json",
    "a" * 41 + ".events.json",
)
_ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    **{
        name: (lambda name=name: archive({name: "{}"}), r"allowed: STACK\.events\.json|allowed: 1 to")
        for name in _NAMES
    },
    "claims 1 GB": (lambda: _claiming(2**30), "1073741824 bytes"),
    "a bomb": (_bomb, "33554433 bytes"),
    "a bomb that lies": (_lying_bomb, "no whole ZIP archive|allowed: 1 to"),
    "many": (lambda: archive({f"s{number}.events.json": "{}" for number in range(9)}), "has 9 files"),
    "the same name twice": (_twice, "named once"),
    "an empty log": (lambda: archive({"prod.events.json": ""}), "has 0 bytes"),
    "lzma": (lambda: _by_method(zipfile.ZIP_LZMA), "by method 14"),
    "no archive": (lambda: b"<html>", "no whole ZIP archive"),
    "damaged": (_damaged, "no whole ZIP archive"),
    "cut off": (lambda: left()[:-200], "no whole ZIP archive"),
}


@pytest.mark.parametrize("what", _ARCHIVES, ids=lambda what: re.sub(r"\W", "_", what))
def test_an_artifact_that_the_preview_does_not_leave_is_refused_in_one_line(what: str) -> None:
    made, why = _ARCHIVES[what]
    with pytest.raises(ArtifactError, match=why) as caught:
        logs(made())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_link_in_an_artifact_is_its_own_text() -> None:
    assert logs(_link()) == {"prod": b"/etc/passwd"}


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_artifact_is_refused_or_read_and_breaks_nothing(data: st.DataObject) -> None:
    packed = bytearray(archive({"prod.events.json": "{}", "local.events.json": "[]"}))
    for _ in range(data.draw(st.integers(1, 8))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = logs(bytes(packed))
    except ArtifactError:
        return
    assert all(re.fullmatch(r"[a-z0-9-]+", stack) for stack in found)


def test_a_refused_artifact_is_told_as_text_and_writes_nothing_elsewhere(
    api: CodeHost, storage: CodeHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.artifact = archive({"../../x @team ![](https://evil.example)\n::error::y": "{}"})
    code, text = judged(api, tmp_path)
    assert code == 1
    assert "allowed: STACK.events.json" in text
    assert {path.name for path in tmp_path.rglob("*")} == {"verdict", COMMENT, "event.json"}
    assert "::error::" not in capsys.readouterr().out


def test_an_artifact_larger_than_allowed_is_not_read_to_its_end(
    api: CodeHost, storage: CodeHost, tmp_path: Path
) -> None:
    storage.artifact = b"\0" * (artifact.MOST_BYTES + 1)
    assert "larger than the allowed" in judged(api, tmp_path)[1]


# --- status and comment


def told(api: CodeHost, folder: Path, outcome: str = "success", text: str = "## Preview and policies\n") -> str:
    """Publishes a verdict and returns the number that the workflow goes on with."""
    (folder / "verdict").mkdir(exist_ok=True)
    (folder / "verdict" / COMMENT).write_text(text)
    publish(folder / "verdict", {**api.variables(folder), "VERDICT": outcome})
    output = folder / "output"
    return output.read_text() if output.exists() else ""


def test_there_is_one_comment_however_often_it_is_written(api: CodeHost, tmp_path: Path) -> None:
    api.comments += [{"id": number, **written(f"chat {MARKER}", BOT)} for number in range(150)]
    told(api, tmp_path, text="first\n")
    assert told(api, tmp_path, text="second\n") == "number=7\n" * 2
    assert [body for body in api.bodies() if body.startswith(MARKER)] == [f"{MARKER}\nsecond\n"]
    assert {told for _, _, told in api.calls} == {f"Bearer {TOKEN}"}


def test_a_comment_of_another_author_with_the_marker_stays_and_hides_nothing(api: CodeHost, tmp_path: Path) -> None:
    forged = f"{MARKER}\n### ✅ prod\n"
    impostors = [PERSON, {"login": AUTHOR, "type": "User"}, {"login": "other[bot]", "type": "Bot"}, None]
    api.comments += [{"id": number, "body": forged, "user": user} for number, user in enumerate(impostors)]
    told(api, tmp_path, "failure", "### ❌ prod\n")
    told(api, tmp_path, "failure", "### ❌ prod, again\n")
    assert api.bodies() == [forged] * len(impostors) + [f"{MARKER}\n### ❌ prod, again\n"]


@pytest.mark.parametrize(("outcome", "state"), [("success", "success"), ("failure", "failure"), ("skipped", "failure")])
def test_the_status_is_good_only_where_the_judge_succeeded(
    api: CodeHost, tmp_path: Path, outcome: str, state: str
) -> None:
    told(api, tmp_path, outcome)
    ((commit, status),) = api.statuses
    assert (commit, status["state"], status["context"]) == (HEAD, state, CONTEXT)
    assert status["target_url"] == "https://github.example/a/b/actions/runs/9"


def test_a_judge_that_broke_is_told_and_no_earlier_verdict_stays(api: CodeHost, tmp_path: Path) -> None:
    told(api, tmp_path, text="### ✅ prod\n")
    publish(tmp_path / "nothing", {**api.variables(tmp_path), "VERDICT": "failure"})
    (body,) = api.bodies()
    assert "✅" not in body
    assert "No verdict" in body
    assert [status["state"] for _, status in api.statuses] == ["success", "failure"]


def test_a_comment_that_github_would_refuse_is_replaced(api: CodeHost, tmp_path: Path) -> None:
    told(api, tmp_path, text="x" * 70_000)
    (body,) = api.bodies()
    assert "No verdict" in body


def test_a_commit_that_is_no_longer_the_newest_is_not_told_of(api: CodeHost, tmp_path: Path) -> None:
    api.pull_requests = [{"number": 7, "head": {"sha": "deadbeef"}}]
    assert told(api, tmp_path) == ""
    assert (api.comments, api.statuses) == ([], [])


CHANGES = (
    {"filename": "policies/pods.py"},
    {"filename": "policies/waivers.yaml"},
    {"filename": "runbook/thresholds.py"},
    {"filename": "local/review/judging.py"},
    {"filename": ".github/workflows/verdict.yml"},
    {"filename": "uv.lock"},
    {"filename": "docs/elsewhere.md", "previous_filename": "policies/catalogue.py"},
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["filename"])
def test_a_change_of_what_judges_is_told_so_that_a_person_looks(
    api: CodeHost, tmp_path: Path, change: dict[str, str]
) -> None:
    api.files = [{"filename": "components/x.py"}] * 150 + [change]
    told(api, tmp_path)
    (body,) = api.bodies()
    assert "changes what judges it" in body
    assert change.get("previous_filename", change["filename"]) in shown(rendered(body))
    assert "components" not in body


def test_a_change_of_the_program_alone_is_not_told(api: CodeHost, tmp_path: Path) -> None:
    api.files = [{"filename": "components/x.py"}, {"filename": "Pulumi.prod.yaml"}, {"filename": "docs/policies/x.md"}]
    told(api, tmp_path)
    assert api.bodies() == [f"{MARKER}\n## Preview and policies\n"]


def test_more_files_than_github_lists_are_all_to_be_read(api: CodeHost, tmp_path: Path) -> None:
    api.files = [{"filename": f"docs/{number}.md"} for number in range(3000)]
    told(api, tmp_path)
    assert "GitHub lists 3000 changed files" in api.bodies()[0]


def test_a_hostile_file_name_is_code_in_the_notice(api: CodeHost, tmp_path: Path) -> None:
    names = [f"policies/{number} @team </code><img src=x>`$(id)`\n> # head" for number in range(30)]
    api.files = [{"filename": name} for name in names]
    told(api, tmp_path)
    text = rendered(api.bodies()[0])
    assert re.findall(r"<(?!/?(?:blockquote|p|strong|ul|li|code|h2|!--))[^>]*>", text) == []
    assert len(re.findall(r"<li><code>[^<]*</code></li>", text)) == 20
    assert "and 10 more" in text


def test_a_refusal_is_one_line_without_the_token(api: CodeHost, tmp_path: Path) -> None:
    api.refuse = True
    with pytest.raises(LocalError, match="GitHub answered 403") as caught:
        told(api, tmp_path)
    assert TOKEN not in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"GITHUB_EVENT_PATH \(the event"):
        verdict(tmp_path / "verdict", {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "a/b"})
    with pytest.raises(LocalError, match="set VERDICT"):
        publish(tmp_path, {})


def test_a_server_that_is_not_there_is_one_line(api: CodeHost, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="cannot be reached: ConnectError"):
        verdict(tmp_path / "verdict", {**api.variables(tmp_path), "GITHUB_API_URL": "http://127.0.0.1:9"})


# --- the workflow's steps, run as they are written, in a checkout of what judges


def checkout(folder: Path) -> Path:
    """A copy of what a preview and its verdict are made by, and of the stacks: nothing else is needed."""
    for name in [*JUDGES, *(f"Pulumi.{stack}.yaml" for stack in known_stacks())]:
        source = PROJECT_ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    for config in (folder / "policies" / "config").glob("*.json"):
        config.write_text(without_waivers(config.read_text()))
    return folder


def run_step(folder: Path, job: str, target: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs the step of the workflow that calls a target, as a runner does, with this project's installed packages."""
    content: dict[str, Any] = yaml.safe_load(_WORKFLOW.read_text())
    (step,) = (step for step in content["jobs"][job]["steps"] if step.get("run") == f"make {target}")
    given: dict[str, str] = {**content.get("env", {}), **step["env"]}
    values = {"${{ github.token }}": TOKEN, "${{ needs.judge.result }}": variables.pop("RESULT", "")}
    given = {name: values.get(value, value) for name, value in given.items()}
    assert not [value for value in given.values() if "${{" in value]
    installed = {"UV_NO_SYNC": "1", "UV_PROJECT_ENVIRONMENT": sys.prefix}
    path = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "GITHUB_ACTIONS": "true"}
    return subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=folder,
        env={**path, **installed, **variables, **given},
        capture_output=True,
        text=True,
        check=False,
    )


def _rewrite(file: str, before: str, after: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / file).read_text()
        assert before in text
        (folder / file).write_text(text.replace(before, after))

    return change


def _waive(folder: Path) -> None:
    by = dict.fromkeys(("owner", "reason", "ticket"), "x")
    about = {"rule": "hpa-range", "resource": "HorizontalPodAutoscaler analytics"}
    expires = str(today() + datetime.timedelta(days=7))
    (folder / "policies" / "waivers.yaml").write_text(yaml.safe_dump([{**by, **about, "expires": expires}]))


WEAKENINGS: dict[str, Callable[[Path], None]] = {
    "a rule": _rewrite("policies/scaling.py", "limits.normal <= whole(value)", "1 <= whole(value)"),
    "a number of the runbook": _rewrite("runbook/services.py", "ReplicaRange(3, 8)", "ReplicaRange(1, 8)"),
    "a level": _rewrite(
        "policies/config/prod.json", '"stateful-protected"', '"hpa-range": "disabled", "stateful-protected"'
    ),
    "a waiver": _waive,
    "the judge": _rewrite("local/review/judging.py", "self.result is not None and self.result.clean", "True"),
}
_OWN = """
import sys
from pathlib import Path
from local.review.judging import judge
sys.exit(not judge("prod", Path("log")).well)
"""


@pytest.mark.parametrize("what", WEAKENINGS)
def test_a_pull_request_that_weakens_its_judge_is_judged_by_the_one_before(
    api: CodeHost, storage: CodeHost, tmp_path: Path, what: str
) -> None:
    head = checkout(tmp_path / "head")
    WEAKENINGS[what](head)
    (head / "log").write_text(log_of(BAD))
    # By its own rules the pull request is well: the weakening is one.
    subprocess.run([sys.executable, "-c", _OWN], cwd=head, check=True)
    storage.artifact = left(prod=BAD)
    code, text = judged(api, tmp_path)
    assert code == 1
    assert "hpa-range" in text


def test_the_steps_of_the_workflow_judge_and_tell_as_they_are_written(
    api: CodeHost, storage: CodeHost, tmp_path: Path
) -> None:
    base = checkout(tmp_path / "base")
    api.comments.append({"id": 0, **written(f"{MARKER}\n### ✅ prod\n", PERSON)})
    api.files = [{"filename": "policies/scaling.py"}]
    storage.artifact = left(prod=BAD)
    judge = run_step(base, "judge", "verdict", api.variables(tmp_path))
    assert judge.returncode != 0, judge.stderr
    assert "prod: 1 mandatory" in judge.stdout
    tell = run_step(base, "tell", "publish-verdict", {**api.variables(tmp_path), "RESULT": "failure"})
    assert tell.returncode == 0, tell.stderr
    forged, ours = api.bodies()
    assert forged == f"{MARKER}\n### ✅ prod\n"
    assert "❌ prod" in ours
    assert "changes what judges it" in ours
    assert [status["state"] for _, status in api.statuses] == ["failure"]
    assert TOKEN not in judge.stdout + judge.stderr + tell.stdout + tell.stderr


def test_the_judge_loads_nothing_of_the_project_but_what_the_comment_names() -> None:
    script = (
        "import sys, json, local.review.verdict, local.review.publishing, local.__main__;"
        "print(json.dumps([m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)]))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    files: list[str] = json.loads(done.stdout)
    own = [Path(file).relative_to(PROJECT_ROOT).as_posix() for file in files if file.startswith(f"{PROJECT_ROOT}/")]
    ours = [file for file in own if not file.startswith(".venv/")]
    assert "policies/catalogue.py" in ours
    assert [file for file in ours if not file.startswith(JUDGES)] == []


def _steps() -> list[dict[str, Any]]:
    content = yaml.safe_load(_WORKFLOW.read_text())
    return [step for job in content["jobs"].values() for step in job["steps"]]


def test_nothing_of_the_pull_request_is_checked_out_where_something_may_be_written() -> None:
    checkouts = [step for step in _steps() if "actions/checkout" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)
    downloads = [step for step in _steps() if "actions/download-artifact" in step.get("uses", "")]
    assert downloads
    # Of the same run: what the judge made, and nothing that the pull request left.
    assert all(step["with"] == {"name": "verdict", "path": "build/verdict"} for step in downloads)
