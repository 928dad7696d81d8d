"""``ops incident`` in a directory and in a real S3 endpoint: the life of an incident, writers at once, kills."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.services import report_environment
from tests.services.ops_environment import BUCKET, PREFIX, Answer, finish
from tests.services.report_environment import Desk
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, s3: Server) -> Iterator[Desk]:
    with report_environment.running(tmp_path_factory.mktemp("incident"), s3) as desk:
        yield desk


class _Place:
    """Where tickets are kept: a directory, or the bucket."""

    def __init__(self, desk: Desk, directory: Path | None) -> None:
        self.desk = desk
        self.directory = directory

    @property
    def options(self) -> list[str]:
        return [] if self.directory is None else ["--directory", str(self.directory)]

    def run(self, *arguments: str) -> Answer:
        return self.desk.environment.ops("incident", *arguments, *self.options, "--json")

    def open(self, *arguments: str, title: str = "API gateway down") -> str:
        answer = self.run("open", *(arguments or ("P1",)), title, "--by", "ann")
        assert answer.code == 0, answer.stderr
        return str(answer.json["id"])

    def read(self, name: str) -> str:
        if self.directory is not None:
            return (self.directory / name).read_text()
        return self.desk.object(f"incidents/{name}")

    def write(self, name: str, text: str) -> None:
        if self.directory is not None:
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / name).write_text(text)
        else:
            s3 = self.desk.environment.s3
            s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}incidents/{name}", Body=text.encode())

    def age(self, identifier: str, seconds: float) -> None:
        """Move everything on the ticket into the past."""

        def earlier(match: re.Match[str]) -> str:
            moment = datetime.fromisoformat(match[0]) - timedelta(seconds=seconds)
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        text = self.read(f"{identifier}/ticket.md")
        self.write(f"{identifier}/ticket.md", re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", earlier, text))

    def timeline(self, identifier: str) -> list[str]:
        front = yaml.safe_load(self.read(f"{identifier}/ticket.md").split("---\n")[1])
        return [entry["text"] for entry in front["timeline"]]


@pytest.fixture(params=["bucket", "directory"])
def place(started: Desk, request: pytest.FixtureRequest, tmp_path: Path) -> _Place:
    started.reset()
    return _Place(started, tmp_path / "incidents" if request.param == "directory" else None)


def test_an_incident_lives_from_opening_to_its_rca(place: _Place, tmp_path: Path) -> None:
    identifier = place.open()
    place.run("update", identifier, "pool is exhausted", "--status", "acknowledged", "--by", "bob")
    place.run("update", identifier, "--severity", "P2", "--commander", "eve", "--by", "bob")
    closed = place.run("close", identifier, "pool size raised", "--by", "eve")
    skeleton = place.run("show", identifier, "--rca").json["rca"]
    too_early = place.run("update", identifier, "--rca", str(_file(tmp_path, skeleton)))
    written = re.sub(r"\(to be written[^)]*\)", "because", skeleton)
    sent = place.run("update", identifier, "--rca", str(_file(tmp_path, written)), "--by", "eve")
    again = place.run("update", identifier, "--rca", str(_file(tmp_path, written)), "--by", "eve")

    assert closed.code == 0, closed.stderr
    assert "bob: pool is exhausted; status: acknowledged" in skeleton
    assert too_early.code == 1
    assert "still unwritten" in too_early.error
    assert (sent.json["changed"], again.json["changed"], again.code) == (True, False, 0)
    assert place.read(f"{identifier}/rca.md") == written
    assert place.timeline(identifier) == [
        "opened as P1",
        "pool is exhausted; status: acknowledged",
        "severity: P2; commander: eve",
        "pool size raised",
        "RCA sent",
    ]
    subjects = [text.splitlines()[0] for text in place.desk.told]
    assert subjects[0] == "*`\N{LARGE RED CIRCLE} P1 INCIDENT: API gateway down`*"
    assert [
        words in subject for words, subject in zip(("INCIDENT", "ack", "P2", "closed", "RCA"), subjects, strict=True)
    ]
    assert place.run("list").json["incidents"] == []
    assert [each["id"] for each in place.run("list", "--all").json["incidents"]] == [identifier]


def test_an_incident_is_closed_and_people_hear_of_it_where_its_rca_cannot_be_put_there(
    started: Desk, tmp_path: Path
) -> None:
    started.reset()
    place = _Place(started, tmp_path)
    identifier = place.open()
    (tmp_path / identifier / "rca.md").mkdir()
    closed = place.run("close", identifier, "mended", "--by", "ann")
    (tmp_path / identifier / "rca.md").rmdir()
    again = place.run("close", identifier, "mended", "--by", "ann")

    assert (closed.code, closed.json["status"]) == (75, "closed")
    assert "directory" in closed.json["rca_failed"]
    assert "closed after" in place.desk.told[-1]
    assert (again.code, again.json["changed"]) == (0, False)
    assert "RCA: API gateway down" in place.read(f"{identifier}/rca.md")


def _file(folder: Path, text: str) -> Path:
    path = folder / "written.md"
    path.write_text(text)
    return path


def test_every_step_done_twice_is_done_once(place: _Place) -> None:
    identifier = place.open()

    assert place.open() == identifier
    answers = [place.run("update", identifier, "looking", "--by", "ann") for _ in range(2)]
    answers += [place.run("close", identifier, "done", "--by", "ann") for _ in range(2)]

    assert [answer.json["changed"] for answer in answers] == [True, False, True, False]
    assert [answer.code for answer in answers] == [0, 0, 0, 0]
    assert place.timeline(identifier) == ["opened as P1", "looking", "done"]
    assert len(place.desk.told) == 3


def test_a_dry_run_changes_and_tells_nothing(place: _Place) -> None:
    dry = place.run("open", "P1", "x", "--dry-run")
    identifier = place.open()
    before = place.read(f"{identifier}/ticket.md")
    place.desk.hush()

    update = place.run("update", identifier, "x", "--dry-run")
    close = place.run("close", identifier, "--dry-run")

    assert [answer.json["changed"] for answer in (dry, update, close)] == [False] * 3
    assert place.read(f"{identifier}/ticket.md") == before
    assert place.desk.told == []
    assert len(place.run("list").json["incidents"]) == 1


def test_writers_at_once_lose_nothing(place: _Place) -> None:
    identifier = place.open()
    texts = [f"finding {number}" for number in range(6)]
    arguments = ["incident", "update", identifier]

    processes = [
        place.desk.environment.start(*arguments, text, *place.options, "--json", "--no-notify") for text in texts
    ]

    assert [finish(process).code for process in processes] == [0] * 6
    assert sorted(place.timeline(identifier)[1:]) == texts


def test_updates_killed_at_any_moment_leave_a_whole_ticket(place: _Place) -> None:
    identifier = place.open()
    for number in range(4):
        process = place.desk.environment.start(
            "incident", "update", identifier, f"try {number}", *place.options, "--no-notify"
        )
        with_delay = datetime.now(UTC) + timedelta(seconds=0.4 + number * 0.3)
        wait_until(
            lambda process=process, until=with_delay: process.poll() is not None or datetime.now(UTC) > until,
            "the moment of the kill has come",
        )
        process.send_signal(signal.SIGKILL)
        finish(process)
        again = place.run("update", identifier, f"try {number}", "--no-notify")
        assert again.code == 0, again.stderr

    assert place.timeline(identifier) == ["opened as P1", *(f"try {number}" for number in range(4))]


def test_reminders_name_what_is_due_and_are_sent(place: _Place) -> None:
    quiet = place.open(title="quiet")
    fresh = place.open(title="fresh")
    overdue = place.open(title="overdue")
    place.run("close", overdue)
    place.age(quiet, 16 * 60)
    place.age(overdue, 25 * 3600)
    place.desk.hush()

    answer = place.run("remind")

    due = {entry["id"]: entry["what"] for entry in answer.json["due"]}
    assert answer.code == 0
    assert set(due) == {quiet, overdue}
    assert "no update for 16 min" in due[quiet]
    assert "RCA overdue" in due[overdue]
    assert len(place.desk.told) == 1
    assert fresh not in place.desk.told[0]


def test_reminders_that_reach_nobody_are_no_success(place: _Place) -> None:
    place.age(place.open(), 3600)
    place.desk.hush(404)

    assert place.run("remind").code == 75
    chat = place.desk.environment.settings["chat"]
    place.desk.environment.configure(chat=None)
    try:
        assert place.run("remind").code == 1
    finally:
        place.desk.environment.configure(chat=chat)


def test_an_rca_counts_as_sent_only_when_somebody_got_it(place: _Place, tmp_path: Path) -> None:
    identifier = place.open()
    place.run("close", identifier)
    place.desk.hush(404)

    deaf = place.run("update", identifier, "--rca", str(_file(tmp_path, "# RCA\n\nall of it\n")))
    place.desk.hush()
    heard = place.run("update", identifier, "--rca", str(_file(tmp_path, "# RCA\n\nall of it\n")))

    assert (deaf.code, deaf.json["changed"]) == (75, False)
    assert (heard.code, heard.json["changed"]) == (0, True)


def test_a_damaged_ticket_hides_no_other(place: _Place) -> None:
    identifier = place.open()
    place.age(identifier, 3600)
    place.write("20260101-0000-bad-0000/ticket.md", "---\nid: [\n---\n")

    listed, reminded, reviewed = place.run("list"), place.run("remind"), place.run("review")

    assert [answer.code for answer in (listed, reminded, reviewed)] == [1, 1, 1]
    assert len(listed.json["incidents"]) == 2
    assert {entry["id"] for entry in reminded.json["due"]} == {identifier, "20260101-0000-bad-0000"}
    assert reviewed.json["unreadable"] == ["20260101-0000-bad-0000"]


def test_the_agenda_is_sent(place: _Place) -> None:
    identifier = place.open("P2", title="sentiment is slow")
    place.desk.hush()

    answer = place.run("review")

    assert answer.code == 0
    assert [each["id"] for each in answer.json["incidents"]] == [identifier]
    assert "## P2 sentiment is slow" in place.desk.told[0]


@pytest.mark.parametrize("arguments", [("update", "nothing", "x"), ("close", "../x"), ("show", "nothing")])
def test_an_unknown_incident_is_wrong_usage(place: _Place, arguments: tuple[str, ...]) -> None:
    answer = place.run(*arguments)

    assert answer.code == 2
    assert "ops incident list" in answer.error


def test_an_update_must_say_something_and_a_closed_incident_stays_closed(place: _Place) -> None:
    identifier = place.open()
    empty = place.run("update", identifier)
    place.run("close", identifier)
    reopened = place.run("update", identifier, "--status", "open")

    assert (empty.code, reopened.code) == (2, 2)
    assert "say what is new" in empty.error
    assert "is closed; open a new one" in reopened.error


def test_secrets_in_what_people_paste_are_removed(place: _Place) -> None:
    identifier = place.open(title="login with password=hunter2 fails")
    place.run("update", identifier, "postgresql://u:hunter2@db/x refuses")

    assert "hunter2" not in place.read(f"{identifier}/ticket.md") + "".join(place.desk.told)
    assert "postgresql://***@db/x refuses" in place.timeline(identifier)


def test_people_see_the_timeline(place: _Place) -> None:
    identifier = place.open()
    answer = place.desk.environment.ops("incident", "show", identifier, *place.options)

    assert answer.code == 0
    assert "P1 API gateway down" in answer.stdout
    assert re.search(r"UTC  ann: opened as P1", answer.stdout)
