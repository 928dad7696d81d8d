"""The printed runbook, made from the data: what is printed is what alerts, policies and jobs use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from runbook import alerts, jobs, practices, procedures, schedules, services, severities, thresholds
from runbook.alerting.model import Alert, Comparison, Limit
from runbook.quantity import human_bytes
from runbook.sections import Section
from runbook.thresholds import Threshold, Unit

_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_HEAD = """# Runbook

Made from the data in `runbook/` by `make docs`; do not edit it. Alerts, policies and messages link to the anchors of
this page.
"""


def value(threshold: Threshold) -> str:
    """A threshold's value as people write it: 80%, 200 ms, 4 GiB, 30 days."""
    return _FORMATS[threshold.unit](threshold.value)


def _seconds(number: float) -> str:
    if number < 1:
        return f"{number * 1000:g} ms"
    for size, unit in ((3600, "h"), (60, "min")):
        if number >= 2 * size and number % size == 0:
            return f"{number / size:g} {unit}"
    return f"{number:g} s"


_FORMATS: Final[Mapping[Unit, Callable[[float], str]]] = {
    Unit.RATIO: lambda number: f"{number * 100:g}%",
    Unit.SECONDS: _seconds,
    Unit.MILLISECONDS: lambda number: f"{number:g} ms",
    Unit.BYTES: lambda number: human_bytes(int(number)),
    Unit.DAYS: lambda number: f"{number:g} days",
    Unit.COUNT: lambda number: f"{int(number):,}",
}


def markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(line for section in Section for line in _section(section))]).rstrip() + "\n"


def _section(section: Section) -> Iterator[str]:
    # The anchor is the section's number, so that a reworded title breaks no link.
    yield f'<a id="{section.anchor}"></a>'
    yield ""
    yield f"## {section}"
    yield ""
    yield from _procedures(section)
    yield from _table(("Limit", "Value", "Meaning"), _limits(section))
    yield from _table(("Severity", "Description", "Answered within", "Notified"), _severities(section))
    yield from _table(("Schedule", "Cron", "Command", "Meaning"), _schedules(section))
    yield from _table(("Service", "Address", "Health", "Normal", "Peak"), _services(section))
    yield from _table(("Alert", "Severity", "Fires", "Look with", "Mend with"), _alerts(section))


def _procedures(section: Section) -> Iterator[str]:
    """What is asked for in words, and where it is."""
    for procedure in procedures.of_section(section):
        yield f"{procedure.asks[0].upper()}{procedure.asks[1:]}."
        yield ""
        yield f"Implemented by {_places(procedure.implemented)}. Proven by {_places(procedure.proven)}."
        yield ""


def _places(places: tuple[str, ...]) -> str:
    return ", ".join(f"`{place}`" for place in places)


def _limits(section: Section) -> list[tuple[str, ...]]:
    limits = (*thresholds.ALL, *practices.ALL)
    return [(item.name, value(item), item.meaning) for item in limits if item.section is section]


def _severities(section: Section) -> list[tuple[str, ...]]:
    if section is not Section.SEVERITIES:
        return []
    return [(item.name, item.description, _response(item), item.notified) for item in severities.ALL]


def _response(severity: severities.Severity) -> str:
    return "next sprint" if severity.response_seconds is None else _seconds(severity.response_seconds)


def _schedules(section: Section) -> list[tuple[str, ...]]:
    return [
        (item.name, f"`{item.cron}`", f"`ops {' '.join(jobs.BY_NAME[item.name].command)}`", item.meaning)
        for item in schedules.ALL
        if item.section is section
    ]


def _services(section: Section) -> list[tuple[str, ...]]:
    return [
        (spec.name, f"`{spec.url}`", f"`{spec.health_path}`", str(spec.replicas.normal), str(spec.replicas.peak))
        for spec in services.ALL
        if spec.section is section
    ]


def _alerts(section: Section) -> list[tuple[str, ...]]:
    return [
        (alert.name, alert.severity.name, _fires(alert), _commands(alert.diagnosis), _commands(alert.remedies))
        for alert in alerts.of_section(section)
    ]


def _fires(alert: Alert) -> str:
    beyond = {Comparison.ABOVE: "above", Comparison.BELOW: "below"}
    limit = alert.condition
    what = [f"{beyond[limit.comparison]} {value(limit.threshold)}"] if isinstance(limit, Limit) else []
    held = [f"for {_seconds(alert.for_seconds)}"] if alert.for_seconds else []
    return " ".join([*what, *held]) or "always"


def _commands(commands: tuple[str, ...]) -> str:
    """Commands as code; what Prometheus fills into them is shown by its label's name."""
    named = [_LABEL.sub(r"<\1>", command) for command in commands]
    return ", ".join(f"`{command}`" for command in named)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(' --- ' for _ in heads)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
