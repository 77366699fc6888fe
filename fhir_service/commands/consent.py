"""`fhir-service consent show|explain`: what a patient agreed to, and what it does.

Both are audited before they print. Neither prints a value of a measurement.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from consent.capture import ENFORCED
from consent.contents import partial_codings
from consent.decision import Reason
from consent.facets import Facets
from consent.lint import LISTS, PERIODS
from consent.outline import Provision, provisions
from consent.provisions import ParsedConsent, read_bytes
from fhir_service.access import CONSENTS_OF_ONE_PATIENT, Decided, reading
from fhir_service.auth import local
from fhir_service.auth.bearer import Grant
from fhir_service.auth.scopes import Filters
from fhir_service.deployment import opened
from fhir_service.exchange import Services
from fhir_service.rest.instant import fhir_instant
from fhir_service.settings import Settings
from fhir_service.storage import resources, tallies, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import Signature

Json = dict[str, Any]


def show(settings: Settings, *, patient: str, as_json: bool) -> None:
    """Print every consent of a patient, provision by provision, with its faults.

    Raises:
        FHIRError: `not-found` for an unknown patient.

    """
    with opened(settings) as deployment:
        services = deployment.services
        with services.database.read() as snapshot:
            state = local.patient(snapshot, patient)
            stored = resources.of_patient(
                snapshot,
                state.key,
                types.number_of("Consent"),
                after=0,
                count=CONSENTS_OF_ONE_PATIENT,
            )
            shown = [
                _shown(services, state, services.repository.body(snapshot, one))
                for one in stored
                if not one.deleted
            ]
            leaf = _leaf(
                services,
                snapshot,
                state,
                interaction=Interaction.READ,
                request=f"consent show Patient/{state.id}",
                disclosed=[one.seq for one in stored],
            )
        services.database.log([leaf]).result()
    if as_json:
        click.echo(fhir_json.pretty(shown).decode())
    else:
        click.echo("\n".join(_consent_lines(shown, state)))


def _leaf(  # noqa: PLR0913 - what one row of the log says
    services: Services,
    snapshot: Snapshot,
    state: PatientState,
    *,
    interaction: Interaction,
    request: str,
    disclosed: list[int],
) -> bytes:
    return encode(
        AuditRecord(
            time_us=services.clock(),
            interaction=interaction,
            outcome=Outcome.ALLOWED,
            request=request,
            resource_type="Consent",
            user=local.user(),
            client=local.COMMAND_LINE,
            patients=(services.pseudonym(state.id),),
            disclosed=disclosed,
        ),
        seal=services.seal.sealer(snapshot, state.key),
    )


def _shown(services: Services, state: PatientState, body: bytes) -> Json:
    consent = fhir_json.loads_object(body)
    parsed = read_bytes(
        body,
        reference=f"Consent/{consent['id']}",
        patient=f"Patient/{state.id}",
        deployment=services.repository.deployment,
    )
    return {
        "consent": parsed.reference,
        "version": parsed.version,
        "status": consent.get("status"),
        "scope": parsed.scope.value,
        "dateTime": consent.get("dateTime"),
        "inForce": _is_in_force(parsed, services.clock()),
        "isDeterminate": parsed.root is not None and ENFORCED.covers(parsed),
        "provisions": [_provision(one) for one in provisions(consent)],
        "alerts": [
            {"place": issue.expression, "sentence": issue.diagnostics}
            for issue in parsed.alerts
        ],
    }


def _is_in_force(parsed: ParsedConsent, at_us: int) -> bool:
    return (
        parsed.is_active
        and (parsed.from_us is None or parsed.from_us <= at_us)
        and parsed.period.contains(at_us)
    )


def _provision(provision: Provision) -> Json:
    """Return a provision with each of its elements as words."""
    node = provision.node
    told: Json = {
        "path": provision.path,
        "type": provision.kind.value if provision.kind else None,
    }
    told |= {name: node[name] for name in PERIODS if name in node}
    told |= {name: list(_words(name, node[name])) for name in LISTS if name in node}
    return told


def _words(name: str, entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if name == "actor":
            role = _codes(entry.get("role"))
            yield f"{role} {_target(entry)}".strip()
        elif name == "data":
            yield f"{entry.get('meaning', '')} {_target(entry)}".strip()
        else:
            yield _codes(entry if "coding" in entry else {"coding": [entry]})


def _codes(concept: object) -> str:
    return " ".join(
        "|".join(part for part in coding if part) for coding in partial_codings(concept)
    )


def _target(entry: Mapping[str, Any]) -> str:
    reference = entry.get("reference") or {}
    identifier = reference.get("identifier") or {}
    parts = (identifier.get("system"), identifier.get("value"))
    return reference.get("reference") or "|".join(part for part in parts if part)


def _consent_lines(shown: list[Json], state: PatientState) -> Iterator[str]:
    if not shown:
        yield f"Patient/{state.id} has no consent: nothing is collected or released."
    for one in shown:
        force = "in force" if one["inForce"] else "not in force"
        yield (
            f"{one['consent']} version {one['version']}: {one['status']}, "
            f"{one['scope']}, of {one['dateTime']}, {force}"
        )
        if not one["isDeterminate"]:
            yield "  It is indeterminate, which denies everything."
        for provision in one["provisions"]:
            yield f"  {provision['path']}: {provision['type'] or 'no type'}"
            yield from _element_lines(provision)
        for alert in one["alerts"]:
            yield f"  ! {alert['place']}: {alert['sentence']}"


def _element_lines(provision: Json) -> Iterator[str]:
    for name in PERIODS:
        if name in provision:
            period = provision[name]
            start, end = period.get("start", "ever"), period.get("end", "ever")
            yield f"    {name}: {start} to {end}"
    for name in LISTS:
        if name in provision:
            words = provision[name]
            more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
            yield f"    {name}: {'; '.join(words[:SHOWN])}{more}"


SHOWN = 6
"""Entries of one element that the listing for people shows."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One question: what may this client see of this patient in this snapshot."""

    services: Services
    snapshot: Snapshot
    grant: Grant
    state: PatientState

    def view(self, type_: str) -> Decided:
        return self.services.gate.view(self.snapshot, self.grant, self.state, type_)

    def scopes(self, type_: str) -> tuple[Filters, ...] | None:
        """Return the filters under which a scope lets the type be read, if one does."""
        scopes = self.grant.scopes
        return scopes.allows(type_, "read") or scopes.allows(type_, "search-type")

    def why(self, decided: Decided, stored: Stored) -> Json:
        """Return whether the view holds a version, and the reasons of consent."""
        gate = self.services.gate
        held = gate.permits(self.snapshot, decided, stored, ((),))
        reasons = gate.reasons(self.snapshot, self.grant, stored)
        return {"permitted": held, "because": [_reason(reason) for reason in reasons]}


