"""``crypto-policy check`` beside kube-score and checkov: how long each takes, how much memory, and what each one finds.

``make bench NAME=policy_check``. Every tool reads the same manifests: the rendered production stack, copied into as
many namespaces as it takes. Each runs alone on one core; CPU seconds count, since other work may share the machine.
Then each judges copies of the stack with one violation each, and has found it where it says something that it does
not say of the good stack. checkov runs in an environment of its own, by ``uv tool run``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from benchmarks.violations import VIOLATIONS, Violation
from local import toolchain
from local.manifests import kube_score, render

STACK: Final = "prod"
SIZES: Final = (100, 1_000, 10_000)
CHECKOV: Final = "checkov==3.3.30"
_KUBERNETES: Final = "v1.36"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a tool cost: CPU seconds, seconds on the wall, and its greatest memory in MB."""

    cpu: float
    wall: float
    memory: float


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its command for a folder of manifests, and what its output says of a folder, as comparable texts."""

    name: str
    command: Callable[[Path], list[str]]
    said: Callable[[str, Path], set[str]]
    once: bool = False


def _alone(process: int) -> None:
    os.sched_setaffinity(process, {max(os.sched_getaffinity(0))})


# A process of its own starts the tool: what a child is told of its memory includes that of whoever started it.
_STARTER: Final = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
told = [code, used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss / 1024]
print("\\n" + json.dumps(told), file=sys.stderr)
"""


def measure(command: Sequence[str], output: Path) -> Run:
    """Runs a command on one core, its output in a file. Exit code 1 is a tool's way to say that it found something."""
    starter = [sys.executable, "-S", "-c", _STARTER, *command]
    with output.open("w") as file:
        process = subprocess.Popen(starter, stdout=file, stderr=subprocess.PIPE, text=True)
        _alone(process.pid)
        _, errors = process.communicate()
    code, cpu, wall, memory = json.loads(errors.splitlines()[-1])
    if code not in (0, 1):
        sys.exit(f"{command[0]} ended with {code}: {errors[-500:]}")
    return Run(cpu, wall, memory)


def _ours(config: Path) -> Tool:
    program = str(Path(sys.executable).with_name("crypto-policy"))

    def said(text: str, _: Path) -> set[str]:
        findings = json.loads(text)["findings"]
        keys = ("rule", "standing", "resource", "path", "found")
        return {" ".join(str(each[key]) for key in keys) for each in findings if each["standing"] != "not yet known"}

    command = ["check", "--format", "json", "--config", str(config), "--yaml"]
    return Tool("crypto-policy", lambda folder: [program, *command, str(folder)], said)


def _kube_score(program: Path) -> Tool:
    def said(text: str, _: Path) -> set[str]:
        return {
            f"{item['type_meta']['kind']} {item['object_meta']['name']} {check['check']['id']} {comment['summary']}"
            for item in json.loads(text)
            for check in item["checks"] or ()
            if not check["skipped"] and check["grade"] < 10
            for comment in check["comments"] or [{"summary": ""}]
        }

    def command(folder: Path) -> list[str]:
        options = ["--output-format", "json", "--kubernetes-version", _KUBERNETES]
        return [str(program), "score", *options, *sorted(map(str, folder.glob("*.yaml")))]

    return Tool("kube-score", command, said)


def _checkov(program: str) -> Tool:
    def said(text: str, folder: Path) -> set[str]:
        failed = cast("dict[str, Any]", json.loads(text))["results"]["failed_checks"]
        place = f"/{folder.name}/"
        within = [each for each in failed if folder.parent.name != "bad" or str(each["file_path"]).startswith(place)]
        return {f"{each['check_id']} {each['resource']}" for each in within}

    options = ["--framework", "kubernetes", "--output", "json", "--quiet", "--compact", "--skip-download"]
    return Tool("checkov", lambda folder: [program, *options, "--directory", str(folder)], said, once=True)


def objects() -> list[dict[str, Any]]:
    """The rendered stack."""
    return [json.loads(json.dumps(manifest.content)) for manifest in render.manifests(STACK)]


def write(folder: Path, content: Iterable[Mapping[str, Any]]) -> Path:
    """A folder with one file for each object."""
    folder.mkdir(parents=True)
    for number, each in enumerate(content):
        (folder / f"{number:05}.yaml").write_text(yaml.dump(each, Dumper=yaml.CSafeDumper))
    return folder


def copies(stack: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many objects: the stack again and again, each time in namespaces of its own, and as good as the first."""
    shared = {each["metadata"].get("namespace", each["metadata"]["name"]) for each in stack}
    made: list[dict[str, Any]] = []
    while len(made) < count:
        renamed = {name: f"{name}-{len(made) // len(stack)}" for name in shared}
        made += [_renamed(each, renamed) for each in stack[: count - len(made)]]
    return made


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A copy in which whatever names one of ``names`` has the other name."""
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in cast("list[Any]", value)]
    return names.get(value, value) if isinstance(value, str) else value


