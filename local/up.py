"""`make up`: from a fresh machine to the running system.

Three things take long and need different parts of the machine, so they run side by side: compiling the toolchain (CPU),
building the images (package downloads, disk), and, as soon as their programs are there, starting the cluster and the
platform's controllers on it. The first that fails ends the others.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local import credentials as credentials_module
from local import debian, ops_config, pulumi_locks, readiness, shell, toolchain
from local.aws.plugin import install_plugin
from local.aws.server import DEFAULT_PORT
from local.cluster.daemons import DaemonSpec, Probe
from local.cluster.lifecycle import ClusterSpec, import_images, pod_cpu_seconds, settle
from local.cluster.lifecycle import up as cluster_up
from local.cluster.machine import why_containers_cannot_run
from local.cluster.packages import CLUSTER_PACKAGES
from local.errors import LocalError
from local.images.build import Image, build_all
from local.images.catalog import images_of_packages, images_of_tools
from local.images.packages import HOST_PACKAGES
from local.kubectl import Kubectl
from local.paths import Instance
from local.platform import install as platform
from local.platform.names import IMAGES as PLATFORM_IMAGES
from local.platform.names import addresses
from local.pods import no_cpu_seconds
from local.pulumi_cli import PulumiCli, without_automatic_log
from local.report import Report, ToolchainLines
from local.settings import NAMESPACE, STACK, ExistingCluster, existing_cluster
from local.stop import Stop
from local.summary import summary
from local.together import Together
from local.turn import turn
from runbook.environment import EnvironmentFile

_WHAT_NEXT = "run `make up` again: it goes on from there"


@dataclass(frozen=True, slots=True)
class Target:
    """The cluster that the system goes to, with what the program must know of it; ``where`` is for people."""

    where: str
    kubeconfig: Path
    environment: EnvironmentFile


def up(instance: Instance) -> int:
    """Brings everything up and returns the exit code of `pulumi up`.

    Raises:
        LocalError: one line that says what to do.
    """
    report = Report()
    existing = existing_cluster()
    _check_user(existing)
    with turn(instance, "up", _line(report, "up")):
        try:
            return _up(instance, existing, report)
        except LocalError as error:
            error.add_note(_WHAT_NEXT if error.passing else f"mend that, then {_WHAT_NEXT}")
            raise
        finally:
            settle(instance)


def _up(instance: Instance, existing: ExistingCluster | None, report: Report) -> int:
    if not existing:
        _check_machine(report)
    wanted = toolchain.EXISTING_CLUSTER_TOOLS if existing else toolchain.UP_STAGES
    with toolchain.start(wanted, progress=ToolchainLines(report)) as building, Together() as work:
        work.stop.calls(building.stop)
        # Beside everything else, so that a tool that cannot be built ends the rest at once.
        all_tools = work.start(building.wait)
        target = existing_target(existing) if existing else _embedded(instance, building, work, report)
        tools = all_tools.result()
    if not existing:
        _await_platform(instance, target, tools, report)
    return _deploy(instance, target, tools, report)


def _line(report: Report, subject: str) -> Callable[[str], None]:
    return lambda text: report.say(subject, text)


def _check_user(existing: ExistingCluster | None) -> None:
    if not existing and os.geteuid() != 0:
        raise LocalError(
            "the embedded cluster needs root; run `sudo make up`, or name an existing cluster by CRYPTO_KUBECONFIG"
        )


def _check_machine(report: Report) -> None:
    debian.ensure([*CLUSTER_PACKAGES, *HOST_PACKAGES], _line(report, "packages"))
    reason = why_containers_cannot_run()
    if reason:
        raise LocalError(f"this machine cannot run containers: {reason}")


def existing_target(cluster: ExistingCluster) -> Target:
    """A cluster that somebody else runs, with the images that its nodes can pull.

    Raises:
        LocalError: the file of images is no JSON object of references.
    """
    try:
        images = json.loads(cluster.images.read_bytes())
        environment = EnvironmentFile(images=images, kube_context=cluster.context, aws_endpoint=cluster.aws_endpoint)
    except ValueError:
        raise LocalError(f'{cluster.images} must be JSON like {{"ops": "registry/ops:1.0", ...}}') from None
    return Target(f"context {cluster.context}", cluster.kubeconfig, environment)


def _embedded(instance: Instance, building: toolchain.Handle, work: Together, report: Report) -> Target:
    say = _line(report, "images")
    packages = partial(build_all, instance.cache_dir, images_of_packages(), say, stop=work.stop)
    images = work.start(packages)
    made_of_tools = work.start(partial(_build_from_tools, instance, building, say, work.stop))
    building.wait_for("cluster")
    spec = ClusterSpec(instance, toolchain.bin_dir(), (aws_daemon(instance),), tuple(toolchain.crds()))
    cluster_up(
        spec,
        _line(report, "cluster"),
        work.stop,
        lambda: [(images.result() | made_of_tools.result())[name].archive for name in PLATFORM_IMAGES],
    )
    built = images.result() | made_of_tools.result()
    environment = EnvironmentFile(
        images={name: image.ref for name, image in built.items()},
        kube_context=instance.name,
        aws_endpoint=instance.aws_url,
    )
    target = Target(instance.api_url, instance.kubeconfig, environment)
    # Its pods start while the other images come, and the engine and the provider still compile.
    platform.apply(_kubectl(target, building.wait_for("kubectl")), instance, environment.images)
    others = [image for name, image in built.items() if name not in PLATFORM_IMAGES]
    _import(spec, others, report, work.stop)
    return target


def _build_from_tools(
    instance: Instance, building: toolchain.Handle, say: Callable[[str], None], stop: Stop
) -> dict[str, Image]:
    """The images that wait for programs of the toolchain; the others are made meanwhile."""
    return build_all(instance.cache_dir, images_of_tools(), say, building.wait_for("platform"), stop=stop)


def _await_platform(instance: Instance, target: Target, tools: dict[str, Path], report: Report) -> None:
    say = _line(report, "platform")
    images = target.environment.images
    platform.wait(_kubectl(target, tools), instance, images, say, partial(pod_cpu_seconds, instance))
    say("controllers of certificates, monitoring and Ingresses run")


def _kubectl(target: Target, tools: dict[str, Path]) -> Kubectl:
    return Kubectl(tools["kubectl"], target.kubeconfig, target.environment.kube_context)


def _import(spec: ClusterSpec, images: Sequence[Image], report: Report, stop: Stop) -> None:
    imported = import_images(spec.instance, spec.bin_dir, [image.archive for image in images], stop)
    report.say("images", f"for the system: {len(imported)} imported, {len(images) - len(imported)} were there")


def aws_daemon(instance: Instance) -> DaemonSpec:
    """The AWS endpoint, supervised beside the cluster's daemons: only the host and the pods reach it."""
    address, port = str(instance.node_address), str(DEFAULT_PORT)
    state = instance.state_dir / "aws"
    return DaemonSpec(
        name="aws",
        argv=(
            sys.executable,
            "-P",
            "-u",
            "-m",
            "local.aws.server",
            "--host",
            address,
            "--port",
            port,
            "--state",
            str(state),
        ),
        env={"PATH": "/usr/bin:/bin", "HOME": str(instance.state_dir), "AWS_EC2_METADATA_DISABLED": "true"},
        probe=Probe(target=f"tcp:{address}:{port}"),
        stop_seconds=20,
    )


