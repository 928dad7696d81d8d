"""Building: once for each content, all or nothing, one clear line for a failure. Stub tools stand for the real ones."""

import fcntl
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from local.cluster.images import archive_images
from local.images import kafka_jars
from local.images.build import build_all, planned
from local.images.catalog import recipes, tools_needed
from local.images.errors import ImageError
from local.images.kafka_jars import checksums_of, expected_jars, verify
from local.images.process import Children
from local.images.superseded import use
from local.stop import Stop
from tests.waiting import wait_until

_CHECKOUT = Path(__file__).resolve().parents[3]
# Logs its arguments; `push` writes the folder that it was asked for, with one blob.
_BUILDAH = """#!/bin/sh
echo "$*" >>"$STUB_LOG"
case "$*" in
    *" containers --json") echo null ;;
    *" images --json") echo "${STUB_IMAGES:-[]}" ;;
    *" rmi "*) [ -z "$STUB_KEEPS" ] || { echo "image is in use by a container"; exit 2; } ;;
    *" push "*)
        for last; do :; done
        folder=${last#dir:}; mkdir "$folder"
        printf layer >"$folder/cafe"; printf version >"$folder/version"
        [ -z "$STUB_HANG" ] || exec sleep 60
        [ -z "$STUB_FAIL" ] || { echo "writing blob: No space left on device"; exit 1; }
        printf '{"layers": ["cafe"]}' >"$folder/manifest.json" ;;
esac
"""
_MMDEBSTRAP = (
    '#!/bin/sh\nfor part; do case "$part" in *.tar) echo base >"$part" ;; esac; done\necho base >>"$STUB_LOG"\n'
)


@pytest.fixture
def stub_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, body in (("buildah", _BUILDAH), ("mmdebstrap", _MMDEBSTRAP)):
        (tools / name).write_text(body)
        (tools / name).chmod(0o755)
    log = tmp_path / "stub.log"
    log.touch()
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STUB_LOG", str(log))
    for name in ("STUB_FAIL", "STUB_HANG", "STUB_IMAGES", "STUB_KEEPS"):
        monkeypatch.delenv(name, raising=False)
    return log


def test_what_is_built_is_not_built_again(tmp_path: Path, stub_log: Path) -> None:
    first = build_all(tmp_path / "cache", ["redis", "pgbouncer"])
    assert [archive_images(image.archive)[0].reference for image in first.values()] == [i.ref for i in first.values()]
    stub_log.write_text("")
    assert build_all(tmp_path / "cache", ["redis", "pgbouncer"]) == first
    assert stub_log.read_text() == ""


def _programs(folder: Path, source_hash: str) -> dict[str, Path]:
    """A stand-in for every program that an image is made of, laid down as the toolchain lays them down."""
    programs = {name: folder / source_hash / name for name in tools_needed()}
    for path in programs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return programs


def test_references_carry_name_and_content_hash(tmp_path: Path) -> None:
    images = planned(tmp_path, tools=_programs(tmp_path, "one"))
    assert set(images) == set(recipes())
    assert {"ops", "postgres", "kafka", "sample-service", "platform", "prometheus"} <= set(images)
    for name, image in images.items():
        repository, _, tag = image.ref.partition(":")
        assert repository == f"localhost/crypto/{name}"
        assert len(tag) == 12
        assert tag in image.archive.name


def test_an_archive_holds_the_layers_as_they_are(tmp_path: Path, stub_log: Path) -> None:
    image = build_all(tmp_path / "cache", ["redis"])["redis"]
    with tarfile.open(image.archive) as tar:
        blobs = {name: tar.extractfile(name) for name in tar.getnames() if name.startswith("blobs/")}
        content = {name: file.read() for name, file in blobs.items() if file}
    assert content.pop("blobs/sha256/cafe") == b"layer"
    manifest = archive_images(image.archive)[0].digest.removeprefix("sha256:")
    assert content == {f"blobs/sha256/{manifest}": b'{"layers": ["cafe"]}'}
    assert "--disable-compression" in stub_log.read_text()


def test_an_image_is_built_again_when_one_of_its_programs_was(tmp_path: Path) -> None:
    before = planned(tmp_path, tools=_programs(tmp_path, "one"))
    after = planned(tmp_path, tools=_programs(tmp_path, "two"))
    changed = {name for name, image in after.items() if image.ref != before[name].ref}
    assert changed == {name for name, recipe in recipes().items() if recipe.tools}
    assert {"platform", "prometheus", "postgres-exporter"} <= changed


def test_a_program_that_was_not_built_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"image postgres-exporter is made of the program postgres-exporter"):
        planned(tmp_path, ["postgres-exporter"])


def _old_archives(cache: Path, name: str) -> list[Path]:
    """Four of an image's archives, the longest unused first."""
    folder = cache / "images" / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    archives = [folder / f"{name}-{index:012x}.tar" for index in (4, 3, 2, 1)]
    for age, archive in zip((40, 30, 20, 10), archives, strict=True):
        archive.touch()
        os.utime(archive, (time.time() - age, time.time() - age))
    return archives


