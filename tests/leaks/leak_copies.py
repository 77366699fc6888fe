"""Worlds that were filled once, copied as often as a test needs a fresh one."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from leak_script import filled
from leak_worlds import Pair, Side, new_side, opened_side
from psycopg import sql
from worlds import Headers

_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Original:
    """A world that was filled and closed.

    Attributes:
        folder: Its data folder.
        url: Its database; None where it is in the folder.
        clients: The headers of each client.
        ids: The moment of each name.
        us: What its clock said in the end.

    """

    folder: Path
    url: str | None
    clients: dict[str, Headers]
    ids: dict[str, int]
    us: int


@dataclass(kw_only=True)
class Copies:
    """Fills worlds in a folder, and copies them.

    Attributes:
        folder: For the data folders.
        template: A data folder whose keys all worlds have.
        server: A PostgreSQL server; None for SQLite.
        originals: What was filled so far, by what is hidden in it.

    """

    folder: Path
    template: Path
    server: str | None
    originals: dict[tuple[str, ...], Original] = field(default_factory=dict)

    def pair(self, stack: ExitStack, *hiding: str) -> Pair:
        """Return fresh twins; they are closed with the stack."""
        whole = stack.enter_context(self.copied(*hiding))
        bare = stack.enter_context(self.copied())
        return Pair(whole=whole, bare=bare)

    @contextmanager
    def copied(self, *hiding: str) -> Iterator[Side]:
        """Yield a fresh copy of a world with what some varieties hide."""
        original = self._original(hiding)
        folder = self.folder / f"copy-{next(_numbers)}"
        shutil.copytree(original.folder, folder)
        url = self._database(original.url)
        try:
            with opened_side(folder, url, **_FAST) as side:
                side.clients = dict(original.clients)
                side.ids = dict(original.ids)
                side.world.clock.us = original.us
                yield side
        finally:
            shutil.rmtree(folder)
            self._drop(url)

    def _original(self, hiding: tuple[str, ...]) -> Original:
        if hiding not in self.originals:
            folder, url = self.folder / "-".join(("of", *hiding)), self._database(None)
            with new_side(folder, self.template, url, **_FAST) as side:
                filled(side, hiding)
                self.originals[hiding] = Original(
                    folder=folder,
                    url=url,
                    clients=side.clients,
                    ids=side.ids,
                    us=side.world.clock(),
                )
        return self.originals[hiding]

    def _database(self, like: str | None) -> str | None:
        """Make a database, empty or like another; return its URL."""
        if self.server is None:
            return None
        name = f"leaks_{os.getpid()}_{next(_numbers)}"
        template = "template1" if like is None else like.rpartition("/")[2]
        self._run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return f"{self.server.rpartition('/')[0]}/{name}"

    def _drop(self, url: str | None) -> None:
        if url is not None:
            self._run(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(
                    sql.Identifier(url.rpartition("/")[2])
                )
            )

    def _run(self, statement: sql.Composed) -> None:
        plain = str(self.server).replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(statement)


_FAST = {"FHIR_SERVICE_AUDIT_WAIT": "not-awaited"}
"""Nothing here asks whether audit rows are durable when a response leaves."""
