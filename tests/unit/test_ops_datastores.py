"""The pure parts of the commands that look after the datastores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.cache import bigkeys, purge
from scripts.clients.kafka import Partition, Topic
from scripts.database.statements import without_values
from scripts.database.vacuum import Table, need
from scripts.exits import UsageError
from scripts.topics import listing

_NOW = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM users WHERE id = 42 AND t1.x2 = -1.5e3", "SELECT * FROM users WHERE id = ? AND t1.x2 = -?"),
        ("INSERT INTO t VALUES ('it''s', E'a\\'b', $$c$$, $x$d$$e$x$)", "INSERT INTO t VALUES (?, ?, ?, ?)"),
        ("SELECT 'a\\', 'secret'", "SELECT ?, ?"),
        ("SELECT B'101', X'ff', U&'\\0041', N'x', .5, 0xff, 1_000", "SELECT ?, ?, ?, ?, ?, ?, ?"),
        ('SELECT "it\'s"."2" -- secret\nFROM t /* secret \'x\' */ WHERE a=$1', 'SELECT "it\'s"."2" FROM t WHERE a=$1'),
        ("ALTER ROLE r PASSWORD 'cut off by the ser", "ALTER ROLE r PASSWORD ?"),
        ("SELECT $tag$ cut off", "SELECT ?"),
        ("SELECT 1 /* cut off", "SELECT ?"),
        ("", ""),
    ],
)
def test_statements_are_shown_without_their_values(statement: str, shown: str) -> None:
    assert without_values(statement) == shown


@given(st.text(alphabet="ab'\\ $\"-/*\n", max_size=30))
def test_no_text_literal_gets_through_whatever_is_in_it(value: str) -> None:
    statement = "SELECT 'value', x FROM t".replace("value", value.replace("'", "''"))

    assert without_values(statement) == "SELECT ?, x FROM t"


def test_long_statements_are_cut() -> None:
    shown = without_values(f"SELECT {', '.join(['column'] * 100)}")

    assert len(shown) == 200
    assert shown.endswith("…")


def _table(*, live: int = 1000, dead: int = 0, changed: int = 0, days: float | None = 1) -> Table:
    vacuumed = None if days is None else _NOW - timedelta(days=days)
    return Table("public", "prices", live, dead, changed, vacuumed)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (_table(live=900, dead=101), "10% of its rows are dead"),
        (_table(changed=101), "101 changes since its statistics"),
        (_table(changed=1, days=None), "never vacuumed"),
        (_table(dead=1, days=7.1), "7 d"),
    ],
)
def test_a_table_is_vacuumed_above_the_limits(table: Table, words: str) -> None:
    assert words in (need(table, _NOW) or "")


@pytest.mark.parametrize(
    "table",
    [
        _table(live=900, dead=100),
        _table(changed=100),
        _table(dead=1, days=6.9),
        # Nothing was written: however old its vacuum is, another one would find nothing to do.
        _table(days=400),
        _table(days=None),
        _table(live=0, days=None),
    ],
)
def test_a_table_at_the_limits_or_without_writes_is_left_alone(table: Table) -> None:
    assert need(table, _NOW) is None


@pytest.mark.parametrize(
    ("pattern", "must_have"),
    [("*", ""), ("?[ab]*", ""), ("[a", ""), ("price:*:old", "price::old"), (r"\*", "*"), (r"[\]]*x", "x")],
)
def test_what_a_key_must_have_is_known(pattern: str, must_have: str) -> None:
    assert purge.literal(pattern) == must_have


def test_an_empty_pattern_is_refused_even_with_all() -> None:
    with pytest.raises(UsageError, match="the pattern is empty"):
        purge.check("", everything=True)


def test_only_the_largest_keys_are_kept_and_vanished_ones_do_not_count() -> None:
    batches = [([b"a", b"b"], [("string", 5), ("string", 9)]), ([b"c", b"d"], [("string", 7), ("none", 0)])]

    kinds = bigkeys.collect(batches, 2)

    assert list(kinds) == ["string"]
    assert (kinds["string"].count, kinds["string"].size) == (3, 21)
    assert sorted(kinds["string"].largest) == [(7, b"c"), (9, b"b")]


def test_partitions_without_leader_or_replicas_are_told() -> None:
    topic = Topic("t", (Partition(0, 1, 3, 3), Partition(1, None, 3, 0), Partition(2, 2, 3, 2)))

    assert listing.plain(topic, 7) == {
        "name": "t",
        "partitions": 3,
        "replicas": 3,
        "under_replicated": [1, 2],
        "without_leader": [1],
        "messages": 7,
    }
