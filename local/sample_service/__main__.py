"""Run the service that SERVICE_NAME names until SIGTERM; with `migrate`, make the schema and end."""

import os
import signal
import sys
import threading

from .app import App
from .config import ConfigError, load_config, load_database_config
from .errors import DependencyError
from .migrations import migrate
from .services import SERVICES
from .services.sentiment import ModelError, load_model


def main() -> int:
    """Returns the exit code: 0 after a signal, 1 when model or schema cannot be had, 2 for wrong settings."""
    try:
        if sys.argv[1:] == ["migrate"]:
            return _migrate()
        config = load_config(os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app = App(config)
    try:
        load_model(config.torch_device, config.model, config.crash_at_start)
    except ModelError as error:
        app.log.error("model loading failed", reason=str(error))  # noqa: TRY400 - the reason says all
        return 1
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    SERVICES[config.service](app)
    app.start()
    ended.wait()
    app.end()
    return 0


def _migrate() -> int:
    try:
        migrate(load_database_config(os.environ))
    except DependencyError as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
