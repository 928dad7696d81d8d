"""The printed runbook is the data, and every link into it arrives."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from local import runbook_page
from runbook import alerts, printed, schedules, thresholds, units
from runbook.sections import Section

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("section", list(Section), ids=lambda section: section.anchor)
def test_every_section_has_its_anchor_once(section: Section) -> None:
    assert printed.markdown().count(f'<a id="{section.anchor}"></a>') == 1


def test_every_threshold_and_schedule_is_printed() -> None:
    page = printed.markdown()
    names = [item.name for item in (*thresholds.ALL, *schedules.ALL)]
    assert len(names) > 20
    assert not [name for name in names if f"| {name} |" not in page]


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (thresholds.API_ERROR_RATIO, "1%"),
        (thresholds.SLO_ERROR_RATIO, "0.5%"),
        (thresholds.LATENCY_P95, "200 ms"),
        (thresholds.IDLE_CONNECTION_AGE, "30 min"),
        (thresholds.POOL_TIMEOUT, "10 s"),
        (thresholds.SLOW_QUERY, "500 ms"),
        (thresholds.SERVICE_MEMORY, "1 GB"),
        (thresholds.SENTIMENT_MEMORY_LIMIT, "8 GiB"),
        (thresholds.BACKUP_RETENTION, "30 days"),
        (thresholds.KAFKA_LAG, "10,000"),
    ],
)
def test_a_value_is_printed_as_people_write_it(threshold: thresholds.Threshold, text: str) -> None:
    assert printed.value(threshold) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1, "1 B"), (1536, "1536 B"), (2048, "2 KiB"), (3000, "3 kB")]
)
def test_bytes_are_printed_without_rounding(number: int, text: str) -> None:
    assert units.exact_size(number) == text


class _Page(HTMLParser):
    """Identifiers, links inside the page, addresses outside of it, and tags of an HTML page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.labelled: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if (name := given.get("id")) is not None:
            self.ids.append(name)
        if tag == "a" and (target := given.get("href")) is not None:
            self.links.append(target)
        if tag == "label" and (target := given.get("for")) is not None:
            self.labelled.append(target)
        self.loaded += [value for key in ("src", "srcset", "action", "data") if (value := given.get(key))]
        if tag == "link":
            self.loaded.append(str(given.get("href")))


@pytest.fixture(scope="module")
def page() -> _Page:
    parsed = _Page()
    parsed.feed(runbook_page.page())
    return parsed


def test_the_page_has_every_anchor_once_and_each_of_its_links_arrives(page: _Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    anchors = {*(section.anchor for section in Section), *(alert.anchor for alert in alerts.ALL), "calendar"}
    assert anchors <= set(page.ids)
    assert len(page.links) > len(Section)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_is_one_file_without_anything_from_elsewhere(page: _Page) -> None:
    assert page.loaded == []
    assert "url(" not in runbook_page.page()
    assert "@import" not in runbook_page.page()


def test_the_page_can_be_used_without_eyes_and_on_a_phone(page: _Page) -> None:
    text = runbook_page.page()
    assert '<html lang="en">' in text
    assert '<meta name="viewport" content="width=device-width' in text
    assert {"main", "nav", "header", "h1"} <= set(page.tags)
    assert page.tags.count("h1") == 1
    assert page.labelled == ["search"]
    assert 'aria-live="polite"' in text
    assert text.count("<th>") == 0, "a head of a table says what it is the head of"


def test_everything_that_is_printed_is_on_the_page_too() -> None:
    parsed = "".join(runbook_page.page())
    for alert in alerts.ALL:
        assert f"<h3>{alert.name}</h3>" in parsed
    for schedule in schedules.ALL:
        assert f">{schedule.name}<" in parsed


def test_a_part_without_a_heading_is_an_error() -> None:
    with pytest.raises(ValueError, match="no heading"):
        runbook_page.page('# R\n\n<a id="x"></a>\n\ntext\n')


def test_whoever_reads_it_in_an_incident_finds_whom_to_reach() -> None:
    section = printed.markdown().partition("## 2.4 ")[2].partition("## 3.1 ")[0]
    for row in (
        "| Primary on-call | P1, P2 at once | the schedule in PagerDuty |",
        "| Engineering Manager | P1 after 15 min, P2 after 30 min | the incidents' channel |",
        "| CTO | P1 after 45 min | the incidents' channel |",
        "| Emergency contact |  | ops@example.com, +(1)555-0123 |",
    ):
        assert row in section
