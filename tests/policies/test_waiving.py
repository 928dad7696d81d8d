"""Waivers: what one must say, what it excuses, and what becomes of one that is not needed."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.model import Finding, Judgement, Meta, Outcome, Severity
from policies.waiving.applying import Ledger
from policies.waiving.reading import Waivers, WaiversError, from_entries, read
from runbook import practices
from runbook.sections import Section

TODAY = datetime.date(2026, 6, 15)
_GOOD = {"rule": "a-rule", "resource": "Deployment x", "owner": "o", "reason": "r", "ticket": "T-1"}
META = Meta("a-rule", "Says.", Severity.HIGH, Section.NAMESPACE, "Mend it.")
STRICT = Meta("strict", "Says.", Severity.HIGH, Section.NAMESPACE, "Mend it.", waivable=False)
METAS = {meta.name: meta for meta in (META, STRICT)}


def waivers(*entries: Any) -> Waivers:
    return from_entries(list(entries), "w.yaml", METAS, TODAY)


def entry(**changes: Any) -> dict[str, Any]:
    good = {**_GOOD, "expires": "2026-06-30", **changes}
    return {key: value for key, value in good.items() if value is not None}


def finding(resource: str = "Deployment x", urn: str = "urn:x", outcome: Outcome = Outcome.VIOLATED) -> Finding:
    return Finding(META, resource, urn, Judgement(outcome, "spec.a", "1", "2"))


@pytest.mark.parametrize("key", [*_GOOD, "expires"])
@pytest.mark.parametrize("value", [None, "", "  ", 3, ["a"]], ids=str)
def test_each_part_is_a_text_that_must_be_there(key: str, value: Any) -> None:
    found = waivers(entry(**{key: value}))
    assert found.entries == ()
    assert [complaint.judgement.path for complaint in found.complaints] == [key]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (entry(rule="another"), "rule"),
        (entry(rule="strict"), "rule"),
        (entry(expires="2026-06-14"), "expires"),
        (entry(expires="soon"), "expires"),
        (entry(expires="20260630"), "expires"),
        (entry(expires="2026-W26-2"), "expires"),
        (entry(expires=str(TODAY + datetime.timedelta(days=practices.WAIVER_LIFETIME.count + 1))), "expires"),
        (entry(until="2026-06-30"), "until"),
        ("a text", "the entry"),
    ],
)
def test_what_is_malformed_expired_or_not_allowed_is_a_violation_and_excuses_nothing(given: Any, path: str) -> None:
    ledger = Ledger(waivers(given))
    assert ledger.waiver_of(finding()) is None
    (complaint,) = ledger.leftovers()
    assert (complaint.judgement.outcome, complaint.judgement.path) == (Outcome.VIOLATED, path)
    assert "w.yaml, entry 1" in complaint.message
    assert len(complaint.message.splitlines()) == 1


@pytest.mark.parametrize("expires", [TODAY, TODAY + datetime.timedelta(days=practices.WAIVER_LIFETIME.count)])
def test_the_first_and_the_last_day_that_may_be_named_count(expires: datetime.date) -> None:
    ledger = Ledger(waivers(entry(expires=str(expires))))
    assert ledger.waiver_of(finding()) is not None
    assert ledger.leftovers() == ()


@pytest.mark.parametrize("resource", ["Deployment X", "Deployment x ", "Deployment", "Deployment x2", "x", "*"])
def test_a_resource_is_matched_exactly(resource: str) -> None:
    ledger = Ledger(waivers(entry(resource=resource)))
    assert ledger.waiver_of(finding()) is None
    assert [complaint.judgement.found for complaint in ledger.leftovers()] == ["not needed"]


def test_a_urn_names_one_of_two_resources_of_the_same_name() -> None:
    ledger = Ledger(waivers(entry(resource="urn:x")))
    assert ledger.waiver_of(finding(urn="urn:x")) is not None
    assert ledger.waiver_of(finding(urn="urn:y")) is None
    assert ledger.leftovers() == ()


def test_a_name_that_two_resources_have_is_a_violation() -> None:
    ledger = Ledger(waivers(entry()))
    for urn in ("urn:x", "urn:y"):
        assert ledger.waiver_of(finding(urn=urn)) is not None
    (complaint,) = ledger.leftovers()
    assert complaint.judgement.path == "resource"
    assert "urn:x, urn:y" in complaint.message


def test_a_second_entry_for_the_same_is_a_violation() -> None:
    ledger = Ledger(waivers(entry(), entry(ticket="T-2")))
    assert ledger.waiver_of(finding()) is not None
    assert [complaint.judgement.found for complaint in ledger.leftovers()] == ["the same as w.yaml, entry 1"]


def test_what_is_not_yet_known_keeps_its_waiver_without_being_excused() -> None:
    ledger = Ledger(waivers(entry()))
    assert ledger.waiver_of(finding(outcome=Outcome.UNKNOWN)) is None
    assert ledger.leftovers() == ()


def test_a_rule_that_broke_cannot_be_excused() -> None:
    ledger = Ledger(waivers(entry()))
    assert ledger.waiver_of(finding(outcome=Outcome.FAILED)) is None
    assert len(ledger.leftovers()) == 1


def test_a_stacks_own_file_has_its_waivers_in_a_setting(tmp_path: Path) -> None:
    stack = tmp_path / "Pulumi.prod.yaml"
    stack.write_text(yaml.safe_dump({"config": {"crypto:policies": {"waivers": [entry()]}}}))
    (found,) = read(stack, METAS, TODAY).entries
    assert (found.rule, found.place) == ("a-rule", "Pulumi.prod.yaml, entry 1")
    stack.write_text(yaml.safe_dump({"config": {"crypto:domain": "example.com"}}))
    assert read(stack, METAS, TODAY) == Waivers(file=str(stack))
    stack.write_text(yaml.safe_dump({"config": {"crypto:policies": {"waivers": "soon"}}}))
    with pytest.raises(WaiversError, match="a list of entries"):
        read(stack, METAS, TODAY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- rule: a\n  owner: b\n  rule: c\n", "rule is given twice, in lines 1 and 3; remove one of them"),
        ("- {rule: a, rule: c}\n", "rule is given twice, in lines 1 and 1"),
        ("config:\n  a: 1\nconfig:\n  crypto:policies: {}\n", "config is given twice, in lines 1 and 3"),
        ("- rule: a\n---\n- rule: b\n", "2 documents; allowed: one"),
        ("- rule: a\n...\n- rule: b\n", "2 documents; allowed: one"),
        ("- rule: a\n...\n[", "2 documents; allowed: one"),
        ("rule: a\n", "a map of 1; allowed: a list of entries"),
        ("- rule: [\n", "not YAML: "),
        ("\udcff", "no UTF-8 text"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "waivers.yaml"
    if text is not None:
        file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(WaiversError) as refused:
        read(file, METAS, TODAY)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{file}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_an_entry_that_an_alias_repeats_is_no_key_that_stands_twice(tmp_path: Path) -> None:
    file = tmp_path / "waivers.yaml"
    shared = ", ".join(f"{key}: '{value}'" for key, value in entry().items())
    file.write_text(f"- &first {{{shared}}}\n- *first\n")
    assert len(read(file, METAS, TODAY).entries) == 2
