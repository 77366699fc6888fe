"""Batch: every entry by itself, as if it had come alone, one after the other.

An entry that fails fails alone; each has its own authorization, its own consents and
its own audit row. A reference from one to another is not resolved (§3.1.0.11.1).

https://hl7.org/fhir/R4/http.html#brules
"""

from collections.abc import Mapping, Sequence
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service.exchange import Exchange, answer, resource_response
from fhir_service.interactions.bundles.answers import of_reply
from fhir_service.interactions.bundles.entries import Entry, read_entry
from fhir_service.interactions.bundles.parts import Find, Shown, part, told_at
from fhir_service.interactions.bundles.patch import patch_in_binary
from fhir_service.rest.bundle_response import Answered, response_bundle
from fhir_service.rest.content import FHIR_JSON, JSON_PATCH
from fhir_service.rest.message import Response, Ticket


def batch(exchange: Exchange, raw: Sequence[Mapping[str, Any]], find: Find) -> Response:
    """Return what each entry is answered, in their order.

    Args:
        exchange: The request; authenticated.
        raw: The entries, of a valid frame.
        find: Finds what answers a request.

    """
    exchange.interaction = Interaction.BATCH
    answers: list[Answered] = []
    tickets: list[Ticket] = []
    shown = Shown()
    for index, entry in enumerate(raw):
        reply, answered = _one(exchange, entry, index, find, shown)
        tickets += reply.tickets
        answers.append(shown.add(answered))
    whole = resource_response(response_bundle("batch-response", answers))
    return Response(
        status=whole.status,
        headers=whole.headers,
        body=whole.body,
        tickets=tuple(tickets),
    )


def _one(
    exchange: Exchange, raw: Mapping[str, Any], index: int, find: Find, shown: Shown
) -> tuple[Response, Answered]:
    try:
        entry = read_entry(
            raw, index, exchange.services.repository.deployment.own_bases
        )
        body, type_ = _body(entry)
    except FHIRError as error:
        return _unread(exchange, error)

    def handle(inner: Exchange) -> Response:
        with told_at(entry):
            shown.refuse_more()
            inner.interaction, handler = find(inner.request)
            return handler(inner)

    reply = answer(part(exchange, entry, body=body, type_=type_), handle)
    return reply, of_reply(exchange, entry, reply)


def _unread(exchange: Exchange, error: FHIRError) -> tuple[Response, Answered]:
    """Return the answer to an entry that asks for nothing that can be asked."""

    def refuse(_inner: Exchange) -> Response:
        raise error

    unread = Exchange(
        services=exchange.services,
        request=exchange.request,
        now_us=exchange.now_us,
        interaction=Interaction.UNKNOWN,
        grant=exchange.grant,
    )
    reply = answer(unread, refuse)
    return reply, Answered(status=reply.status, outcome=reply.body)


def _body(entry: Entry) -> tuple[bytes, str]:
    """Return the body of an entry's request, and its content type."""
    if entry.resource is None:
        return b"", FHIR_JSON
    if entry.method != "PATCH":
        return fhir_json.dumps(entry.resource), FHIR_JSON
    with told_at(entry):
        return patch_in_binary(entry.resource), JSON_PATCH[0]
