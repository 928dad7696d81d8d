"""Which process is the supervisor: proven by its own traits, never by a process id in a file alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

PROC = Path("/proc")
SUPERVISOR_MODULE = "local.cluster.supervisor"


class ProcessIdentity(BaseModel):
    """A process told apart from every other one: the id alone is reused, the start time and the namespace are not."""

    model_config = ConfigDict(frozen=True)

    pid: int
    start_ticks: int
    pid_namespace: int
    boot_id: str


@dataclass(frozen=True)
class ProcessFacts:
    """What /proc says about one process; ``argv`` is empty while the process becomes another program."""

    identity: ProcessIdentity
    argv: tuple[str, ...]
    innermost_pid: int


def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def facts(pid: int) -> ProcessFacts | None:
    """The traits of a live process; None where there is none (a zombie is none)."""
    folder = PROC / str(pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        argv = tuple(part.decode(errors="replace") for part in (folder / "cmdline").read_bytes().split(b"\0")[:-1])
        namespace = (folder / "ns/pid").stat().st_ino
        ns_pids = [line for line in (folder / "status").read_text().splitlines() if line.startswith("NSpid:")]
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    innermost = int(ns_pids[0].split()[-1]) if ns_pids else pid
    identity = ProcessIdentity(pid=pid, start_ticks=int(fields[19]), pid_namespace=namespace, boot_id=boot_id())
    return ProcessFacts(identity, argv, innermost)


def is_supervisor(found: ProcessFacts, config_file: Path) -> bool:
    """Whether the process is PID 1 of a PID namespace of its own and runs the supervisor with this very config file."""
    own_namespace = (PROC / "self/ns/pid").stat().st_ino
    return (
        found.innermost_pid == 1
        and found.identity.pid_namespace != own_namespace
        and found.argv[-3:] == ("-m", SUPERVISOR_MODULE, str(config_file))
    )


def find_supervisor(pid_file: Path, config_file: Path) -> ProcessIdentity | None:
    """The running supervisor of this config file.

    The pid file is a hint that is checked; where it is missing, stale or tampered with, all processes are looked at.
    """
    recorded = read(pid_file)
    if recorded is not None and recorded.boot_id == boot_id():
        found = facts(recorded.pid)
        if found is not None and found.identity == recorded and is_supervisor(found, config_file):
            return recorded
    for found in all_facts():
        if is_supervisor(found, config_file):
            return found.identity
    return None


def all_facts() -> Iterator[ProcessFacts]:
    """The traits of every process that can be looked at."""
    for folder in PROC.iterdir():
        found = facts(int(folder.name)) if folder.name.isdigit() else None
        if found is not None:
            yield found


def is_alive(identity: ProcessIdentity) -> bool:
    found = facts(identity.pid)
    return found is not None and found.identity == identity


def members(identity: ProcessIdentity) -> list[ProcessFacts]:
    """Every process of the supervisor's PID namespace, itself included (containers have namespaces of their own)."""
    return [found for found in all_facts() if found.identity.pid_namespace == identity.pid_namespace]


def is_ending(recorded: ProcessIdentity) -> bool:
    """Whether processes of an ended supervisor's namespace are still there: the kernel needs a moment to end them all.

    A record that names this process's own namespace, or another boot, is no record of a supervisor.
    """
    own_namespace = (PROC / "self/ns/pid").stat().st_ino
    if recorded.boot_id != boot_id() or recorded.pid_namespace == own_namespace:
        return False
    return bool(members(recorded))


def write(path: Path, identity: ProcessIdentity) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(identity.model_dump_json() + "\n")
    temporary.replace(path)


def read(path: Path) -> ProcessIdentity | None:
    """The recorded identity; None where the file is missing or damaged."""
    try:
        return ProcessIdentity.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
