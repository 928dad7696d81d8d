"""An AlertmanagerConfig as Alertmanager's own configuration: what the operator makes of it, as a file.

The operator's two rules matter here: it puts a matcher of the namespace on the outermost route and on both sides of
each inhibition, and it hangs the whole tree below a root that drops what nobody claims. Secrets are files where the
operator mounts the Secrets that an Alertmanager names.
"""

from __future__ import annotations

import re
from typing import Any

from components.monitoring.alertmanager_config import config_spec
from runbook.settings import AlertingSettings

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_NAMES = {
    "pagerdutyConfigs": "pagerduty_configs",
    "pagerDutyLinkConfigs": "links",
    "alt": "text",
    "apiURL": "api_url_file",
    "urlSecret": "url_file",
    "routingKey": "routing_key_file",
    "muteTimeIntervals": "mute_time_intervals",
    "daysOfMonth": "days_of_month",
}
_SECRETS = "/etc/alertmanager/secrets"


def plain(alerting: AlertingSettings, namespace: str) -> dict[str, Any]:
    """The content of ``alertmanager.yaml``."""
    spec = config_spec(alerting)
    here = f'namespace="{namespace}"'
    outermost = _route(spec["route"])
    outermost["matchers"] = [here]
    outermost["continue"] = True
    return {
        "route": {"receiver": "null", "routes": [outermost]},
        "receivers": [{"name": "null"}, *(_renamed(receiver) for receiver in spec["receivers"])],
        "inhibit_rules": [_inhibition(rule, here) for rule in spec["inhibitRules"]],
        "mute_time_intervals": [_window(window) for window in spec["muteTimeIntervals"]],
    }


def _route(route: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in route.items() if key not in {"matchers", "routes"}}
    below = {"routes": [_route(child) for child in route["routes"]]} if "routes" in route else {}
    return {"matchers": _matchers(route.get("matchers", [])), **_renamed(rest), **below}


def _inhibition(rule: dict[str, Any], here: str) -> dict[str, Any]:
    return {
        "source_matchers": [here, *_matchers(rule["sourceMatch"])],
        "target_matchers": [here, *_matchers(rule["targetMatch"])],
        "equal": rule["equal"],
    }


def _window(window: dict[str, Any]) -> dict[str, Any]:
    intervals = [_renamed(interval) for interval in window["timeIntervals"]]
    for interval in intervals:
        if "days_of_month" in interval:
            interval["days_of_month"] = [f"{days['start']}:{days['end']}" for days in interval["days_of_month"]]
    return {"name": window["name"], "time_intervals": intervals}


def _matchers(matchers: list[dict[str, str]]) -> list[str]:
    return [f'{item["name"]}{item["matchType"]}"{item["value"]}"' for item in matchers]


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(item) for item in value]  # pyright: ignore[reportUnknownVariableType] (plain JSON)
    if not isinstance(value, dict):
        return value
    if set(value) == {"name", "key"}:  # pyright: ignore[reportUnknownArgumentType] (plain JSON)
        return f"{_SECRETS}/{value['name']}/{value['key']}"  # pyright: ignore[reportUnknownArgumentType] (plain JSON)
    if set(value) == {"key", "value"}:  # pyright: ignore[reportUnknownArgumentType] (plain JSON)
        return value  # pyright: ignore[reportUnknownVariableType] (plain JSON)
    return {_name(key): _fields(key, item) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] (plain JSON)


def _fields(key: str, value: Any) -> Any:
    # The CRD has details as pairs, Alertmanager as a mapping.
    return {pair["key"]: pair["value"] for pair in value} if key == "details" else _renamed(value)


def _name(key: str) -> str:
    return _NAMES.get(key) or _CAPITAL.sub(r"_\1", key).lower()
