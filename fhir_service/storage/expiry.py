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


PURGE_GRANTS = 32
"""Grants after which a purge is due: far fewer than the rows that one removes."""

PURGE_EVERY_US = 1_000_000


class Purge:
    """Removes what time has ended, some of the times that it is called.

    Every grant calls it, in the one thread that writes. It works once a second, or
    once in `PURGE_GRANTS` grants where they come faster.
    """

    def __init__(self) -> None:
        self._last = 0
        self._grants = 0

    def __call__(self, transaction: Transaction, now: int) -> None:
        """Remove some of what had expired by `now`, if that is due."""
        self._grants += 1
        if self._grants >= PURGE_GRANTS or now - self._last >= PURGE_EVERY_US:
            self._last, self._grants = now, 0
            purge_expired(transaction, now)


def purge_expired(transaction: Transaction, now: int) -> None:
    """Remove some of what time has ended; every login calls it."""
    for purge in _PURGES:
        transaction.run(purge, now=now)
