"""Run the service that SERVICE_NAME names until SIGTERM."""

import os
import signal
import sys
import threading

from .app import App
from .config import ConfigError, load_config
from .services import SERVICES
from .services.sentiment import ModelError, load_model


def main() -> int:
    """Returns the exit code: 0 after a signal, 1 when the model cannot be loaded, 2 for wrong settings."""
    try:
        config = load_config(os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app = App(config)
    try:
        load_model(config.torch_device, config.model, config.crash_at_start)
    except ModelError as error:
        app.log.error("model loading failed", reason=str(error))  # noqa: TRY400
        return 1
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    SERVICES[config.service](app)
    app.start()
    ended.wait()
    app.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
