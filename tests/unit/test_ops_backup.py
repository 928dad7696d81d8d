"""The pure parts of backups: names, part sizes, manifests, streams."""

from __future__ import annotations

import hashlib
import io
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from runbook import units
from scripts.backup import compare, fresh, index, keys, listing, manifest, parts, pipeline, upload
from scripts.backup.catalog import Selection, parse_time
from scripts.backup.index import Entry
from scripts.backup.keys import BackupId
from scripts.backup.manifest import PostgresManifest, Table
from scripts.backup.pipeline import Counter, Meter
from scripts.clients.pgtools import Program, choose
from scripts.exits import CheckFailedError, UsageError
from scripts.output import Screen

_NOW = datetime(2026, 3, 1, 2, 0, 5, 999, tzinfo=UTC)
_ID = "20260301T020000Z-0a1b2c3d"


def plain_manifest() -> dict[str, Any]:
    """A manifest as it stands in a bucket."""
    digest = {"bytes": 10, "sha256": "ab" * 32}
    return {
        "formatVersion": 1,
        "kind": "postgres",
        "id": _ID,
        "database": {
            "name": "crypto_db",
            "owner": "crypto_user",
            "encoding": "UTF8",
            "collate": "C.UTF-8",
            "ctype": "C.UTF-8",
        },
        "serverVersion": "15.18",
        "serverMajor": 15,
        "clientVersion": "15.18",
        "startedAt": "2026-03-01T02:00:00Z",
        "snapshotAt": "2026-03-01T02:00:01Z",
        "finishedAt": "2026-03-01T02:01:00Z",
        "durationSeconds": 60.5,
        "databaseBytes": 1000,
        "uncompressed": digest,
        "stored": digest,
        "partBytes": 8388608,
        "parts": 1,
        "objectName": "dump.zst",
        "compression": "zstd",
        "encryption": None,
        "tables": [{"schemaName": "public", "name": "users", "rows": 7}],
    }


