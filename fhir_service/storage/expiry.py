"""What time has ended is removed, some of it with every grant and login."""

from sqlalchemy import Column, Table, bindparam, delete, select

from fhir_service.storage.accounts import login_session
from fhir_service.storage.authorizations import (
    access_token,
    authorization,
    authorization_code,
    refresh_token,
)
from fhir_service.storage.engine import Transaction
from fhir_service.storage.launches import authorization_request, launch
from fhir_service.storage.rate_buckets import rate_bucket
from fhir_service.storage.registrations import client_assertion
from fhir_service.storage.statement import Statement

PURGE_ROWS = 100
"""Expired rows that one write removes at most, so that none has to wait for long."""


def _purge(table: Table, expiry: Column[int]) -> Statement:
    [key] = table.primary_key.columns
    expired = select(key).where(expiry <= bindparam("now")).limit(PURGE_ROWS)
    return Statement(delete(table).where(key.in_(expired)))


_PURGES = tuple(
    _purge(table, table.c[expiry])
    for table, expiry in (
        (access_token, "expires"),
        (refresh_token, "expires"),
        (authorization_code, "forgotten"),
        (authorization, "expires"),
        (authorization_request, "expires"),
        (launch, "expires"),
        (client_assertion, "expires"),
        (login_session, "expires"),
        (rate_bucket, "full_at"),
    )
)


def purge_expired(transaction: Transaction, now: int) -> None:
    """Remove some of what time has ended; every grant and login calls it."""
    for purge in _PURGES:
        transaction.run(purge, now=now)
