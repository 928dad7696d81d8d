"""`docs/policies.md`, made from the catalogue and from `guide.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import yaml

from policies.catalogue import ALL
from policies.model import Meta, ResourceRule, Rule

_HEAD = """# Policies

Made from the rules in `policies/` by `make docs`; do not edit it. The pack judges every `pulumi preview` and every
`pulumi up` that names it:

```sh
pulumi preview -s local --policy-pack policies
pulumi preview -s prod --policy-pack policies --policy-pack-config policies/config/prod.json
```

A value that is not yet known in a preview is reported as an advisory and judged when it is known. Secrets never reach a
message. A rule that breaks counts as a violation of that rule. A stack's own configuration of the pack can tighten a
rule's parameters; its schema refuses to loosen them.

## How to waive a rule

A waiver is an entry of the waivers file: `rule` and `resource`, both exactly as the violation names them, the `owner`
who answers for it, the `reason`, the `ticket` in which it is mended, and the day on which it `expires`. A waiver that
has expired, that matches nothing or that lacks one of these is a violation itself. Some rules hold for everybody; their
chapter says so.
"""


def guide() -> Mapping[str, Mapping[str, str]]:
    """Why each rule is there, and an example that it accepts (``good``) and one that it refuses (``bad``)."""
    text = Path(__file__).with_name("guide.yaml").read_text()
    return cast("Mapping[str, Mapping[str, str]]", yaml.safe_load(text))


def markdown() -> str:
    """The whole page."""
    examples = guide()
    chapters = (line for rule in ALL for line in _rule(rule, examples[rule.meta.name]))
    return "\n".join([_HEAD, *_overview(), *chapters]).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| Rule | Severity | Runbook |"
    yield "| --- | --- | --- |"
    for rule in ALL:
        meta = rule.meta
        yield f"| [{meta.name}](#{meta.name}) | {meta.severity} | [{meta.section}](runbook.md#{meta.section.anchor}) |"
    yield ""


def _rule(rule: Rule, example: Mapping[str, str]) -> Iterator[str]:
    meta = rule.meta
    judged = "each resource" if isinstance(rule, ResourceRule) else "the whole stack"
    link = f"[{meta.section}](runbook.md#{meta.section.anchor})"
    yield from (f"## {meta.name}", "", f"{meta.description} {example['why']}", "")
    yield f"Severity {meta.severity}, {meta.level}; judges {judged}. Runbook {link}.{_reference(meta)}"
    yield ""
    for title, key in (("Good", "good"), ("Bad", "bad")):
        yield from (f"{title}:", "", *(f"    {line}" for line in example[key].splitlines()), "")
    yield from (f"To mend it: {meta.remediation}", "", _waiver(meta), "")
    for parameter in meta.parameters:
        yield from (f"Parameter `{parameter.name}`, by default `{parameter.default!r}`.", "")


def _reference(meta: Meta) -> str:
    return f" Also asked for by {meta.reference}." if meta.reference else ""


def _waiver(meta: Meta) -> str:
    if meta.waivable:
        return f"To waive it: an entry with `rule: {meta.name}` in [the waivers file](#how-to-waive-a-rule)."
    return "It cannot be waived."
