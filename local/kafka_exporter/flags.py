"""The flags of the genuine exporter that the embedded environment passes; any other one is refused."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """Names that are wanted: those in which `wanted` is found and `unwanted` is not. Neither is anchored."""

    wanted: re.Pattern[str]
    unwanted: re.Pattern[str]

    def has(self, name: str) -> bool:
        """Whether the name is wanted."""
        return self.wanted.search(name) is not None and self.unwanted.search(name) is None


@dataclass(frozen=True)
class Flags:
    """What was asked for; `host` is empty for all addresses."""

    servers: tuple[str, ...]
    host: str
    port: int
    path: str
    topics: Selection
    groups: Selection


def parse(arguments: Sequence[str]) -> Flags:
    """Read the command line; a wrong one ends the process with code 2 and a line that says why."""
    parser = argparse.ArgumentParser(prog="kafka_exporter", allow_abbrev=False)
    parser.add_argument("--kafka.server", dest="servers", action="append", metavar="HOST:PORT")
    parser.add_argument("--web.listen-address", dest="address", default=":9308", type=_address, metavar="[HOST]:PORT")
    parser.add_argument("--web.telemetry-path", dest="path", default="/metrics", metavar="PATH")
    for kind in ("topic", "group"):
        parser.add_argument(f"--{kind}.filter", dest=f"{kind}_wanted", default=".*", type=_pattern, metavar="REGEX")
        parser.add_argument(f"--{kind}.exclude", dest=f"{kind}_unwanted", default="^$", type=_pattern, metavar="REGEX")
    given = parser.parse_args(arguments)
    host, port = given.address
    return Flags(
        tuple(given.servers or ("kafka:9092",)),
        host,
        port,
        given.path,
        Selection(given.topic_wanted, given.topic_unwanted),
        Selection(given.group_wanted, given.group_unwanted),
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: give [HOST]:PORT, such as :9308")
    return host.strip("[]"), int(port)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
