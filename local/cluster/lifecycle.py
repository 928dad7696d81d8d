"""Up, down, status and clean: what `make up` and `python -m local.cluster` call."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

import local
from local.cluster import (
    cgroups,
    config,
    identity,
    image_import,
    images,
    leftovers,
    linux,
    network,
    objects,
    pki,
    readiness,
)
from local.cluster import status as status_file
from local.cluster.daemons import API_SERVER, DaemonSpec, SupervisorConfig, control_plane
from local.cluster.errors import ClusterError
from local.cluster.identity import ProcessIdentity
from local.cluster.layout import CONTAINERD_SOCKET, Layout, cgroup_root, daemons_cgroup, pods_cgroup
from local.cluster.lock import exclusive
from local.cluster.machine import check_machine
from local.cluster.status import ClusterStatus, DaemonState
from local.paths import Instance
from local.priority import NORMAL_WEIGHT, START_WEIGHT
from local.stop import Stop
from local.together import Together
from scripts.clients import kubernetes

# Above all deadlines of the supervisor's own stop: pods, then three ranks of daemons.
STOP_SECONDS = 90.0
_REQUEST_SECONDS = 10.0

Progress = Callable[[str], None]
Archives = Callable[[], Sequence[Path]]


def _silent(_: str) -> None:
    return


@dataclass(frozen=True)
class ClusterSpec:
    """What to bring up: the instance, the programs, and what comes on top of the bare cluster.

    `crds` are YAML files; `image_archives` OCI archives; `extra_daemons` run inside the cluster's namespaces.
    """

    instance: Instance
    bin_dir: Path
    extra_daemons: tuple[DaemonSpec, ...] = ()
    crds: tuple[Path, ...] = ()
    image_archives: tuple[Path, ...] = ()


def up(
    spec: ClusterSpec, progress: Progress = _silent, stop: Stop | None = None, built: Archives = tuple[Path, ...]
) -> ClusterStatus:
    """Bring the cluster up, or leave it alone where it runs as `spec` says; return its status once everything is ready.

    `built` waits for further archives of images: they are imported while the control plane starts.

    A cluster that runs with other programs or daemons is restarted, its data kept. One that is stopped half-way through
    `stop` runs on, and the next `up` goes on with it. Raises ClusterError (one line).
    """
    check_machine(spec.bin_dir)
    layout = Layout.of(spec.instance)
    with exclusive(spec.instance):
        _check_origin(spec.instance, layout)
        pause_reference, pause_archive = images.build_pause(layout.config)
        wanted = supervisor_config(spec)
        supervisor = identity.find_supervisor(layout.process, layout.supervisor_config)
        if supervisor is not None and layout.supervisor_config.read_text() != _dump(wanted):
            progress("configuration has changed: restarting the cluster")
            _stop(spec.instance, supervisor)
            supervisor = None
        started_here = supervisor is None
        if supervisor is None:
            supervisor = _start(spec, wanted, pause_reference, progress)
        cgroups.set_weight(cgroup_root(spec.instance), START_WEIGHT)
        archives = (pause_archive, *spec.image_archives)
        try:
            return _complete(spec, layout, supervisor, archives, built, progress, stop)
        except ClusterError as error:
            if started_here and not (stop and stop.asked):
                progress(f"ending the daemons, because {error}")
                _stop(spec.instance, supervisor)
            raise


def settle(instance: Instance) -> None:
    """The start is over: from now on the cluster has the weight of any other program on a busy processor."""
    cgroups.set_weight(cgroup_root(instance), NORMAL_WEIGHT)


def down(instance: Instance, progress: Progress = _silent) -> bool:
    """End the cluster in good order and remove all of it but its data from the host; False where it did not run."""
    layout = Layout.of(instance)
    if not layout.root.exists():
        return False
    with exclusive(instance):
        supervisor = identity.find_supervisor(layout.process, layout.supervisor_config)
        if supervisor is not None:
            progress("ending pods and daemons")
            _stop(instance, supervisor)
        else:
            leftovers.clear(instance)
        return supervisor is not None


def clean(instance: Instance, progress: Progress = _silent) -> None:
    """End the cluster and remove its data: volumes, etcd, images, certificates."""
    if not Layout.of(instance).root.exists():
        return
    down(instance, progress)
    with exclusive(instance):
        leftovers.remove_data(instance)


def status(instance: Instance) -> ClusterStatus:
    """What runs now; phase "stopped" where no supervisor does."""
    layout = Layout.of(instance)
    if identity.find_supervisor(layout.process, layout.supervisor_config) is None:
        return status_file.stopped(instance.name)
    return status_file.read(layout.status) or status_file.stopped(instance.name)


def import_images(instance: Instance, bin_dir: Path, archives: Iterable[Path], stop: Stop | None = None) -> list[str]:
    """Import OCI archives into the running cluster; return the references that it did not hold before."""
    return image_import.import_archives(bin_dir / "ctr", containerd_socket(instance), archives, stop)


def containerd_socket(instance: Instance) -> Path:
    """The running cluster's containerd, as the host sees it. Raises ClusterError where the cluster does not run."""
    layout = Layout.of(instance)
    supervisor = identity.find_supervisor(layout.process, layout.supervisor_config)
    if supervisor is None:
        raise ClusterError(f"the cluster {instance.name} does not run: start it first")
    return _containerd_socket(supervisor)


