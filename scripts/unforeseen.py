"""What nothing in this program writes on purpose: its own defects, warnings of Python, logs of libraries."""

from __future__ import annotations

import logging

from scripts import log, output
from scripts.exits import Exit


def report(command: str, error: Exception, *, as_json: bool) -> None:
    """Log a defect, and report that the command ended with it.

    A traceback has lines of data in it; where it happened is enough to find the defect.
    """
    log.error("unexpected error", kind=type(error).__name__, where=_where(error))
    message = f"unexpected {type(error).__name__}: {error}; this is a defect of ops"
    output.report_error(command, Exit.DEFECT, message, as_json=as_json)


def listen() -> None:
    """Have ``log`` write what libraries log and what Python warns of."""
    root = logging.getLogger()
    if not any(isinstance(handler, _Handler) for handler in root.handlers):
        root.addHandler(_Handler(logging.WARNING))
    logging.captureWarnings(capture=True)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.warning(record.getMessage(), logger=record.name)


def _where(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}"
