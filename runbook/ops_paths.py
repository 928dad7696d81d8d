"""Where the operations program finds its settings: those who mount, read and judge them must agree."""

from __future__ import annotations

from typing import Final

CONFIG_PATH: Final = "/etc/ops/config.json"
# The ConfigMap's key, and the file's name.
CONFIG_FILE: Final = CONFIG_PATH.rsplit("/", 1)[1]
