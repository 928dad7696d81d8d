"""user-service: registers users, answers who they are, signs their tokens."""

import secrets
from typing import Any

from prometheus_client import Counter

from ..app import App
from ..database import Database
from ..errors import HttpError
from ..server import Request, Response
from ..tokens import Tokens


def users(app: App) -> None:
    """Add the service to `app`."""
    service = _Users(app)
    app.router.add("GET", "/users/{id}", service.show)
    app.router.add("POST", "/users", service.create)
    app.router.add("POST", "/tokens", service.token)
    app.health.watch("jwt-secret", service.tokens.check, app.workers)
    app.workers.every(app.config.work_interval, "registration", service.register_somebody)


class _Users:
    def __init__(self, app: App) -> None:
        self._database: Database = app.database()
        self.tokens = Tokens(app.config.jwt_secret_file, app.config.jwt_previous_secret_file)
        self._registered = Counter("users_registered_total", "Users registered.", registry=app.metrics)

    def show(self, request: Request) -> Response:
        number = request.params["id"]
        if not number.isdecimal() or len(number) > 18:
            raise HttpError(400, f"user id {number!r}: give a whole number")
        with self._database.transaction() as connection:
            row = connection.execute("SELECT id, email, created_at FROM users WHERE id = %s", (int(number),)).fetchone()
        if row is None:
            raise HttpError(404, f"no user {number}")
        return Response({"id": row[0], "email": row[1], "created_at": row[2]})

    def create(self, request: Request) -> Response:
        return Response({"id": self._register(_email_of(request.json()))}, 201)

    def token(self, request: Request) -> Response:
        email = _email_of(request.json())
        with self._database.transaction() as connection:
            row = connection.execute("SELECT id FROM users WHERE email = %s", (email,)).fetchone()
        if row is None:
            raise HttpError(401, "no such user")
        return Response({"token": self.tokens.sign(str(row[0]))})

    def register_somebody(self) -> None:
        self._register(f"user-{secrets.token_hex(8)}@example.com")

    def _register(self, email: str) -> int:
        with self._database.transaction() as connection:
            row = connection.execute(
                "INSERT INTO users (email) VALUES (%s) ON CONFLICT (email) DO NOTHING RETURNING id", (email,)
            ).fetchone()
        if row is None:
            raise HttpError(409, "this email is registered already")
        self._registered.inc()
        return int(row[0])


def _email_of(body: Any) -> str:
    email = body.get("email") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(email, str) or "@" not in email or len(email) > 254:
        raise HttpError(400, 'give {"email": "name@domain"}')
    return email