def test_of_each_image_that_is_built_the_three_last_used_are_kept(
    tmp_path: Path, stub_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, said = tmp_path / "cache", list[str]()
    redis, exporter = _old_archives(cache, "redis"), _old_archives(cache, "redis-exporter")
    monkeypatch.setenv("STUB_IMAGES", '[{"names": ["localhost/crypto/redis:000000000003"]}, {"names": null}]')
    assert use(redis[0])
    built = build_all(cache, ["redis"], said.append)["redis"]

    assert {path for path in (*redis, built.archive) if path.exists()} == {redis[0], redis[3], built.archive}
    assert all(path.exists() for path in exporter), "another image's"
    assert [line for line in said if "removed" in line] == [
        f"images: removed {path.name}: 3 others of redis were used since" for path in (redis[1], redis[2])
    ]
    removed = [line for line in stub_log.read_text().splitlines() if " rmi " in line]
    assert [line.partition(" rmi ")[2] for line in removed] == ["localhost/crypto/redis:000000000003"]


def test_an_image_that_cannot_be_removed_stays_and_the_build_is_well(
    tmp_path: Path, stub_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, said = tmp_path / "cache", list[str]()
    old = _old_archives(cache, "redis")[0]
    monkeypatch.setenv("STUB_IMAGES", f'[{{"names": ["localhost/crypto/redis:{old.stem[-12:]}"]}}]')
    monkeypatch.setenv("STUB_KEEPS", "1")

    assert build_all(cache, ["redis"], said.append)["redis"].archive.exists()
    assert old.exists()
    assert [line for line in said if "stays" in line and "in use by a container" in line]
    assert "rmi" in stub_log.read_text()


def test_a_failed_export_leaves_no_archive_and_says_why(
    tmp_path: Path, stub_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_FAIL", "1")
    with pytest.raises(ImageError, match="No space left on device") as caught:
        build_all(tmp_path / "cache", ["redis"])
    assert "\n" not in str(caught.value)
    assert not planned(tmp_path / "cache", ["redis"])["redis"].archive.exists()
    monkeypatch.delenv("STUB_FAIL")
    assert archive_images(build_all(tmp_path / "cache", ["redis"])["redis"].archive)
    assert "push" in stub_log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_build_leaves_no_half_archive(tmp_path: Path, stub_log: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "STUB_HANG": "1", "XDG_CACHE_HOME": str(tmp_path / "home")}
    build = subprocess.Popen(
        # A suite in the background ignores SIGINT, and what it starts would too: a person's terminal does not.
        ["env", "--default-signal=INT", sys.executable, "-m", "local.images.build", "redis"],
        env=environment,
        cwd=_CHECKOUT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: "push" in stub_log.read_text(), "the image is written")
    # As a terminal or a cgroup would: to the whole group.
    os.killpg(build.pid, number)
    assert build.wait(30) != 0
    cache = tmp_path / "home" / "crypto-operations"
    assert not planned(cache, ["redis"])["redis"].archive.exists()
    assert archive_images(build_all(cache, ["redis"])["redis"].archive)


def test_a_build_that_is_stopped_from_another_thread_ends_at_once_and_begins_nothing_more(
    tmp_path: Path, stub_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_HANG", "1")
    stop, asked = Stop(), list[float]()

    def stop_at_the_push() -> None:
        wait_until(lambda: " push " in stub_log.read_text(), "the image is written")
        asked.append(time.monotonic())
        stop.ask()

    stopping = threading.Thread(target=stop_at_the_push)
    stopping.start()
    with pytest.raises(ImageError):
        build_all(tmp_path / "cache", ["redis", "pgbouncer"], stop=stop)
    stopping.join()
    assert time.monotonic() - asked[0] < 20
    assert "pgbouncer" not in stub_log.read_text()


def test_a_build_beside_another_process_says_whose_end_it_waits_for_and_can_be_stopped(tmp_path: Path) -> None:
    lock = tmp_path / "cache" / "images" / "lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("4711")
    stop = Stop()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        stop.ask()

    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ImageError, match="stopped"):
            build_all(tmp_path / "cache", ["redis"], say, stop=stop)
    assert said == ["images: process 4711 builds images, or what it started still does: waiting for its end"]


def test_an_unknown_image_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"unknown image 'mysql': choose from alertmanager, .*kafka"):
        build_all(tmp_path, ["mysql"])


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="'no-such-tool' is not installed"):
        Children().run(["no-such-tool"], log=tmp_path / "log", what="image x")


def test_the_builds_come_after_everything_else_that_is_started(tmp_path: Path) -> None:
    Children().run(["nice"], log=tmp_path / "log", what="image x")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert (tmp_path / "log").read_text().splitlines()[-1] == str(min(19, own + 5))


def test_after_the_end_no_child_is_started(tmp_path: Path) -> None:
    children = Children()
    children.end()
    with pytest.raises(ImageError, match="was not begun"):
        children.run(["touch", str(tmp_path / "trace")], log=tmp_path / "log", what="image x")
    assert not (tmp_path / "trace").exists()


def test_a_changed_a_missing_and_an_unknown_jar_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_text("a")
    (tmp_path / "b.jar").write_text("b")
    expected = checksums_of(tmp_path)
    verify(tmp_path, expected)
    with pytest.raises(ImageError, match=r"b\.jar is not expected"):
        verify(tmp_path, {"a.jar": expected["a.jar"]})
    with pytest.raises(ImageError, match=r"c\.jar is missing"):
        verify(tmp_path, {**expected, "c.jar": "0"})
    (tmp_path / "a.jar").write_text("tampered")
    with pytest.raises(ImageError, match=r"a\.jar has another SHA-256"):
        verify(tmp_path, expected)


def test_the_committed_jars_are_those_of_the_pom() -> None:
    version = kafka_jars.kafka_version()
    names = set(expected_jars())
    assert {f"kafka_2.13-{version}.jar", f"kafka-tools-{version}.jar", f"kafka-clients-{version}.jar"} <= names
    assert not any(name.startswith("connect-") for name in names)
