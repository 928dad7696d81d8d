"""Cron expressions mean what they mean to Kubernetes: each is asked of robfig/cron, too."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from local.pulumi_cli import PROJECT_ROOT
from runbook import cron
from tests.oracles.original import Original, started

_SOURCE = Path(__file__).parent / "cron"
_KUBERNETES = PROJECT_ROOT / "local/toolchain/modules/kubernetes/go.mod"
_STARTS = 50
_DAY = 24 * 3600
# From 1901 to 2100.
_FIRST, _LAST = -2177452800, 4102444800
_HARD_ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
)
_CHANGING_ZONES = (
    "Europe/Berlin",
    "America/Havana",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
)
_ZONES = sorted(zoneinfo.available_timezones())
# These crossed the date line: robfig/cron looks for ever for a day that was left out.
_CROSSED = {
    "Kwajalein",
    *(f"Pacific/{name}" for name in ("Apia", "Enderbury", "Fakaofo", "Kanton", "Kiritimati", "Kwajalein")),
}
_2012 = 1325419200
_HARD = (
    "0 2 * * *",
    "30 2 * * *",
    "30 1 * * *",
    "0 0 * * *",
    "*/20 0-3 * * *",
    "30 2 29 2 *",
    "0 0 31 2 *",
    "0 12 31 * *",
    "*/7 * */2 * 1-5",
    "0 0 1 * MON",
    "0 0 * jan,FEB sUn",
    "0 0 ?/1 * 1",
    "0 0 1,* * 1",
    "5/15 * * * *",
    "? ? ? ? ?",
    "*-5 * * * *",
    "*/9223372036854775807 * * * *",
    "+5 * * * *",
    "*/+5 * * * *",
    ",5, * * * *",
    "* , * * *",
    "* * , * *",
    "* * * , *",
    "* * * * ,",
    " 0 0 * * * ",
    "0\t0\n*\x0b*\u2003*",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    "@every 1h30m",
    "@every 0s",
    "@every 0",
    "@every -1h",
    "@every 1.5h",
    "@every .5h",
    "@every 1\xb5s1\u03bcs",
    "@every 1.0002777777777777777778h",
    "@every 2562047h47m16s",
    "TZ=UTC 0 0 * * *",
    "TZ= 0 0 * * *",
    "TZ=Local 0 0 * * *",
    "TZ=Asia/Tokyo   @daily ",
    "CRON_TZ=Europe/Berlin 0 2 * * *",
)
_REFUSED = (
    "",
    "  ",
    "0 0 * * 7",
    "0 0 0 * * *",
    "* * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * 32 * *",
    "* * * 0 *",
    "* * * 13 *",
    "5-1 * * * *",
    "0 0 * * fri-mon",
    "0 0 * * monday",
    "*/0 * * * *",
    "*/-0 * * * *",
    "*/9223372036854775808 * * * *",
    "*/2/3 * * * *",
    "1-2-3 * * * *",
    "-5 * * * *",
    "1_0 * * * *",
    "\u0663 * * * *",
    "0 0 *\x1c* *",
    "0 0 L * *",
    "0 0 * * 1#2",
    "@reboot",
    "@Daily",
    " @daily",
    "@daily ",
    "@every",
    "@every 1",
    "@every 1h ",
    "@every  1h",
    "@every 2562047h47m17s",
    "TZ=UTC",
    "TZ=Mars 0 0 * * *",
    "TZ=../UTC 0 0 * * *",
    "TZ=Europe 0 0 * * *",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    """The helper that asks robfig/cron, with the time zones that Python reads."""
    folders = [folder for folder in zoneinfo.TZPATH if Path(folder).is_dir()]
    with started("cron", tmp_path_factory.mktemp("oracle"), {"ZONEINFO": folders[0]} if folders else {}) as asked:
        yield asked


def _originals(original: Original, expression: str, zone: str, start: int) -> list[int] | None:
    return original.answer([expression, zone, start])


def _ours(expression: str, zone: str, start: int) -> list[int] | None:
    try:
        schedule = cron.parse(expression)
    except ValueError:
        return None
    since = datetime.fromtimestamp(start, zoneinfo.ZoneInfo(zone))
    until = datetime.max.replace(tzinfo=since.tzinfo) - timedelta(days=2)
    return [int(moment.timestamp()) for moment in islice(cron.starts(schedule, since, until), _STARTS)]


@cache
def _changes(zone: str) -> tuple[int, ...]:
    """About when a zone's clocks change, to the week."""
    place, weeks = zoneinfo.ZoneInfo(zone), range(_FIRST, _LAST, 7 * _DAY)
    offsets = [datetime.fromtimestamp(week, place).utcoffset() for week in weeks]
    return tuple(week for week, (before, then) in zip(weeks, pairwise(offsets), strict=False) if before != then)