def recorded_extra_daemons(instance: Instance) -> tuple[DaemonSpec, ...]:
    """The daemons that the last `up` ran besides the cluster's own; none where there was no `up`."""
    try:
        recorded = SupervisorConfig.model_validate_json(Layout.of(instance).supervisor_config.read_bytes())
    except (OSError, ValidationError):
        return ()
    own = {daemon.name for daemon in control_plane(instance, Path("/"))}
    return tuple(daemon for daemon in recorded.daemons if daemon.name not in own)


def host_pid(instance: Instance, daemon: str) -> int | None:
    """The process id of a daemon as the host counts, or None where it does not run."""
    layout = Layout.of(instance)
    supervisor = identity.find_supervisor(layout.process, layout.supervisor_config)
    current = status_file.read(layout.status)
    found = current.daemon(daemon) if current else None
    if supervisor is None or found is None or found.pid is None:
        return None
    members = identity.members(supervisor)
    return next((member.identity.pid for member in members if member.innermost_pid == found.pid), None)


def pod_cpu_seconds(instance: Instance, uid: str) -> int | None:
    """Whole seconds of processor time that the pod of this uid has used; None where it has no cgroup."""
    return cgroups.cpu_seconds(pods_cgroup(cgroup_root(instance)), f"pod{uid}")


def supervisor_config(spec: ClusterSpec) -> SupervisorConfig:
    """The supervisor's configuration for a cluster. Raises ClusterError where two daemons share a name."""
    instance = spec.instance
    daemons = (*control_plane(instance, spec.bin_dir), *spec.extra_daemons)
    names = [daemon.name for daemon in daemons]
    for daemon in daemons:
        unknown = [name for name in daemon.after if name not in names]
        if unknown or names.count(daemon.name) > 1:
            problem = f"waits for the unknown daemon {unknown[0]}" if unknown else "is defined twice"
            raise ClusterError(f"the daemon {daemon.name} {problem}")
    return SupervisorConfig(
        instance=instance.name,
        cluster_dir=Layout.of(instance).root,
        node_address=str(instance.node_address),
        node_prefix=instance.node_subnet.prefixlen,
        host_address=str(instance.host_address),
        service_subnet=str(instance.service_subnet),
        cgroup_root=cgroup_root(instance),
        daemons=daemons,
    )


def _dump(configuration: SupervisorConfig) -> str:
    return configuration.model_dump_json(indent=2) + "\n"


def _check_origin(instance: Instance, layout: Layout) -> None:
    """The stored data holds addresses of its slot; under another slot it would not work."""
    if layout.origin.exists():
        stored = json.loads(layout.origin.read_text())
        if stored != {"slot": instance.slot}:
            raise ClusterError(
                f"the data of instance {instance.name} was made with CRYPTO_SLOT={stored.get('slot')}, not "
                f"{instance.slot}: set CRYPTO_SLOT back, or remove the data with `clean`"
            )
    else:
        layout.origin.write_text(json.dumps({"slot": instance.slot}) + "\n")


def _start(spec: ClusterSpec, wanted: SupervisorConfig, pause_reference: str, progress: Progress) -> ProcessIdentity:
    instance, layout = spec.instance, Layout.of(spec.instance)
    leftovers.clear(instance)
    problem = network.conflict(instance, network.host_routes())
    if problem:
        raise ClusterError(problem)
    issued = pki.ensure_pki(instance, layout.pki, instance.name)
    if issued:
        progress(f"issued {len(issued)} certificates and keys")
    _publish_kubeconfig(instance, layout)
    files = config.files(instance, pause_reference, config.snapshotter(layout.containerd, list(linux.mounts())))
    files["base-objects.json"] = objects.base_objects_json(instance, (layout.pki / "ca.crt").read_bytes())
    for name, content in files.items():
        (layout.config / name).parent.mkdir(exist_ok=True)
        (layout.config / name).write_text(content)
    (layout.config / config.CNI_PLUGIN).chmod(0o700)
    layout.supervisor_config.write_text(_dump(wanted))
    progress("starting the daemons")
    try:
        cgroups.create(cgroup_root(instance))
        cgroups.create(daemons_cgroup(cgroup_root(instance)))
        return _spawn(instance, layout)
    except (OSError, ClusterError) as error:
        leftovers.clear(instance)
        raise ClusterError(f"the cluster could not be started: {error}") from error


