"""The schema of the five services, made by its owner: `python -m sample_service migrate`."""

from typing import Final

import psycopg

from .config import DatabaseConfig
from .database import connect
from .errors import DependencyError, first_line

_APPLICATION: Final = "migrations"
_SCHEMA_LOCK: Final = 7_300_515
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS users (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS prices (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        coin_id text NOT NULL,
        price numeric(20, 8) NOT NULL CHECK (price > 0),
        timestamp timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS sentiment (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        coin_id text NOT NULL,
        score double precision NOT NULL CHECK (score BETWEEN -1 AND 1),
        text text NOT NULL,
        timestamp timestamptz NOT NULL DEFAULT now())""",
)


def migrate(config: DatabaseConfig) -> None:
    """Create what is missing; two that start together take turns.

    Raises:
        DependencyError: the server does not answer, or refuses a statement.
    """
    try:
        with connect(config, _APPLICATION) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            for statement in _SCHEMA:
                connection.execute(statement)
    except psycopg.Error as error:
        raise DependencyError("database", first_line(error)) from error
