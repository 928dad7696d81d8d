"""The last step of a pod's network (a chained CNI plugin): no container starts before the pod's rules are in force.

It records the pod's address and waits until the daemon of the network policies says that its rules hold it. Run by
containerd for each pod, as a file and with nothing but Python's own library, so that it takes few milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, cast

ADD_SECONDS = 30.0
DELETE_SECONDS = 2.0
RETRY_SECONDS = 0.1
# The specification's code for "try again later".
TRY_AGAIN = 11
VERSIONS = ["0.4.0", "1.0.0"]

Document = dict[str, Any]


def await_rules(listener: str, container: str, seconds: float) -> bool:
    """Whether, in time, the rules agree with what is recorded of the container; the daemon may just be starting."""
    deadline = time.monotonic() + seconds
    while True:
        left = max(RETRY_SECONDS, deadline - time.monotonic())
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(left)
                connection.connect(listener)
                connection.sendall(f"{container}\n".encode())
                if connection.recv(16) == b"ok\n":
                    return True
        except OSError:
            pass
        if time.monotonic() >= deadline:
            return False
        time.sleep(RETRY_SECONDS)


def add(config: Document, container: str, arguments: dict[str, str]) -> Document:
    """Record the pod's address and return the result of the plugins before. Raises TimeoutError."""
    result = cast("Document", config["prevResult"])
    record = {
        "uid": arguments["K8S_POD_UID"],
        "address": str(result["ips"][0]["address"]).partition("/")[0],
    }
    folder = Path(config["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    # The daemon reads names without a dot only: never half a file.
    temporary = folder / f".{container}"
    temporary.write_text(json.dumps(record))
    temporary.replace(folder / container)
    if not await_rules(config["socket"], container, ADD_SECONDS):
        raise TimeoutError(f"no network policies are in force for the pod after {ADD_SECONDS:g} s")
    return result


def delete(config: Document, container: str) -> None:
    """Forget the address; rules that stay a moment longer hold nobody, so nothing here fails."""
    (Path(config["folder"]) / container).unlink(missing_ok=True)
    await_rules(config["socket"], container, DELETE_SECONDS)


def main() -> int:
    command, container = os.environ["CNI_COMMAND"], os.environ.get("CNI_CONTAINERID", "")
    config = cast("Document", json.load(sys.stdin))
    if command == "VERSION":
        print(json.dumps({"cniVersion": VERSIONS[-1], "supportedVersions": VERSIONS}))
    elif command == "DEL":
        delete(config, container)
    elif command == "ADD":
        arguments = dict(part.split("=", 1) for part in os.environ.get("CNI_ARGS", "").split(";") if "=" in part)
        try:
            print(json.dumps(add(config, container, arguments)))
        except (OSError, KeyError) as error:
            print(json.dumps({"cniVersion": config["cniVersion"], "code": TRY_AGAIN, "msg": str(error)}))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
