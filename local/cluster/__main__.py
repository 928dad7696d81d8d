"""Command line of the cluster alone; `make up` calls the same functions and brings the rest of the system too."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from local.cluster import logs
from local.cluster.errors import ClusterError
from local.cluster.layout import Layout
from local.cluster.lifecycle import ClusterSpec, clean, down, recorded_extra_daemons, settle, status, up
from local.cluster.status import Phase, describe
from local.paths import Instance, InstanceError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="bring the cluster up; harmless where it runs")
    start.add_argument(
        "--bin-dir", type=Path, default=os.environ.get("CRYPTO_TOOLS_BIN"), help="folder of the programs"
    )
    start.add_argument("--crd", type=Path, action="append", default=[], help="YAML file of CRDs (repeatable)")
    start.add_argument("--image", type=Path, action="append", default=[], help="OCI archive to import (repeatable)")
    commands.add_parser("down", help="end the cluster, keep its data")
    commands.add_parser("status", help="show the daemons; exit code 1 unless all are ready")
    show = commands.add_parser("logs", help="show a daemon's log")
    show.add_argument("daemon", nargs="?", default="supervisor")
    show.add_argument("-f", "--follow", action="store_true", help="go on as the log grows")
    show.add_argument("-n", "--lines", type=int, default=100)
    commands.add_parser("clean", help="end the cluster and remove its data")
    return parser


def _up(instance: Instance, arguments: argparse.Namespace) -> int:
    if arguments.bin_dir is None:
        raise ClusterError("no programs given: use --bin-dir or set CRYPTO_TOOLS_BIN")
    began = time.monotonic()
    spec = ClusterSpec(
        instance,
        Path(arguments.bin_dir).resolve(),
        # What `make up` runs beside the cluster goes on running.
        extra_daemons=recorded_extra_daemons(instance),
        crds=tuple(arguments.crd),
        image_archives=tuple(arguments.image),
    )
    current = up(spec, lambda message: print(f"[{time.monotonic() - began:5.1f} s] {message}", flush=True))
    settle(instance)
    print(
        f"[{time.monotonic() - began:5.1f} s] the cluster {instance.name} is ready, {len(current.daemons)} daemons run"
    )
    print(f"export KUBECONFIG={instance.kubeconfig}")
    return 0


def _logs(instance: Instance, daemon: str, lines: int, follow: bool) -> int:
    layout = Layout.of(instance)
    path = layout.log_file(daemon)
    if not path.exists():
        known = sorted(file.stem for file in layout.logs.glob("*.log"))
        hint = f"choose one of {', '.join(known)}" if known else "bring the cluster up first"
        raise ClusterError(f"there is no log of {daemon!r}: {hint}")
    print("\n".join(logs.last_lines(path, lines)), flush=True)
    if follow:
        for text in logs.follow(path):
            print(text, end="", flush=True)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    instance = Instance.from_environment()
    match arguments.command:
        case "up":
            return _up(instance, arguments)
        case "down":
            print("ended" if down(instance) else f"the cluster {instance.name} did not run")
            return 0
        case "status":
            current = status(instance)
            print(describe(current))
            return 0 if current.phase is Phase.RUNNING and current.ready else 1
        case "logs":
            return _logs(instance, arguments.daemon, arguments.lines, arguments.follow)
        case _:
            clean(instance)
            return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors that a user can cause are one line on standard error."""
    try:
        return _run(_parser().parse_args(argv))
    except ClusterError as error:
        print(f"error: {error.shown()}", file=sys.stderr)
        return 1
    except InstanceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