def crowd(stack: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many objects in the stack's own namespace, all with the same labels, which every selector means."""
    made: list[dict[str, Any]] = []
    for number in range(count):
        copied = _alike(json.loads(json.dumps(stack[number % len(stack)])))
        copied["metadata"]["name"] += f"-{number // len(stack)}" if number >= len(stack) else ""
        made.append(copied)
    return made


def _alike(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        if key in ("labels", "matchLabels", "selector") and "matchLabels" not in known:
            return {"app": "same"}
        return {name: _alike(each, name) for name, each in known.items()}
    return [_alike(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _config(folder: Path, content: Iterable[Mapping[str, Any]]) -> Path:
    spaces = sorted({each["metadata"].get("namespace", "crypto") for each in content})
    path = folder / f"config-{len(spaces)}.json"
    path.write_text(json.dumps({"namespace": {"allowedNamespaces": spaces}}))
    return path


def token(manifest: Mapping[str, Any]) -> str:
    """The type by which Pulumi knows a manifest."""
    version = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
    return f"kubernetes:{version}:{manifest['kind']}"


def _state(path: Path, content: Sequence[Mapping[str, Any]]) -> Path:
    resources: list[dict[str, Any]] = []
    for number, each in enumerate(content):
        kind = token(each)
        urn = f"urn:pulumi:prod::crypto::{kind}::{number}"
        resources.append({"urn": urn, "type": kind, "custom": True, "inputs": each, "outputs": each})
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    return path


def speed(folder: Path, stack: Sequence[dict[str, Any]], tools: Callable[[Path], list[Tool]]) -> None:
    """Prints a line for each tool and size."""
    print(f"{'tool':<25} {'objects':>8} {'CPU s':>8} {'ms/object':>10} {'wall s':>8} {'MB':>6} {'found':>7}")
    for count in SIZES:
        content = copies(stack, count)
        config = _config(folder, content)
        manifests = write(folder / str(count), content)
        for tool in tools(config):
            _line(tool.name, count, measure(tool.command(manifests), folder / "out"), folder / "out", tool, manifests)
        ours = tools(config)[0]
        command = [*ours.command(manifests)[:-2], "--state", str(_state(folder / f"{count}.json", content))]
        _line("crypto-policy --state", count, measure(command, folder / "out"), folder / "out", ours, manifests)
        shutil.rmtree(manifests)
        alike = write(folder / f"{count}-alike", crowd(stack, count))
        run = measure(ours.command(alike), folder / "out")
        _line("crypto-policy, one crowd", count, run, folder / "out", ours, alike)
        shutil.rmtree(alike)


def _line(name: str, count: int, run: Run, output: Path, tool: Tool, manifests: Path) -> None:
    found = len(tool.said(output.read_text(), manifests))
    each = run.cpu / count * 1000
    print(
        f"{name:<25} {count:>8} {run.cpu:>8.2f} {each:>10.3f} {run.wall:>8.2f} {run.memory:>6.0f} {found:>7}",
        flush=True,
    )


def coverage(folder: Path, stack: Sequence[dict[str, Any]], tools: Sequence[Tool]) -> None:
    """Prints which tool finds which violation."""
    good = write(folder / "good", stack)
    bad = [write(folder / "bad" / f"{number:03}", _violated(stack, each)) for number, each in enumerate(VIOLATIONS)]
    found = {tool.name: _found(tool, good, bad, folder / "out") for tool in tools}
    print(f"\n{'violation':<46}" + "".join(f"{tool.name:>15}" for tool in tools))
    for number, violation in enumerate(VIOLATIONS):
        cells = ["found" if found[tool.name][number] else "-" for tool in tools]
        print(f"{violation.name:<46}" + "".join(f"{cell:>15}" for cell in cells))
    print(f"{f'of {len(VIOLATIONS)}':<46}" + "".join(f"{sum(found[tool.name]):>15}" for tool in tools))


def _found(tool: Tool, good: Path, bad: Sequence[Path], output: Path) -> list[bool]:
    def said(folder: Path) -> str:
        measure(tool.command(folder), output)
        return output.read_text()

    known = tool.said(said(good), good)
    if not tool.once:
        return [bool(tool.said(said(folder), folder) - known) for folder in bad]
    # Starting takes it longer than judging: it sees all folders in one run.
    everything = said(bad[0].parent)
    return [bool(tool.said(everything, folder) - known) for folder in bad]


def _violated(stack: Sequence[dict[str, Any]], violation: Violation) -> list[dict[str, Any]]:
    copied: list[dict[str, Any]] = json.loads(json.dumps(list(stack)))
    (touched,) = (each for each in copied if (each["kind"], each["metadata"]["name"]) == violation.target)
    changed = violation.change(touched)
    return [each for each in copied if each is not touched or changed is not None]


def main() -> None:
    """Prints both tables."""
    score = toolchain.ensure([kube_score.NAME])[kube_score.NAME]
    stack = objects()
    with tempfile.TemporaryDirectory(prefix="bench-policies-") as name:
        folder = Path(name)
        # The environment is made once and not measured.
        where = ["uv", "tool", "run", "--quiet", "--from", CHECKOV, "which", "checkov"]
        checkov = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()

        def tools(config: Path) -> list[Tool]:
            return [_ours(config), _kube_score(score), _checkov(checkov)]

        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {len(stack)} objects rendered of {STACK}\n")
        if "coverage" not in sys.argv[1:]:
            speed(folder, stack, tools)
        if "speed" not in sys.argv[1:]:
            coverage(folder, stack, tools(_config(folder, stack)))


if __name__ == "__main__":
    main()
