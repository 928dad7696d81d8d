"""What `make up` says last: what runs, how to look at it, what to try."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.settings import NAMESPACE


def summary(cluster: str, aws: str, state: Path, pods: int, seconds: float, platform: Mapping[str, str]) -> str:
    """Lines of at most 80 columns; ``platform`` has the addresses of its servers, by what a person calls them."""
    minutes, rest = divmod(int(seconds), 60)
    servers = "".join(f"  {name:<17}{url}\n" for name, url in platform.items())
    return f"""
The system runs: {pods} pods in namespace {NAMESPACE}, ready after {minutes} min {rest} s.

  Kubernetes       {cluster}
  AWS endpoint     {aws}
{servers}  State            {state}

Put its tools into this shell, then look around:

  eval "$(make -s env)"
  kubectl get pods,hpa,cronjobs -n {NAMESPACE}
  pulumi preview -s local --policy-pack policies
  ops health

Try a backup and bring it back:

  kubectl create job -n {NAMESPACE} --from=cronjob/backup-postgres b1
  kubectl wait -n {NAMESPACE} --for=condition=Complete job/b1 --timeout=5m
  ops backups list
  ops restore postgres --yes

`make down` stops it and keeps its data; `make clean` drops the data too.
"""
