"""`docs/policies.md`, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from policies.catalogue import ALL
from policies.model import ResourceRule, Rule

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
"""


def markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_overview(), *(line for rule in ALL for line in _rule(rule))]).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| Rule | Severity | Runbook |"
    yield "| --- | --- | --- |"
    for rule in ALL:
        meta = rule.meta
        yield f"| [{meta.name}](#{meta.name}) | {meta.severity} | [{meta.section}](runbook.md#{meta.section.anchor}) |"
    yield ""


def _rule(rule: Rule) -> Iterator[str]:
    meta = rule.meta
    judged = "each resource" if isinstance(rule, ResourceRule) else "the whole stack"
    yield f"## {meta.name}"
    yield ""
    yield meta.description
    yield ""
    link = f"[{meta.section}](runbook.md#{meta.section.anchor})"
    yield f"Severity {meta.severity}, {meta.level}; judges {judged}. Runbook {link}."
    yield ""
    yield f"To mend it: {meta.remediation}"
    yield ""
    for parameter in meta.parameters:
        yield f"Parameter `{parameter.name}`, by default `{parameter.default!r}`."
        yield ""