def explain(
    settings: Settings,
    *,
    patient: str,
    client_id: str,
    resource: str | None = None,
    as_json: bool,
) -> None:
    """Print what a client would get of a patient now, and which provision says so.

    Raises:
        FHIRError: `not-found` for an unknown patient, client, or resource of the
            patient.

    """
    with opened(settings) as deployment:
        services = deployment.services
        with services.database.read() as snapshot:
            asked = _Asked(
                services=services,
                snapshot=snapshot,
                grant=local.registered(snapshot, client_id),
                state=local.patient(snapshot, patient),
            )
            told = _asked(asked) | (
                {"types": list(_types(asked))}
                if resource is None
                else {"resource": _one(asked, resource)}
            )
            leaf = _leaf(
                services,
                snapshot,
                asked.state,
                interaction=Interaction.CONSENT_DECISION,
                request=f"consent explain {client_id} {resource or ''}".strip(),
                disclosed=[],
            )
        services.database.log([leaf]).result()
    if as_json:
        click.echo(fhir_json.pretty(told).decode())
    else:
        click.echo("\n".join(_lines(told)))


def _asked(asked: _Asked) -> Json:
    grant = asked.grant
    return {
        "patient": f"Patient/{asked.state.id}",
        "client": grant.client_id,
        "organization": grant.organization,
        "purposes": list(grant.purposes),
        "actions": list(reading(grant, asked.state)),
        "at": fhir_instant(asked.services.clock()),
    }


def _one(asked: _Asked, resource: str) -> Json:
    type_, _, id_ = resource.partition("/")
    stored = _stored(asked, type_, id_)
    scopes = asked.scopes(type_)
    facets = _facets(asked, stored)
    return {
        "resource": resource,
        "inScope": scopes is not None and _admits(scopes, facets),
        **asked.why(asked.view(type_), stored),
    }


def _facets(asked: _Asked, stored: Stored) -> Facets:
    signatures = asked.services.repository.signatures.of(asked.snapshot, asked.state)
    return next(one.facets for one in signatures if one.id == stored.signature_id)


