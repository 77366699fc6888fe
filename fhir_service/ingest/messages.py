"""MQTT messages on their way in: gathered, told apart by source, stored together.

A list of messages goes through the same arrival as a payload at the device door. What
makes it fail although the database answers is looked for by halving, and kept alone in
quarantine; while the database does not answer, nothing is given up.
"""

import queue
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from conformance import fhir_json
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest import sources
from fhir_service.ingest.arrival import Arrival, arrive
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.logs import describe
from mappings.measurement import Reason, Refusal

MAX_MESSAGES = 1_000
"""Messages that are stored together at most."""

MAX_BYTES = 4 * 1024 * 1024
"""Of the payloads of messages that are stored together, but for a single one."""

GATHER_S = 0.05
"""Seconds for which the first message waits for others at most."""

IDLE_S = 0.5
"""Seconds after which a wait for messages ends, so that stopping is quick."""

_log = structlog.get_logger()


class Message(NamedTuple):
    """One message as the broker sent it.

    Attributes:
        source: How it is read.
        topic: Where it was published.
        payload: Its bytes.
        received_us: When it came, microseconds since 1970.
        is_retained: Whether the broker repeats an old one to a new subscriber.
        number: What acknowledges it; 0 where it needs none.
        key: What its repetition is known by; empty where it is never repeated.

    """

    source: str
    topic: str
    payload: bytes
    received_us: int
    is_retained: bool
    number: int
    key: bytes


class UnavailableError(Exception):
    """Messages cannot be stored now: they are kept and tried again."""


@dataclass(frozen=True, kw_only=True)
class Storing:
    """Where messages go, and for whom.

    Attributes:
        services: Where they are stored.
        client_id: The registered client for whom they are delivered.
        gateway: The broker, as Provenance names it.

    """

    services: Services
    client_id: str
    gateway: str

    def store(self, messages: Sequence[Message]) -> None:
        """Store messages, or keep what cannot be understood in quarantine.

        Raises:
            UnavailableError: where nothing can be stored now, or the client may not
                deliver.

        """
        grant = self._grant()
        for source, of_source in _by_source(messages).items():
            if source not in grant.sources:
                raise UnavailableError("The client does not speak for the source.")
            self._store(grant, source, of_source)

    def _grant(self) -> Grant:
        """Return what the client may do now, so that a removal holds at once."""
        try:
            with self.services.database.read() as snapshot:
                grant = local.registered(snapshot, self.client_id)
        except Exception as error:
            raise UnavailableError("The client cannot be looked up.") from error
        if grant.scopes.allows("Observation", "create") is None:
            raise UnavailableError("The client's scopes do not allow it.")
        return grant

    def _store(self, grant: Grant, source: str, messages: Sequence[Message]) -> None:
        try:
            arrive(self.services, self._arrival(grant, source, messages))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost
            self._check_database(error)
            if len(messages) > 1:
                middle = len(messages) // 2
                self._store(grant, source, messages[:middle])
                self._store(grant, source, messages[middle:])
            else:
                _log.error("failed", source=source, **describe(error))
                self._quarantine(grant, source, messages[0])

    def _check_database(self, error: Exception) -> None:
        """Tell a fault of a message from one of the database.

        Raises:
            UnavailableError: where the database does not take a transaction.

        """
        try:
            self.services.database.write(lambda _: None)
        except Exception:  # noqa: BLE001 - likewise
            raise UnavailableError("The database does not answer.") from error

    def _arrival(
        self, grant: Grant, source: str, messages: Sequence[Message]
    ) -> Arrival:
        return Arrival(
            source=source,
            body=fhir_json.dumps([envelope(one) for one in messages]),
            grant=grant,
            origin=_origin(source),
            received_us=messages[-1].received_us,
            gateway=self.gateway,
        )

    def _quarantine(self, grant: Grant, source: str, message: Message) -> None:
        """Keep a message that breaks its parser, sealed, and account for it."""
        detail = "The message cannot be read."
        refusal = Refusal("$", Reason.MALFORMED, None, detail, envelope(message))
        try:
            delivery = self._delivery(grant, source, message)
            take(self.services, delivery, _origin(source), [refusal])
        except Exception as error:
            raise UnavailableError("The message cannot be kept.") from error

    def _delivery(self, grant: Grant, source: str, message: Message) -> Delivery:
        with self.services.database.read() as snapshot:
            vendor = sources.find(snapshot, source)
        if vendor is None:
            raise UnavailableError("There is no such source here.")
        return Delivery(
            source=source,
            parser=vendor.parser,
            identifier_system=vendor.system,
            is_registered=vendor.is_registered,
            patient_id=None,
            grant=grant,
            payload_sha256=None,
            received_us=message.received_us,
            gateway=self.gateway,
        )


def _origin(source: str) -> Origin:
    return Origin(
        interaction=Interaction.INGEST,
        request=f"mqtt {source}",
        request_id=secrets.token_hex(8),
    )


def _by_source(messages: Sequence[Message]) -> Mapping[str, list[Message]]:
    found: dict[str, list[Message]] = {}
    for message in messages:
        found.setdefault(message.source, []).append(message)
    return found


def envelope(message: Message) -> dict[str, object]:
    """Return a message as the parsers take it; its payload stays a text.

    So a payload that is not JSON spoils no other one.
    """
    return {
        "topic": message.topic,
        "payload": message.payload.decode("utf-8", "backslashreplace"),
        "received_at": _written(message.received_us),
        "retain": message.is_retained,
    }


def _written(us: int) -> str:
    """Return an instant with its microseconds: messages come faster than one a ms."""
    seconds, rest_us = divmod(us, 1_000_000)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return (
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest_us:06}Z"
    )


def gathered(waiting: "queue.SimpleQueue[Message]") -> list[Message]:
    """Return messages to be stored together; none where none came for a while."""
    return list(_gathered(waiting))


def _gathered(waiting: "queue.SimpleQueue[Message]") -> Iterator[Message]:
    """Yield what waits, and what comes within `GATHER_S` of the first."""
    size, count, wait_s = 0, 0, IDLE_S
    end = 0.0
    while count < MAX_MESSAGES and size < MAX_BYTES:
        try:
            message = waiting.get(timeout=wait_s)
        except queue.Empty:
            return
        now = time.monotonic()
        end = end or now + GATHER_S
        wait_s = max(end - now, 0.0)
        count, size = count + 1, size + len(message.payload)
        yield message
