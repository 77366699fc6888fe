"""Databases for a while: made on a server that allows it, and emptied again."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import delete
from sqlalchemy.engine import make_url

from fhir_service.storage.engine import Transaction
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import (
    SHARED,
    audit_entry,
    audit_head,
    counter,
    deployment_fact,
    metadata,
    patient,
)

_DRIVER = "postgresql+psycopg"

_KEPT = frozenset({audit_entry, audit_head, counter, deployment_fact, patient})
_EMPTY = (
    *(Statement(delete(one)) for one in metadata.sorted_tables if one not in _KEPT),
    Statement(delete(patient).where(patient.c.patient_key != SHARED)),
)


def empty(transaction: Transaction) -> None:
    """Remove every patient and every resource; numbers are not given again."""
    for statement in _EMPTY:
        transaction.run(statement)


_numbers = itertools.count(1)


@contextmanager
def scratch_database(server: str) -> Iterator[str]:
    """Make a database, yield its URL, and drop it.

    Args:
        server: URL of any database on the server.

    """
    url = make_url(server).set(drivername=_DRIVER)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    name = sql.Identifier(database := f"fhir_scratch_{os.getpid()}_{next(_numbers)}")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    try:
        yield url.set(database=database).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name)
            )
