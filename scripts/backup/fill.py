"""pg_restore fed by the stored object, which is checked once more on the way.

The rows come as one stream. What stands before and after them, such as tables and indexes, comes from the archive's
list: so schemas come first, then extensions in the version that was saved, and indexes several at once. A stand-in
restores what may run code of an owner, in runs of entries that follow one another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from scripts import lazy, log
from scripts.backup import stand_in, toc
from scripts.backup.entries import Entry
from scripts.backup.postgres_model import Extension
from scripts.backup.stand_in import Cast, StandIn
from scripts.backup.toc import Archive
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.postgres import Access
from scripts.exits import CheckFailedError, OpsError, UsageError

# Nothing of the fresh database is needed before the swap, whose commit makes all of it durable at once.
_OPTIONS: Final = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
# Indexes that are built at once, each with workers of the server's own.
_JOBS: Final = 2
# pg_restore has row_security off else: a query that a policy filters is then an error.
_POLICIES: Final = "--enable-row-security"
_GRANTOR: Final = re.compile(rb"SET SESSION AUTHORIZATION (.+);\n")
_REFUSED: Final = re.compile(r"permission denied|must be (owner|superuser|member|able)|only superuser")


def fill(
    archive: Archive, access: Access, database: str, extensions: tuple[Extension, ...], cast: Cast
) -> tuple[str, ...]:
    """Restore the archive into ``database``; what a person must know of it, one line each.

    The first error of pg_restore ends it, but that of a query of a materialized view: its rows are those of others.

    Raises:
        CheckFailedError: the content is not the manifest's, or pg_restore refuses something.
        UsageError: the server does not have an extension, or an object needs a superuser and may run code of its owner.
        TemporaryError: the server or the bucket went away.
    """
    filling = _Filling(archive, access, database, cast)
    before, data, after = (archive.section(name) for name in ("pre-data", "data", "post-data"))
    filling.entries(None, [entry for entry in before if entry.is_schema])
    _extend(access, database, extensions)
    taken_back = filling.allow()
    grantors = () if cast.bare else tuple(filling.grantors())
    lent = filling.let_in(grantors)
    filling.runs([entry for entry in before if not entry.is_schema])
    filling.allow()
    # Later releases of pg_dump have large objects themselves beside their content.
    filling.entries(None, [entry for entry in data if cast.of(entry) is None and not entry.is_said_of_another])
    filling.rows(data)
    # What indexes, foreign keys and materialized views read must be readable as it was. Rights of schemas come at the
    # end, because owners need more to make what follows.
    filling.entries(None, [entry for entry in archive.entries if entry.is_right and not entry.is_right_of_schema])
    filling.allow()
    log.info("the rows are in; building indexes and constraints", database=database)
    jobs = f"--jobs={_JOBS}"
    filling.runs([entry for entry in after if not entry.is_refresh and not entry.is_event_trigger], jobs)
    notes = filling.refresh([entry for entry in after if entry.is_refresh], jobs)
    filling.settle(taken_back)
    # Rights once more, now that every object has its owner; those of schemas last, for grantors must come in.
    lent = (*lent, *filling.let_in(grantors))
    said = [entry for entry in archive.entries if entry.is_said_of_another]
    of_schemas = [entry for entry in said if entry.is_right_of_schema]
    filling.entries(None, [entry for entry in said if not (entry.is_said_of_event_trigger or entry.is_right_of_schema)])
    filling.take_back(lent)
    filling.entries(None, of_schemas)
    filling.runs([entry for entry in after if entry.is_event_trigger], allows=False)
    filling.entries(None, [entry for entry in said if entry.is_said_of_event_trigger])
    return notes


@dataclass(frozen=True, slots=True)
class _Filling:
    archive: Archive
    access: Access
    database: str
    cast: Cast

    def runs(self, entries: Iterable[Entry], *options: str, allows: bool = True) -> None:
        """Restore entries in their order, each by the one that may.

        ``allows`` says that stand-ins use what a superuser makes.
        """
        for (who, kept), run in groupby(_with_rights(entries, self.cast), self._maker):
            self.entries(who, list(run), *options, *([] if kept else ["--no-owner"]))
            if who is None and allows:
                # Types and functions have their rights already, and those who made them have stand-ins.
                self.allow()

    def refresh(self, entries: list[Entry], jobs: str) -> tuple[str, ...]:
        """Populate materialized views; those whose query fails are named and stay empty.

        Their owners' queries are subject to policies, as every refresh of these owners is.
        """
        try:
            self.runs(entries, jobs, _POLICIES)
        except (CheckFailedError, UsageError):
            return tuple(self._refresh_alone(entries))
        return ()

    def _refresh_alone(self, entries: list[Entry]) -> Iterator[str]:
        for entry in entries:
            try:
                self.runs([entry], _POLICIES)
            except (CheckFailedError, UsageError) as error:
                label = entry.label(self.cast.roles)
                log.warning("a materialized view is not populated", view=label, reason=str(error))
                yield f"materialized view {label} is not populated, its query fails: {error}"

    def _maker(self, entry: Entry) -> tuple[StandIn | None, bool]:
        """Who makes an entry, and whether it gets its owner: some kinds must be a superuser's, and stay its maker's."""
        owner = entry.owner(self.cast.roles)
        return self.cast.of(entry), not (entry.must_be_superusers and owner not in self.cast.present_superusers)

    def entries(self, who: StandIn | None, entries: list[Entry], *options: str) -> None:
        """Restore entries as a stand-in, or as superuser (None)."""
        if not entries:
            return
        with (
            self._login(who) as login,
            toc.chosen(entries) as (chosen, listed),
            self.archive.reading([*self._arguments(who), chosen, *options], (login[0], (*login[1], listed))) as child,
        ):
            self._await(child)

    def rows(self, entries: Iterable[Entry]) -> None:
        """Restore the rows, the content of large objects and the counters of sequences from the stream."""
        who = self.cast.common
        content = [entry for entry in entries if self.cast.of(entry) is not None]
        with (
            self._login(who) as (environment, descriptors),
            toc.chosen(content) as (chosen, listed),
            Child(
                [self.archive.program.path, *self._arguments(who), chosen],
                environment,
                (*descriptors, listed),
                feeds=True,
            ) as child,
        ):
            log.info("restore started", database=self.database, pg_restore=self.archive.program.version, pid=child.pid)
            blocks = self.archive.stream()
            _feed(child, blocks)
            self._await(child)
            # pg_restore stops after the last entry that it needs; the rest must be what was saved all the same.
            for _ in blocks:
                pass

    def allow(self) -> tuple[lazy.sql.Composed, ...]:
        """Give the stand-ins what they need of what is there."""
        with self._session() as session:
            return stand_in.allow(session, self.cast)

    def grantors(self) -> Iterator[str]:
        """The roles that gave rights on, as the archive writes them: their grants are made in their name."""
        seen = set[str]()
        with toc.chosen(entry for entry in self.archive.entries if entry.is_right) as (chosen, listed):
            for line in toc.lines(self.archive.script([chosen, *self.archive.options], listed)):
                if (match := _GRANTOR.fullmatch(line)) and (name := match[1].decode(self.archive.codec)) not in seen:
                    seen.add(name)
                    yield name

    def let_in(self, grantors: Collection[str]) -> tuple[lazy.sql.Composed, ...]:
        """Let ``grantors`` into every schema; the statements that take it back."""
        if not grantors:
            return ()
        with self._session() as session:
            return stand_in.let_in(session, grantors)

    def take_back(self, lent: Collection[lazy.sql.Composed]) -> None:
        """Run the statements that take back what was lent."""
        if lent:
            with self._session() as session:
                for statement in lent:
                    session.execute(statement)

    def settle(self, taken_back: Iterable[lazy.sql.Composed]) -> None:
        """Give the objects to their owners."""
        with self._session() as session:
            stand_in.settle(session, self.cast, taken_back)

    @contextmanager
    def _session(self) -> Generator[lazy.psycopg.Connection]:
        doing = f"rights in {self.database}"
        with postgres.connect(self.access, self.database, application="ops restore", doing=doing) as session:
            yield session

    @contextmanager
    def _login(self, who: StandIn | None) -> Generator[tuple[dict[str, str], tuple[int, ...]]]:
        access = self.access if who is None else who.access
        with postgres.child_login(access, self.database, "ops restore pg_restore") as (environment, descriptors):
            yield {**environment, "PGOPTIONS": f"{environment.get('PGOPTIONS', '')} {_OPTIONS}".strip()}, descriptors

    def _arguments(self, who: StandIn | None) -> list[str]:
        # Subscriptions are made by ``properties``: pg_dump gives them to superusers alone, with their secrets.
        arguments = ["--format=custom", "--exit-on-error", "--no-password", "--no-subscriptions", *self.archive.options]
        if self.cast.bare:
            arguments += ["--no-owner", "--no-privileges"]
        elif who is not None and who.owner is not None:
            arguments.append("--no-owner")
        # As a connection string, for pg_restore takes a name with a `=` in it for one.
        quoted = re.sub(r"([\\'])", r"\\\1", self.database)
        return [*arguments, f"--dbname=dbname='{quoted}'"]

    def _await(self, child: Child) -> None:
        code, stderr = child.wait()
        if code != 0:
            raise _error(code, stderr, self.database)


def _error(code: int, stderr: str, database: str) -> OpsError:
    error = postgres.child_error("pg_restore", code, stderr, database)
    if code < 0 or not _REFUSED.search(stderr):
        return error
    return UsageError(
        f"{error}; ops gives a superuser's rights to nothing that may run code of an owner: have a superuser own the "
        "object, or drop it, and back up again"
    )


def _with_rights(entries: Iterable[Entry], cast: Cast) -> Iterator[Entry]:
    """The entries without what is said of them, but the rights of those that a superuser makes.

    Until a function of a superuser has its rights, every role may call it.
    """
    superusers = False
    for entry in entries:
        if not entry.is_said_of_another:
            superusers = cast.of(entry) is None
            yield entry
        elif superusers and entry.is_right:
            yield entry


def _extend(access: Access, database: str, extensions: tuple[Extension, ...]) -> None:
    """Create the extensions in the versions that were saved, where the server has them: an archive names none."""
    with postgres.connect(access, database, application="ops restore", doing=f"extensions of {database}") as session:
        there = {str(row[0]) for row in session.execute("SELECT extname FROM pg_extension").fetchall()}
        query = "SELECT name, version FROM pg_available_extension_versions"
        available = {(str(name), str(version)) for name, version in session.execute(query).fetchall()}
        names = {name for name, _ in available}
        for extension in extensions:
            if extension.name not in names:
                raise UsageError(
                    f"extension {extension.name} {extension.version} is not installed on the server at "
                    f"{access.address}; install its package there, then run again"
                )
            if extension.name in there or (extension.name, extension.version) not in available:
                continue
            statement = lazy.sql.SQL("CREATE EXTENSION {} VERSION {}").format(
                lazy.sql.Identifier(extension.name), extension.version
            )
            # One that is missing now is made by the extension itself.
            if session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (extension.schema_name,)).fetchone():
                statement += lazy.sql.SQL(" SCHEMA {}").format(lazy.sql.Identifier(extension.schema_name))
            session.execute(statement)


def _feed(child: Child, blocks: Iterator[bytes]) -> None:
    """Write ``blocks`` to the child until they end or it stops reading."""
    try:
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[child.pipe.write(view) or 0 :]
        child.pipe.close()
    except BrokenPipeError:
        return
