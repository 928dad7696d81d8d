"""Where an instance of the embedded environment keeps its files, and which addresses it owns."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Self

APPLICATION = "crypto-operations"
DEFAULT_INSTANCE = "crypto"
MAX_SLOT = 255

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")


class InstanceError(ValueError):
    """A wrong instance name or slot; the message is one line that says what is allowed."""


@dataclass(frozen=True)
class Instance:
    """One embedded environment: its name, its slot (0-255, picks the subnets) and its two folders.

    Two instances run beside each other when both their names and their slots differ.
    """

    name: str
    slot: int
    state_dir: Path
    cache_dir: Path

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InstanceError(
                f"CRYPTO_INSTANCE={self.name!r} is not an instance name: use 1 to 30 of a-z, 0-9 and '-', "
                "starting with a letter and not ending with '-'"
            )
        if not 0 <= self.slot <= MAX_SLOT:
            raise InstanceError(f"CRYPTO_SLOT={self.slot} is not a slot: use a whole number from 0 to {MAX_SLOT}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The instance named by CRYPTO_INSTANCE (default "crypto") and CRYPTO_SLOT (default 0).

        Raises InstanceError where a value is not allowed.
        """
        env = os.environ if environ is None else environ
        name = env.get("CRYPTO_INSTANCE") or DEFAULT_INSTANCE
        slot_text = env.get("CRYPTO_SLOT") or "0"
        if not re.fullmatch(r"[0-9]{1,3}", slot_text):
            raise InstanceError(f"CRYPTO_SLOT={slot_text!r} is not a slot: use a whole number from 0 to {MAX_SLOT}")
        state_home = _base_folder(env, "XDG_STATE_HOME", ".local/state")
        cache_home = _base_folder(env, "XDG_CACHE_HOME", ".cache")
        return cls(name, int(slot_text), state_home / APPLICATION / name, cache_home / APPLICATION)

    @property
    def node_subnet(self) -> IPv4Network:
        return IPv4Network(f"10.231.{self.slot}.0/24")

    @property
    def host_address(self) -> IPv4Address:
        """The host's side of the veth pair."""
        return self.node_subnet[1]

    @property
    def node_address(self) -> IPv4Address:
        """The node's side of the veth pair: API server, AWS endpoint, cluster DNS."""
        return self.node_subnet[2]

    @property
    def pod_subnet(self) -> IPv4Network:
        return IPv4Network(f"10.244.{self.slot}.0/24")

    @property
    def service_subnet(self) -> IPv4Network:
        return IPv4Network(f"10.96.{self.slot}.0/24")

    @property
    def kubernetes_address(self) -> IPv4Address:
        """The ClusterIP of the Service kubernetes.default."""
        return self.service_subnet[1]

    @property
    def api_url(self) -> str:
        return f"https://{self.node_address}:6443"

    @property
    def aws_url(self) -> str:
        return f"http://{self.node_address}:4566"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for the host's shell."""
        return self.state_dir / "kubeconfig"


def _base_folder(env: Mapping[str, str], variable: str, default: str) -> Path:
    value = env.get(variable, "")
    # The XDG specification: a relative path is invalid and is to be ignored.
    if value and Path(value).is_absolute():
        return Path(value)
    return Path(env.get("HOME") or Path.home()) / default