def _deploy(instance: Instance, target: Target, tools: dict[str, Path], report: Report) -> int:
    kubectl = _kubectl(target, tools)
    secrets = shell.credentials(instance)
    secrets.ensure()
    keys = {"backup_public_key": secrets.backup_public_key(), "backup_signers": secrets.backup_signers()}
    environment = target.environment.model_copy(update=keys)
    credentials_module.put_into_cluster(secrets, kubectl, NAMESPACE)
    _write(shell.environment_file(instance), environment.model_dump_json(by_alias=True, indent=2))
    pulumi_locks.await_free(pulumi_state(instance), _line(report, "pulumi"))
    pulumi = pulumi_cli(instance, tools)
    pulumi.ensure_stack(STACK)
    report.say("pulumi", f"up -s {STACK}, judged by the policy pack")
    code = pulumi.up(STACK)
    if code != 0:
        report.say("pulumi", f"ended with exit code {code}; mend what it says, then {_WHAT_NEXT}")
        return code
    embedded = existing_cluster() is None
    cpu_seconds = partial(pod_cpu_seconds, instance) if embedded else no_cpu_seconds
    pods = readiness.wait(kubectl, NAMESPACE, _line(report, "pods"), cpu_seconds)
    servers = addresses(instance) if embedded else {}
    settings = ops_config.from_cluster(kubectl, NAMESPACE, secrets, servers.get("Prometheus"))
    _write(shell.ops_config_file(instance), settings.model_dump_json(by_alias=True, indent=2))
    endpoint = target.environment.aws_endpoint
    print(summary(target.where, endpoint, instance.state_dir, pods, report.elapsed_seconds, servers))
    return 0


def pulumi_state(instance: Instance) -> Path:
    """The folder of the engine's file backend."""
    return instance.state_dir / "pulumi-state"


def pulumi_cli(instance: Instance, tools: dict[str, Path]) -> PulumiCli:
    """The CLI with every plugin installed in the instance's own home."""
    home = instance.state_dir / "pulumi-home"
    state = pulumi_state(instance)
    state.mkdir(parents=True, exist_ok=True)
    pulumi_locks.clear_dead(state)
    toolchain.install_plugins(home, tools)
    install_plugin(home, Path(sys.executable))
    without_automatic_log(home)
    folders = os.pathsep.join(map(str, shell.search_path(toolchain.bin_dir())))
    variables = {**shell.variables(instance), "PATH": f"{folders}{os.pathsep}{os.environ.get('PATH', '')}"}
    return PulumiCli(tools["pulumi"], variables)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text + "\n")
    partial.replace(path)
