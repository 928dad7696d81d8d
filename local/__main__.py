"""Command line of the embedded environment; the Makefile's targets call it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from local.errors import LocalError
from local.paths import Instance, InstanceError
from local.proxies import without_proxy


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the whole system up; harmless where it runs")
    commands.add_parser("down", help="stop it, keep its data")
    commands.add_parser("clean", help="stop it, drop its data and state")
    commands.add_parser("status", help="what of it runs")
    logs = commands.add_parser("logs", help="a daemon's log")
    logs.add_argument("daemon", nargs="?", default="supervisor")
    commands.add_parser("env", help="exports for a shell")
    preview = commands.add_parser("preview", help="what `pulumi up` would change")
    preview.add_argument("--stack", default="local")
    commands.add_parser("review", help="previews of all stacks, judged by this checkout: findings, one comment")
    commands.add_parser("verdict", help="in a workflow: judge what a pull request's run left, by this checkout")
    publish = commands.add_parser("publish-verdict", help="in a workflow: write status and comment of a verdict")
    publish.add_argument("folder", type=Path)
    render = commands.add_parser("render", help="a stack's Kubernetes objects as YAML, without a cluster")
    render.add_argument("--stack", default="local")
    rules = commands.add_parser("rules", help="rules and routes of alerts as the files of Prometheus and Alertmanager")
    rules.add_argument("--stack", default="local")
    commands.add_parser("lint-manifests", help="render every stack and have independent linters judge it")
    commands.add_parser("lint-workflows", help="have actionlint and zizmor judge the workflows of GitHub Actions")
    commands.add_parser("docs", help="write the generated pages of docs/ anew")
    commands.add_parser("metric-names", help="record the metrics of the running environment for the tests")
    commands.add_parser("sbom", help="write the packages and modules that the project is made of as CycloneDX")
    commands.add_parser("audit", help="ask which packages of uv.lock have a known vulnerability")
    commands.add_parser("outdated", help="which dependencies have a newer release")
    commands.add_parser("config-schema", help="write the JSON schema of the stacks' files anew")
    test = commands.add_parser("test", help="everything in tests/, or some suites of it")
    test.add_argument("suites", nargs="*", metavar="SUITE", help="a folder of tests/, such as unit")
    test.add_argument("--fast", action="store_true", help="the suites that need neither server nor tool")
    test.add_argument("--pytest", default="", metavar="OPTIONS", help="options for pytest, in one argument")
    return parser


def _up(instance: Instance, _: argparse.Namespace) -> int:
    from local.up import up

    return up(instance)


def _down(instance: Instance, _: argparse.Namespace) -> int:
    from local.cluster.lifecycle import down
    from local.turn import turn

    ran = False
    # Where there is no folder nothing was ever started, and none is made for the lock.
    if instance.state_dir.exists():
        with turn(instance, "down"):
            ran = down(instance, lambda line: print(line, file=sys.stderr))
    print("stopped; its data stays" if ran else f"the environment {instance.name} did not run")
    return 0


def _clean(instance: Instance, _: argparse.Namespace) -> int:
    from local.clean import clean
    from local.turn import turn

    if instance.state_dir.exists():
        with turn(instance, "clean"):
            clean(instance)
    print(f"nothing is left of the environment {instance.name}")
    return 0


def _cluster(_: Instance, arguments: argparse.Namespace) -> int:
    from local.cluster import __main__ as cluster

    extra = [arguments.daemon] if arguments.command == "logs" else []
    return cluster.main([arguments.command, *extra])


def _status(instance: Instance, arguments: argparse.Namespace) -> int:
    code = _cluster(instance, arguments)
    if code == 0:
        from local.platform.names import addresses
        from local.platform.state import describe

        print(describe(instance))
        for name, where in addresses(instance).items():
            print(f"  {name:<24} {where}")
    return code


def _env(instance: Instance, _: argparse.Namespace) -> int:
    from local import shell
    from local.toolchain import bin_dir

    values = {**shell.variables(instance), "KUBECONFIG": shell.kubeconfig(instance)}
    print(shell.exports(values, shell.search_path(bin_dir())))
    return 0


def _preview(instance: Instance, arguments: argparse.Namespace) -> int:
    from local.preview import preview

    return preview(instance, arguments.stack)


def _review(instance: Instance, _: argparse.Namespace) -> int:
    from local.review.previews import review

    return review(instance)


def _verdict(_: Instance, __: argparse.Namespace) -> int:
    from local.review.verdict import verdict

    return verdict()


def _publish_verdict(_: Instance, arguments: argparse.Namespace) -> int:
    from local.review.publishing import publish

    publish(arguments.folder)
    return 0


def _render(_: Instance, arguments: argparse.Namespace) -> int:
    from local.manifests import render

    written = render.write(arguments.stack)
    print(f"{len(written)} objects in {render.FOLDER / arguments.stack}")
    return 0


def _rules(_: Instance, arguments: argparse.Namespace) -> int:
    from local import rules

    print("\n".join(str(path) for path in rules.write(arguments.stack)))
    return 0


def _lint_manifests(_: Instance, __: argparse.Namespace) -> int:
    from local.manifests.lint import lint

    return lint()


def _lint_workflows(_: Instance, __: argparse.Namespace) -> int:
    from local.workflows import lint

    return lint()


def _docs(_: Instance, __: argparse.Namespace) -> int:
    from local import docs

    changed = docs.write()
    print("\n".join(str(path) for path in changed) or "every generated page was current")
    return 0


def _metric_names(instance: Instance, _: argparse.Namespace) -> int:
    from local import metric_names

    print(f"{metric_names.record(instance)} metrics in {metric_names.FILE}")
    return 0


def _outdated(_: Instance, __: argparse.Namespace) -> int:
    from local import outdated

    print("\n".join(outdated.report()))
    return 0


def _sbom(_: Instance, __: argparse.Namespace) -> int:
    from local import supply_chain

    print("\n".join(map(str, supply_chain.sbom())))
    return 0


def _audit(_: Instance, __: argparse.Namespace) -> int:
    from local import supply_chain

    return supply_chain.audit()


def _config_schema(_: Instance, __: argparse.Namespace) -> int:
    from local import config_schema

    config_schema.FILE.write_text(config_schema.text())
    return 0


def _test(_: Instance, arguments: argparse.Namespace) -> int:
    from local.run_tests import FAST, run_tests

    # `make test SUITE="unit program"` is one argument.
    suites = " ".join(arguments.suites).split()
    if arguments.fast and suites:
        raise LocalError(f"the fast tests are the suites {', '.join(FAST)}: leave {' '.join(suites)} out")
    return run_tests(FAST if arguments.fast else suites, shlex.split(arguments.pytest))


_COMMANDS: dict[str, Callable[[Instance, argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "clean": _clean,
    "status": _status,
    "logs": _cluster,
    "env": _env,
    "preview": _preview,
    "review": _review,
    "verdict": _verdict,
    "publish-verdict": _publish_verdict,
    "render": _render,
    "rules": _rules,
    "lint-manifests": _lint_manifests,
    "lint-workflows": _lint_workflows,
    "docs": _docs,
    "metric-names": _metric_names,
    "sbom": _sbom,
    "audit": _audit,
    "outdated": _outdated,
    "config-schema": _config_schema,
    "test": _test,
}


def _elsewhere(file: object) -> str:
    """What to do where a file of the environment's own folders cannot be written."""
    instance = Instance.from_environment()
    for variable, folder in (("XDG_STATE_HOME", instance.state_dir.parent), ("XDG_CACHE_HOME", instance.cache_dir)):
        if isinstance(file, str) and Path(file).is_relative_to(folder):
            return f"; set {variable} to a folder that this user can write and that has room"
    return ""


def main(argv: list[str] | None = None) -> int:
    """Runs a command; what a user can mend is one line and exit code 1."""
    arguments = _parser().parse_args(argv)
    try:
        instance = Instance.from_environment()
        # Before anything is imported or started that reads them.
        os.environ.update(without_proxy(instance))
        return _COMMANDS[arguments.command](instance, arguments)
    except LocalError as error:
        print(f"{arguments.command}: {error.shown()}", file=sys.stderr)
        return 1
    except InstanceError as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A full disk and a folder without permission are the user's to mend; the rest of an OSError names the file.
        what = f"{error.strerror or error}: {error.filename or 'no file'}"
        print(f"{arguments.command}: {what}{_elsewhere(error.filename)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{arguments.command}: interrupted; run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
