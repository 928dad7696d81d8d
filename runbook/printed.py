"""The printed runbook, made from the data: what is printed is what alerts, policies and jobs use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from runbook import alerts, jobs, practices, procedures, schedules, services, severities, thresholds
from runbook.alerting import routing
from runbook.alerting.model import NAMESPACE, Alert, Comparison, Limit, description
from runbook.printed_values import value
from runbook.sections import Section
from runbook.settings import Settings
from runbook.units import exact_duration

_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_VALUE: Final = re.compile(r"\{\{ \$value[^}]*\}\}")
# A stack with another one fills its own into the commands of its alerts.
_NAMESPACE: Final = Settings.model_fields["namespace"].default
_HEAD = """# Runbook

Made from the data in `runbook/` by `make docs`; do not edit it. Alerts, policies and messages link to the anchors of
this page.
"""


def markdown() -> str:
    """The whole page."""
    sections = (line for section in Section for line in _section(section))
    return "\n".join([_HEAD, *sections, *_calendar()]).rstrip() + "\n"


def _calendar() -> Iterator[str]:
    """Everything that happens by itself, by the time of day."""
    yield from ('<a id="calendar"></a>', "", "## Calendar", "")
    yield f"Between the start and {value(practices.MAINTENANCE_WINDOW)} later, a maintenance mutes alerts below P1."
    yield ""
    rows = [
        (
            item.meaning,
            item.time_zone or "the stack's time zone",
            item.name,
            f"[{item.section}](#{item.section.anchor})",
        )
        for item in sorted(schedules.ALL, key=_time_of_day)
    ]
    yield from _table(("When", "Time zone", "Job", "Section"), rows)


def _time_of_day(schedule: schedules.Schedule) -> int:
    """What comes every hour first, then by the minute of the day."""
    return -1 if schedule.times.often else schedule.times.of_day[0]


def _section(section: Section) -> Iterator[str]:
    # The anchor is the section's number, so that a reworded title breaks no link.
    yield f'<a id="{section.anchor}"></a>'
    yield ""
    yield f"## {section}"
    yield ""
    yield from _procedures(section)
    yield from _table(("Limit", "Value", "Meaning"), _limits(section))
    yield from _table(("Severity", "Description", "Answered within", "Notified"), _severities(section))
    yield from _table(("Contact", "Told by itself", "How"), _people(section))
    yield from _table(("Schedule", "Cron", "Command", "Meaning"), _schedules(section))
    yield from _table(("Service", "Address", "Health", "Normal", "Peak"), _services(section))
    yield from _table(("Alert", "Severity", "Fires", "Team"), _alerts(section))
    for alert in alerts.of_section(section):
        yield from _alert(alert)


def _people(section: Section) -> list[tuple[str, ...]]:
    """Who is told of a page and when, and who can be reached."""
    if section is not Section.ESCALATION:
        return []
    pages = [severity for severity in severities.ALL if severity.pages]
    climbs: dict[str, list[str]] = {role: [] for role in severities.ESCALATION}
    for severity in pages:
        for route in routing.escalations(severity):
            climbs[str(route.receiver.role)].append(f"{severity.name} after {exact_duration(route.wait)}")
    return [
        (severities.ON_CALL[0], f"{', '.join(severity.name for severity in pages)} at once", severities.ON_CALL[1]),
        *((role, ", ".join(when), "the incidents' channel") for role, when in climbs.items()),
        (severities.EMERGENCY[0], "", severities.EMERGENCY[1]),
    ]


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
    return "next sprint" if severity.response_seconds is None else exact_duration(severity.response_seconds)


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
        (f"[{alert.name}](#{alert.anchor})", alert.severity.name, _fires(alert), alert.team)
        for alert in alerts.of_section(section)
    ]


def _alert(alert: Alert) -> Iterator[str]:
    """An alert's own part: what it means, whom it reaches, what to look at and what to do."""
    yield from (f'<a id="{alert.anchor}"></a>', "", f"### {alert.name}", "")
    yield from (_named(description(alert)), "")
    yield f"- Severity: {alert.severity.name}, answered within {_response(alert.severity)} ({_contacts(alert)})"
    yield f"- Fires: {_fires(alert)}; notified within {_noticed(alert)} of a total failure"
    yield f"- Look with: {_commands(alert.diagnosis)}"
    yield f"- Mend with: {_commands(alert.remedies) or 'what the above has shown; no command mends this by itself'}"
    yield ""


def _contacts(alert: Alert) -> str:
    """Who is told: the severity's people, the team, and after the response time those who are above them."""
    roles = [route.receiver.role for route in routing.escalations(alert.severity) if route.receiver.role]
    after = f"; then {', '.join(roles)}" if roles else ""
    return f"{alert.severity.notified}; team {alert.team}{after}"


def _noticed(alert: Alert) -> str:
    return exact_duration(60 * -(-routing.detection_seconds(alert) // 60))


def _named(text: str) -> str:
    """Prometheus's templates as people read them: labels and values by their names."""
    return _VALUE.sub("<value>", _LABEL.sub(r"<\1>", text)).replace("<", "&lt;").replace(">", "&gt;")


def _fires(alert: Alert) -> str:
    beyond = {Comparison.ABOVE: "above", Comparison.BELOW: "below"}
    limit = alert.condition
    what = [f"{beyond[limit.comparison]} {value(limit.threshold)}"] if isinstance(limit, Limit) else []
    held = [f"for {exact_duration(alert.for_seconds)}"] if alert.for_seconds else []
    return " ".join([*what, *held]) or "always"


def _commands(commands: tuple[str, ...]) -> str:
    """Commands as code, for the usual namespace; what Prometheus fills into them is shown by its label's name."""
    named = [_LABEL.sub(r"<\1>", command.replace(NAMESPACE, _NAMESPACE)) for command in commands]
    return ", ".join(f"`{command}`" for command in named)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(' --- ' for _ in heads)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
