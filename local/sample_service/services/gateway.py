"""api-gateway: the public side; asks the other services and checks tokens."""

from collections.abc import Callable
from typing import Any, Final

from ..app import App
from ..downstream import call
from ..errors import DependencyError, HttpError
from ..server import Request, Response
from ..tokens import Tokens

# Without users and prices there is no dashboard; the other two only enrich it.
_NEEDED: Final = {"user-service": True, "market-data-service": True, "analytics": False, "sentiment": False}
_PARTS: Final = {
    "prices": ("market-data-service", "/prices"),
    "analytics": ("analytics", "/analytics"),
    "sentiment": ("sentiment", "/sentiment"),
}


def gateway(app: App) -> None:
    """Add the service to `app`."""
    service = _Gateway(app)
    app.router.add("GET", "/api/dashboard", service.dashboard)
    app.router.add("GET", "/api/prices/{coin}", service.price)
    app.router.add("POST", "/api/users", service.register)
    app.router.add("POST", "/api/login", service.login)
    app.router.add("GET", "/api/me", service.me)
    app.health.watch("jwt-secret", service.tokens.check, app.workers)
    for name, needed in _NEEDED.items():
        app.health.watch(name, service.check_of(name), app.workers, needed=needed)


class _Gateway:
    def __init__(self, app: App) -> None:
        self._urls = app.config.downstream
        self.tokens = Tokens(app.config.jwt_secret_file, app.config.jwt_previous_secret_file)

    def check_of(self, name: str) -> Callable[[], None]:
        def check() -> None:
            self._call(name, "/health")

        return check

    def dashboard(self, _request: Request) -> Response:
        answer: dict[str, object] = {}
        absent: list[str] = []
        for part, (service, path) in _PARTS.items():
            try:
                answer[part] = self._call(service, path)
            except DependencyError:
                if _NEEDED[service]:
                    raise
                answer[part] = None
                absent.append(part)
        return Response({**answer, "absent": absent})

    def price(self, request: Request) -> Response:
        return Response(self._call("market-data-service", f"/prices/{request.params['coin']}"))

    def register(self, request: Request) -> Response:
        return Response(self._call("user-service", "/users", request.json()), 201)

    def login(self, request: Request) -> Response:
        return Response(self._call("user-service", "/tokens", request.json()))

    def me(self, request: Request) -> Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise HttpError(401, "send Authorization: Bearer TOKEN")
        return Response(self._call("user-service", f"/users/{self.tokens.verify(token)}"))

    def _call(self, service: str, path: str, body: object = None) -> Any:
        return call(service, self._urls[service], path, body)