def _numbers(low: int, high: int, names: str = "") -> st.SearchStrategy[str]:
    """A field: mostly what is allowed, in all the ways in which it can be written."""
    number = st.integers(low, high).map(str)
    if names:
        number |= st.sampled_from(names.split()).flatmap(lambda name: st.sampled_from((name, name.upper())))
    rising = st.lists(st.integers(low, high), min_size=2, max_size=2).map(sorted).map(lambda two: f"{two[0]}-{two[1]}")
    span = st.sampled_from("**?") | number | rising | st.tuples(number, number).map("-".join)
    step = st.tuples(span, st.integers(1, high + 1).map(str)).map("/".join)
    wrong = st.text("*?-/,+0123456789sun", max_size=4) | st.sampled_from((str(low - 1), str(high + 1)))
    one = st.one_of(*[span] * 12, *[step] * 6, wrong)
    return st.just("*") | one | st.lists(one, min_size=1, max_size=3).map(",".join)


_FIELDS = st.tuples(
    _numbers(0, 59),
    _numbers(0, 23),
    _numbers(1, 31),
    _numbers(1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    _numbers(0, 6, "sun mon tue wed thu fri sat"),
).map(" ".join)
_DURATIONS = st.lists(
    st.tuples(st.decimals(0, 1000, places=3).map(str), st.sampled_from(("ns", "us", "ms", "s", "m", "h"))).map("".join),
    min_size=1,
    max_size=3,
).map(lambda parts: f"@every {''.join(parts)}")
_PREFIXED = st.tuples(st.sampled_from(("TZ", "CRON_TZ")), st.sampled_from(_ZONES), _FIELDS).map(
    lambda parts: f"{parts[0]}={parts[1]} {parts[2]}"
)
_EXPRESSIONS = st.one_of(*[_FIELDS] * 8, _DURATIONS, _PREFIXED, st.sampled_from(_HARD))


@st.composite
def _places(draw: st.DrawFn) -> tuple[str, int]:
    """A zone, and a moment from which starts are looked for: often just before its clocks change."""
    zone = draw(st.sampled_from(_HARD_ZONES) | st.sampled_from(_ZONES))
    moments = st.integers(_FIRST, _LAST)
    if changes := _changes(zone):
        moments |= st.tuples(st.sampled_from(changes), st.integers(-3 * _DAY, 8 * _DAY)).map(sum)
    return zone, draw(moments)


def _is_endless(expression: str, zone: str, start: int) -> bool:
    prefix = re.match(r"(?:CRON_)?TZ=(\S*) ", expression)
    return start < _2012 and bool(_CROSSED & {zone, prefix[1] if prefix else ""})


@settings(max_examples=5 * settings().max_examples)
@given(_EXPRESSIONS, _places())
def test_what_starts_is_what_robfig_cron_starts(original: Original, expression: str, place: tuple[str, int]) -> None:
    assume(not _is_endless(expression, *place))
    assert _ours(expression, *place) == _originals(original, expression, *place)


def _latest(expression: str, zone: str, start: int, end: int) -> int | None:
    since, until = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    found = cron.latest(expression, zone, since, until)
    return None if found is None else int(found.timestamp())


@settings(max_examples=5 * settings().max_examples)
@given(_EXPRESSIONS, _places(), st.integers(0, _STARTS - 1), st.integers(0, 30 * _DAY))
def test_the_last_start_before_a_moment_is_the_one_of_robfig_cron(
    original: Original, expression: str, place: tuple[str, int], number: int, more: int
) -> None:
    assume(not _is_endless(expression, *place))
    theirs = _originals(original, expression, *place)
    assume(theirs and len(theirs) == _STARTS)
    assert theirs is not None
    end = min(theirs[number] + more, theirs[-1])
    assert _latest(expression, *place, end) == max(start for start in theirs if start <= end)


@pytest.mark.parametrize("expression", ["0 0 ? * 0", "0 0 1 * *", "*/20 0 * * 6"])
@pytest.mark.parametrize("zone", _CHANGING_ZONES)
def test_the_last_start_is_the_one_of_robfig_cron_around_each_change_of_the_clocks(
    original: Original, expression: str, zone: str
) -> None:
    changes = [change for change in _changes(zone) if change > _2012][:2]
    assert len(changes) == 2
    for change in changes:
        start = change - 40 * _DAY
        theirs = _originals(original, expression, zone, start)
        assert theirs
        for end in range(start, min(change + 40 * _DAY, theirs[-1]), _DAY // 2):
            before = max((moment for moment in theirs if moment <= end), default=None)
            assert _latest(expression, zone, start, end) == before, (start, end)


@pytest.mark.parametrize("expression", _HARD)
def test_hard_expressions_start_as_in_robfig_cron_where_clocks_change(original: Original, expression: str) -> None:
    for zone in _HARD_ZONES:
        for start in (_2012, *[change for change in _changes(zone) if change > _2012][:2]):
            theirs = _originals(original, expression, zone, start)
            assert theirs is not None
            assert _ours(expression, zone, start) == theirs, (zone, start)


@pytest.mark.parametrize("expression", _REFUSED)
def test_what_robfig_cron_refuses_is_refused(original: Original, expression: str) -> None:
    assert _originals(original, expression, "UTC", _2012) is None
    assert _ours(expression, "UTC", _2012) is None


def test_the_original_is_the_one_that_kubernetes_is_built_with() -> None:
    wanted = re.search(r"github.com/robfig/cron/v3 v\S+", _KUBERNETES.read_text())
    assert wanted is not None
    assert f"require {wanted[0]}\n" in (_SOURCE / "go.mod").read_text()