def _spawn(instance: Instance, layout: Layout) -> ProcessIdentity:
    """Start the supervisor, give it its network, and let it go on."""
    project = str(Path(local.__file__).resolve().parent.parent)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": project,
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
    }
    command = [
        sys.executable,
        "-m",
        "local.cluster.spawn",
        str(layout.supervisor_config),
        str(layout.log_file("supervisor")),
    ]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )
    with child:
        if child.stdin is None or child.stdout is None or child.stderr is None:
            raise ClusterError("the supervisor's pipes are missing")
        answer = child.stdout.readline().strip()
        if not answer:
            raise ClusterError((child.stderr.read().strip().splitlines() or ["no namespaces"])[-1])
        network.connect(instance, int(answer))
        supervisor = _await_identity(int(answer), layout)
        identity.write(layout.process, supervisor)
        child.stdin.write("go\n")
    return supervisor


def _await_identity(pid: int, layout: Layout) -> ProcessIdentity:
    waiting = readiness.patience()
    while (found := identity.facts(pid)) is not None:
        if identity.is_supervisor(found, layout.supervisor_config):
            return found.identity
        if waiting.look({"supervisor": (found, readiness.cpu_seconds(identity.PROC / str(pid)))}) is not None:
            break
        time.sleep(0.01)
    raise ClusterError(f"the supervisor did not come up: see {layout.log_file('supervisor')}", passing=True)


def _complete(
    spec: ClusterSpec, layout: Layout, supervisor: ProcessIdentity, archives: tuple[Path, ...], built: Archives,
    progress: Progress, stop: Stop | None,
) -> ClusterStatus:  # fmt: skip
    """Wait for the daemons, and meanwhile import images and apply objects."""

    def ready(name: str) -> Callable[[ClusterStatus], bool]:
        return lambda current: (found := current.daemon(name)) is not None and found.state is DaemonState.READY

    with Together() as work:
        if stop is not None:
            stop.calls(work.stop.ask)
        wait = partial(readiness.await_status, layout, supervisor, stop=work.stop)

        def bring_images() -> None:
            wait(ready("containerd"), readiness.patience())
            socket = _containerd_socket(supervisor)
            # The cluster's own pods wait for the first of them.
            for ask in (lambda: archives, built):
                imported = image_import.import_archives(spec.bin_dir / "ctr", socket, ask(), work.stop)
                if imported:
                    progress(f"imported {', '.join(imported)}")

        importing = work.start(bring_images)
        wait(ready(API_SERVER), readiness.patience())
        kubectl = spec.bin_dir / "kubectl"
        if objects.apply_crds(kubectl, spec.instance.kubeconfig, layout.kubectl_cache, spec.crds):
            progress(f"applied {len(spec.crds)} files of CRDs")
        current = wait(lambda found: found.ready, readiness.patience())
        if current.started_at is not None:
            name, began = spec.instance.name, current.started_at
            with kubernetes.connect(_REQUEST_SECONDS, spec.instance.kubeconfig) as api:
                readiness.await_node(api, layout, supervisor, name, began, readiness.patience(), work.stop)
        importing.result()
    return current


def _publish_kubeconfig(instance: Instance, layout: Layout) -> None:
    shutil.copyfile(layout.pki / "admin.kubeconfig", instance.kubeconfig)
    instance.kubeconfig.chmod(0o600)


def _containerd_socket(supervisor: ProcessIdentity) -> Path:
    return Path(f"/proc/{supervisor.pid}/root{CONTAINERD_SOCKET}")


def _stop(instance: Instance, supervisor: ProcessIdentity) -> None:
    # A pidfd names this very process: between the check and the signal its number cannot pass to another one.
    descriptor = os.pidfd_open(supervisor.pid)
    try:
        if identity.is_alive(supervisor):
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not _await_end(supervisor, STOP_SECONDS):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            if not _await_end(supervisor, 10):
                raise ClusterError(f"the supervisor (process {supervisor.pid}) does not end, not even by SIGKILL")
    finally:
        os.close(descriptor)
    leftovers.clear(instance)


def _await_end(supervisor: ProcessIdentity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while identity.is_alive(supervisor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
