"""Runs nftables in this process's network namespace."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Address
from typing import Any, NamedTuple, cast

from local.cluster.firewall import DENIED_SET, PROTOCOLS, TABLE

_NAMES = {number: name for name, number in PROTOCOLS.items()}


class Flow(NamedTuple):
    """A connection that was refused: who asked whom, by which protocol ("TCP") and port."""

    source: IPv4Address
    destination: IPv4Address
    protocol: str
    port: int


def apply(script: str) -> None:
    """Carry out a script in one step, all of it or nothing. Raises OSError with what nft says."""
    done = _nft("--file", "-", stdin=script)
    if done.returncode != 0:
        raise OSError(f"nft refused the rules: {' '.join(done.stderr.split())}")


def is_in_force() -> bool:
    """Whether the table is there."""
    return _nft("list", "chain", "inet", TABLE, "judge").returncode == 0


def refused() -> list[Flow]:
    """The different connections that were refused since the table was made; none where there is no table."""
    done = _nft("--json", "--numeric-protocol", "list", "set", "inet", TABLE, DENIED_SET)
    return parse_flows(done.stdout) if done.returncode == 0 else []


def parse_flows(text: str) -> list[Flow]:
    """Flows from the output of `nft --json list set`."""
    found = cast("list[dict[str, Any]]", json.loads(text)["nftables"])
    flows = [element["concat"] for entry in found for element in entry.get("set", {}).get("elem", [])]
    return [Flow(IPv4Address(a), IPv4Address(b), _NAMES[protocol], port) for a, b, protocol, port in flows]


def _nft(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", *arguments], input=stdin, capture_output=True, text=True, check=False)