@given(st.integers(0, parts.MOST_PART_BYTES * parts.MOST_PARTS // 2))
def test_twice_the_expected_size_fits_into_the_parts_that_s3_allows(expected: int) -> None:
    size = parts.part_size(expected)

    assert parts.LEAST_PART_BYTES <= size <= parts.MOST_PART_BYTES
    assert size % parts.MIB == 0
    assert size * parts.MOST_PARTS >= expected * 2


def test_a_small_database_takes_small_parts_and_a_large_one_larger() -> None:
    assert parts.part_size(0) == 8 * parts.MIB
    assert parts.part_size(40 * 2**30) == 9 * parts.MIB
    assert parts.part_size(2**40) == 210 * parts.MIB


@pytest.mark.parametrize("size", [-1, 2**50])
def test_a_size_that_no_object_can_have_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        parts.part_size(size)


def test_an_id_holds_its_time_in_utc_and_sorts_by_it() -> None:
    first = BackupId.new(_NOW)
    later = BackupId.new(_NOW + timedelta(seconds=1))

    assert str(first).startswith("20260301T020005Z-")
    assert BackupId.parse(str(first)) == first
    assert first < later
    assert str(first) < str(later)
    assert BackupId.new(_NOW) != first


@pytest.mark.parametrize(
    "text", ["", "latest", "20260301T020000Z", "20261301T020000Z-0a1b2c3d", f"{_ID}/../x", f"{_ID}0"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no backup id"):
        BackupId.parse(text)


def test_only_what_has_a_manifest_is_a_backup() -> None:
    older, newer = BackupId.parse(_ID), BackupId.parse("20260302T020000Z-0a1b2c3d")
    found = [
        keys.key("p/", keys.POSTGRES, older, keys.MANIFEST),
        keys.key("p/", keys.POSTGRES, newer, keys.MANIFEST),
        keys.key("p/", keys.POSTGRES, BackupId.parse("20260303T020000Z-0a1b2c3d"), keys.DATA[keys.POSTGRES]),
        "p/postgres/notes/manifest.json",
        f"elsewhere/postgres/{_ID}/manifest.json",
    ]

    assert found[0] == f"p/postgres/{_ID}/manifest.json"
    assert keys.ids(found, "p/", keys.POSTGRES) == [newer, older]


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    first = manifest.parse(json.dumps(plain_manifest()).encode(), "m", PostgresManifest)
    text = first.text("k", None)

    assert manifest.parse(text.encode(), "m", PostgresManifest).model_dump() == first.model_dump()
    assert json.loads(text)["encryption"] is None
    assert first.uncompressed.sha256 == "ab" * 32
    assert first.rows == 7
    assert manifest.age_seconds(first, datetime(2026, 3, 1, 3, 0, 1, tzinfo=UTC)) == 3600


def test_a_manifest_of_today_has_no_sha256_of_the_content_beside_that_of_the_stored_object() -> None:
    plain = plain_manifest() | {"formatVersion": manifest.FORMAT_VERSION, "uncompressed": {"bytes": 10}}

    assert manifest.parse(json.dumps(plain).encode(), "m", PostgresManifest).uncompressed.sha256 is None


def test_a_manifest_of_a_newer_format_is_refused_whatever_else_is_in_it() -> None:
    with pytest.raises(UsageError, match="has format 6 and this release of ops reads up to 5"):
        manifest.parse(b'{"formatVersion": 6, "anything": []}', "m", PostgresManifest)


@pytest.mark.parametrize(
    "change",
    [
        {"stored": {"bytes": -1, "sha256": "ab" * 32}},
        {"stored": {"bytes": 1, "sha256": "short"}},
        {"snapshotAt": "2026-03-01T02:00:01"},
        {"id": "../../etc"},
        {"objectName": "../other"},
        {"tables": [{"schemaName": "public", "name": "users", "rows": -1}]},
        {"unknown": 1},
        {"encryption": "age"},
        {"formatVersion": 0},
        {"formatVersion": "1"},
    ],
)
def test_a_damaged_manifest_is_named(change: dict[str, object]) -> None:
    with pytest.raises(CheckFailedError, match="m is damaged: "):
        manifest.parse(json.dumps(plain_manifest() | change).encode(), "m", PostgresManifest)


def test_a_backup_of_a_database_whose_clock_was_ahead_grows_old_like_any_other() -> None:
    plain = plain_manifest() | {"snapshotAt": "2030-01-01T00:00:00Z"}
    ahead = manifest.parse(json.dumps(plain).encode(), "m", PostgresManifest)

    assert manifest.age_seconds(ahead, ahead.started_at + timedelta(hours=30)) == 30 * 3600


def test_every_difference_of_two_counts_is_named() -> None:
    def table(name: str, rows: int) -> Table:
        return Table(schema_name="public", name=name, rows=rows)

    def rows(*tables: Table) -> dict[str, int]:
        return manifest.rows_of(tables)

    expected = (table("a", 1), table("b", 2), table("c", 3))
    other = rows(table("a", 1), table("b", 1), table("d", 4))

    assert manifest.differences(rows(*expected), rows(*reversed(expected)), "no table") == []
    assert manifest.differences(rows(*expected), other, "no table") == [
        "public.b has 1 instead of 2",
        "public.c has no table instead of 3",
        "public.d has 4 instead of no table",
    ]


@given(st.lists(st.binary(max_size=300)), st.integers(1, 200))
def test_parts_are_the_stream_cut_evenly(blocks: list[bytes], size: int) -> None:
    meter, whole = Meter(), b"".join(blocks)

    cut = list(upload.parts_of(blocks, size, meter))

    assert b"".join(cut) == whole
    assert all(len(part) == size for part in cut[:-1])
    assert len(cut[-1]) <= size
    assert meter.digest().sha256 == hashlib.sha256(whole).hexdigest()
    assert meter.digest().bytes == len(whole)


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_what_is_compressed_comes_back(blocks: list[bytes]) -> None:
    counter, whole = Counter(), b"".join(blocks)

    packed = b"".join(pipeline.compress(blocks, counter))

    assert b"".join(pipeline.decompress([packed[:7], packed[7:]], AssertionError)) == whole
    assert counter.bytes == len(whole)


def test_a_frame_that_ends_early_or_is_altered_is_damaged() -> None:
    content = os.urandom(300_000)
    packed = b"".join(pipeline.compress([content], Counter()))
    altered = packed[:1000] + bytes([packed[1000] ^ 1]) + packed[1001:]

    for damaged in (packed[:-1], packed[: len(packed) // 2], altered, b"", b"not zstd at all"):
        with pytest.raises(CheckFailedError):
            list(pipeline.decompress([damaged], CheckFailedError))
    assert zstandard.get_frame_parameters(packed).has_checksum


@pytest.mark.parametrize(
    ("server", "expected"),
    [(13, 15), (15, 15), (16, 17), (17, 17), (18, None)],
)
def test_the_client_is_the_oldest_that_is_not_older_than_the_server(server: int, expected: int | None) -> None:
    installed = [Program("/17", "17.2", 17), Program("/15", "15.18", 15)]

    chosen = choose(installed, server)

    assert (chosen.major if chosen else None) == expected


@given(st.text(min_size=1, max_size=80).filter(lambda text: "\x00" not in text))
def test_derived_names_are_never_cut_by_postgresql_and_are_recognised(database: str) -> None:
    name = fresh.new_name(database, "0a1b2c3d")

    assert len(name.encode()) <= fresh.NAME_BYTES
    assert fresh.is_name(database, name)
    assert not fresh.is_name(database, fresh.derived(database, "_restore_20261129"))
    assert not fresh.is_name(database, fresh.derived(database, "_restore_0a1b2c3d4e5f6071"))
    assert not fresh.is_name(database, fresh.derived(database, "_before_20260301t020000z"))
    assert not fresh.is_name(database, database[:40])


def test_a_time_needs_its_zone() -> None:
    assert parse_time("2026-03-01T02:30:00+01:00") == datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
    for text in ("2026-03-01\n02:30:00Z", "2026-03-01T02:30:00Z\n", "\u0662026-03-01T02:30:00Z", "2026-03-01", ""):
        with pytest.raises(UsageError, match="is no time"):
            parse_time(text)
    for year in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        with pytest.raises(UsageError, match="beyond the years 1 to 9999"):
            parse_time(year)
    with pytest.raises(UsageError, match="has no time zone"):
        parse_time("2026-03-01T02:30:00")
    with pytest.raises(UsageError, match="not both"):
        Selection.parse(_ID, "2026-03-01T02:30:00Z")


def test_the_list_fits_a_terminal_of_eighty_columns() -> None:
    entries = [
        Entry(
            "postgres",
            BackupId.parse(_ID),
            index.facts(
                manifest.parse(json.dumps(plain_manifest()).encode(), "m", PostgresManifest), None, signed=False
            ),
            None,
        )
    ]
    stream = io.StringIO()
    listing.table(Screen(stream, width=80), entries, datetime(2026, 3, 1, 4, 30, 1, tzinfo=UTC))
    assert [len(line.split()) for line in stream.getvalue().splitlines()] == [7, 12]


def test_the_list_names_each_backup_once_with_its_figures() -> None:
    readable = manifest.parse(json.dumps(plain_manifest()).encode(), "m", PostgresManifest)
    entries = [
        Entry("postgres", BackupId.parse(_ID), index.facts(readable, None, signed=False), None),
        Entry("postgres", BackupId.parse("20260228T020000Z-0a1b2c3d"), None, "damaged"),
    ]
    now = datetime(2026, 3, 1, 4, 30, 1, tzinfo=UTC)
    stream = io.StringIO()

    listing.table(Screen(stream, width=160), entries, now)

    lines = stream.getvalue().splitlines()
    assert lines[1].split() == [
        "postgres",
        _ID,
        "2",
        "h",
        "30",
        "min",
        "7",
        "10",
        "B",
        "10",
        "B",
        "no",
    ]
    assert "unreadable manifest" in lines[2]
    assert listing.plain(entries[1], now) == {
        "kind": "postgres",
        "id": "20260228T020000Z-0a1b2c3d",
        "readable": False,
        "problem": "damaged",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.2 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 0 s"),
        (61, "1 min 1 s"),
        (3600, "1 h 0 min"),
        (26 * 3600, "26 h 0 min"),
        (3 * 86400, "3 d 0 h"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1.0 kB"),
        (1500, "1.5 kB"),
        (999_999, "1.0 MB"),
        (2.5e9, "2.5 GB"),
        (3e15, "3.0 PB"),
    ],
)
def test_sizes_read_well(number: float, text: str) -> None:
    assert units.size(number) == text


@pytest.mark.parametrize(
    ("saved_by", "here", "server", "compared"),
    [
        ("15.18", "15.18", 150018, True),
        ("15.18", "15.18", 150009, True),
        ("15.18", "15.18", 150020, False),
        ("15.20", "15.18", 150018, False),
        ("15.18", "16.2", 160002, False),
        ("17beta1", "17beta1", 170000, False),
    ],
)
def test_a_schema_is_compared_by_the_release_that_saved_it_on_a_server_that_is_not_newer(
    saved_by: str, here: str, server: int, compared: bool
) -> None:
    program = Program("pg_dump", here, int(here[:2]))

    assert (compare.incomparable(saved_by, program, server) is None) == compared
