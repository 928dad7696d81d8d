"""Errors that become HTTP answers."""


class HttpError(Exception):
    """Answered to the caller with `status` and the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class DependencyError(HttpError):
    """A system that the service needs does not answer: 503."""

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(503, f"{dependency}: {reason}")
        self.dependency = dependency


def first_line(error: BaseException) -> str:
    """The error's first line, for logs and health details."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