def _stored(asked: _Asked, type_: str, id_: str) -> Stored:
    try:
        stored = asked.services.repository.read(asked.snapshot, type_, id_)
    except KeyError:
        stored = None
    if stored is None or stored.patient_key != asked.state.key or stored.deleted:
        raise FHIRError(
            IssueType.NOT_FOUND,
            f"There is no {type_[:64]}/{id_[:64]} of Patient/{asked.state.id}.",
        )
    return stored


def _types(asked: _Asked) -> Iterator[Json]:
    rows = tallies.of_patient(asked.snapshot, asked.state.key)
    signatures = asked.services.repository.signatures.of(asked.snapshot, asked.state)
    by_type: dict[str, list[Signature]] = {}
    for one in signatures:
        if rows.get(one.id):
            by_type.setdefault(types.name_of(one.type_id), []).append(one)
    for type_, ones in sorted(by_type.items()):
        scopes, decided = asked.scopes(type_), asked.view(type_)
        told = [_signature(asked, decided, scopes, one, rows[one.id]) for one in ones]
        yield {
            "type": type_,
            "inScope": scopes is not None,
            "rows": sum(one["rows"] for one in told),
            "permitted": sum(one["permitted"] for one in told if one["inScope"]),
            "signatures": told,
        }


def _signature(
    asked: _Asked,
    decided: Decided,
    scopes: tuple[Filters, ...] | None,
    signature: Signature,
    rows: int,
) -> Json:
    facets = signature.facets
    tally = tallies.of_signature(asked.snapshot, decided.view, signature.id, rows)
    examples = [resources.current(asked.snapshot, row) for row in tally.examples]
    return {
        "code": sorted("|".join(coding) for coding in facets.codes.principal),
        "category": sorted(code for _, code in facets.codes.categories),
        "confidentiality": facets.labels.level,
        "sensitivity": sorted(facets.labels.sensitivities),
        "device": facets.origin.device,
        "rows": tally.rows,
        "inScope": scopes is not None and _admits(scopes, facets),
        "permitted": tally.permitted,
        "why": [asked.why(decided, one) for one in examples if one is not None],
    }


def _admits(scopes: tuple[Filters, ...], facets: Facets) -> bool:
    """Whether a scope lets rows of these facets through its category filters."""
    return any(
        all((one.system, one.code) in facets.codes.categories for one in filters)
        for filters in scopes
    )


def _reason(reason: Reason) -> Json:
    version = f"/_history/{reason.version}" if reason.version else ""
    told = {
        "kind": reason.because.value,
        "name": f"{reason.name}{version}" if reason.name else None,
        "path": reason.path,
        "purpose": reason.purpose[1] if reason.purpose else None,
        "action": reason.action,
    }
    return {name: value for name, value in told.items() if value is not None}


def _lines(told: Json) -> Iterator[str]:
    purposes = ", ".join(told["purposes"]) or "no purpose"
    yield (
        f"{told['client']} for {told['organization'] or 'no organization'}, "
        f"{purposes}, {' and '.join(told['actions'])} of {told['patient']}:"
    )
    if "resource" in told:
        yield from _resource_lines(told["resource"])
    for one in told.get("types", ()):
        scope = "" if one["inScope"] else ", which no scope of the client covers"
        yield f"{one['type']}: {one['permitted']} of {one['rows']}{scope}"
        for signature in one["signatures"]:
            yield from _signature_lines(signature)


def _resource_lines(one: Json) -> Iterator[str]:
    scope = "a scope covers it" if one["inScope"] else "no scope covers it"
    yield f"{one['resource']}: {_verdict(one)}; {scope}"
    yield from _why_lines(one)


def _signature_lines(signature: Json) -> Iterator[str]:
    what = " ".join(signature["code"]) or "no code"
    labels = " ".join([signature["confidentiality"] or "-", *signature["sensitivity"]])
    device = signature["device"] or "no device"
    scope = "" if signature["inScope"] else " (outside the scopes)"
    yield (
        f"  {signature['permitted']} of {signature['rows']}  {what}  {labels}  "
        f"{device}{scope}"
    )
    for one in signature["why"]:
        yield f"    {_verdict(one)}"
        yield from _why_lines(one)


def _verdict(one: Json) -> str:
    return "permitted" if one["permitted"] else "withheld"


def _why_lines(one: Json) -> Iterator[str]:
    for reason in one["because"]:
        words = (reason.get(name) for name in ("kind", "name", "path"))
        question = " ".join(
            reason[name] for name in ("purpose", "action") if name in reason
        )
        yield f"      {' '.join(word for word in words if word)} [{question}]"
