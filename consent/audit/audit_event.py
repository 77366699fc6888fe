"""AuditEvent resources from records, to IHE's Basic Audit Log Patterns.

One event a patient: an event about several patients would tell each of them of the
others. A profile is claimed only where its required elements are there; a failed
request, a batch or an erased request is recorded without a claim.

https://profiles.ihe.net/ITI/BALP/ · https://hl7.org/fhir/R4/auditevent.html
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import quote

from consent.audit.entry import AuditRecord, BasisKind, Interaction, Outcome

BASE = "https://fhir-interop-service.org/fhir"
INTERACTION_SYSTEM = f"{BASE}/CodeSystem/audit-interaction"
"""Our own words for what no standard code names."""

PSEUDONYM_SYSTEM = f"{BASE}/sid/audit-pseudonym"
"""Identifiers of patients whose Patient resource is gone."""

PROFILE = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_REST = "http://hl7.org/fhir/restful-interaction"
_BALP = "https://profiles.ihe.net/ITI/BALP/CodeSystem"
_JTI = "urn:ietf:params:oauth:jti:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Coding(NamedTuple):
    """A code with its system and display."""

    system: str
    code: str
    display: str = ""

    def json(self) -> dict[str, str]:
        """Return the Coding."""
        members = {"system": self.system, "code": self.code}
        return {**members, "display": self.display} if self.display else members


class _Roles(NamedTuple):
    """What client, server and user are in an event."""

    client: Coding
    server: Coding
    user: Coding


class _Pattern(NamedTuple):
    """How an interaction is recorded.

    Attributes:
        type: `AuditEvent.type`.
        subtypes: `AuditEvent.subtype`.
        action: C, R, U, D or E.
        roles: Types of the agents.
        profile: Name of the BALP profile for one data object, without `Patient`.
        is_query: Whether the request itself is the object.

    """

    type: Coding
    subtypes: tuple[Coding, ...]
    action: str
    roles: _Roles
    profile: str = ""
    is_query: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """Who wrote the log.

    Attributes:
        site: Name of the host.
        observer: Reference to the Device that stands for the service.
        address: FHIR base URL.

    """

    site: str
    observer: str
    address: str


_APPLICATION = Coding(_DCM, "110150", "Application")
_DESTINATION = Coding(_DCM, "110152", "Destination Role ID")
_SOURCE = Coding(_DCM, "110153", "Source Role ID")
_PARTICIPATION = f"{_TERMINOLOGY}/v3-ParticipationType"
_AUTHOR = Coding(_PARTICIPATION, "AUT", "author (originator)")
_RECIPIENT = Coding(_PARTICIPATION, "IRCP", "information recipient")
_KEEPER = Coding(
    f"{_TERMINOLOGY}/provenance-participant-type", "custodian", "Custodian"
)
_AUTHORIZER = Coding(
    f"{_TERMINOLOGY}/extra-security-role-type", "authserver", "authorization server"
)
_PROVIDER = Coding(f"{_TERMINOLOGY}/v3-RoleClass", "PROV", "healthcare provider")

_WRITE = _Roles(_SOURCE, _DESTINATION, _AUTHOR)
_READ = _Roles(_DESTINATION, _SOURCE, _RECIPIENT)
_QUERY = _Roles(_SOURCE, _DESTINATION, _RECIPIENT)
_DELETE = _Roles(_APPLICATION, _KEEPER, _AUTHOR)
_DECISION = _Roles(_APPLICATION, _AUTHORIZER, _RECIPIENT)

_RESTFUL = Coding(f"{_TERMINOLOGY}/audit-event-type", "rest", "Restful Operation")
_ACTIVITY = Coding(_DCM, "110100", "Application Activity")
_LOG_USED = Coding(_DCM, "110101", "Audit Log Used")
_EXPORT = Coding(_DCM, "110106", "Export")
_IMPORT = Coding(_DCM, "110107", "Import")
_PATIENT_RECORD = Coding(_DCM, "110110", "Patient Record")
_ALERT = Coding(_DCM, "110113", "Security Alert")
_AUTHENTICATION = Coding(_DCM, "110114", "User Authentication")

_CLOSED = "AuthZconsent"
"""The profile that admits no entities but patient, consents and token."""

_DECISION_SUBTYPE = Coding(f"{_BALP}/AuthZsubType", "AuthZ-Consent")
_DESTROY = Coding(
    f"{_TERMINOLOGY}/iso-21089-lifecycle",
    "destroy",
    "Destroy/Delete Record Lifecycle Event",
)
_TOKEN_ISSUED = Coding("urn:ihe:event-type-code", "ITI-71", "Get Access Token")


def _rest(
    code: str, action: str, roles: _Roles, profile: str = "", *, is_query: bool = False
) -> _Pattern:
    subtypes = (Coding(_REST, code, code),)
    return _Pattern(_RESTFUL, subtypes, action, roles, profile, is_query)


def _own(type_: Coding, code: str, action: str, roles: _Roles) -> _Pattern:
    """Return a pattern whose subtype only we have a word for."""
    return _Pattern(type_, (Coding(INTERACTION_SYSTEM, code),), action, roles)


def _security(code: str, display: str) -> _Pattern:
    return _Pattern(_ALERT, (Coding(_DCM, code, display),), "E", _DECISION)


def _activity(type_: Coding, code: str, display: str) -> _Pattern:
    return _Pattern(type_, (Coding(_DCM, code, display),), "E", _DECISION)


PATTERNS = {
    Interaction.READ: _rest("read", "R", _READ, "Read"),
    Interaction.VREAD: _rest("vread", "R", _READ, "Read"),
    Interaction.HISTORY: _rest("history", "R", _READ, is_query=True),
    Interaction.SEARCH: _rest("search", "E", _QUERY, "Query", is_query=True),
    Interaction.CREATE: _rest("create", "C", _WRITE, "Create"),
    Interaction.UPDATE: _rest("update", "U", _WRITE, "Update"),
    Interaction.PATCH: _rest("patch", "U", _WRITE, "Update"),
    Interaction.DELETE: _rest("delete", "D", _DELETE, "Delete"),
    Interaction.BATCH: _rest("batch", "E", _WRITE),
    Interaction.TRANSACTION: _rest("transaction", "E", _WRITE),
    Interaction.OPERATION: _rest("operation", "E", _QUERY, is_query=True),
    Interaction.CAPABILITIES: _rest("capabilities", "R", _READ),
    Interaction.INGEST: _own(_IMPORT, "ingest", "C", _WRITE),
    Interaction.IMPORT: _own(_IMPORT, "import", "C", _WRITE),
    Interaction.EXPORT: _own(_EXPORT, "export", "R", _READ),
    Interaction.DELIVERY: _own(_EXPORT, "delivery", "R", _READ),
    Interaction.LOGIN: _activity(_AUTHENTICATION, "110122", "Login"),
    Interaction.LOGOUT: _activity(_AUTHENTICATION, "110123", "Logout"),
    Interaction.TOKEN: _Pattern(_AUTHENTICATION, (_TOKEN_ISSUED,), "E", _DECISION),
    Interaction.INTROSPECT: _own(_AUTHENTICATION, "introspect", "E", _DECISION),
    Interaction.REVOKE: _own(_AUTHENTICATION, "revoke", "E", _DECISION),
    Interaction.REGISTER: _own(_ALERT, "register", "E", _DECISION),
    Interaction.CONSENT_CHANGE: _security(
        "110135", "Object Security Attributes Changed"
    ),
    Interaction.CONSENT_DECISION: _Pattern(
        _ALERT, (_DECISION_SUBTYPE,), "E", _DECISION, _CLOSED
    ),
    Interaction.BREAK_GLASS: _security("110127", "Emergency Override Started"),
    Interaction.CONFIG: _security("110131", "Software Configuration"),
    Interaction.KEY_ROTATION: _security("110129", "Security Configuration"),
    Interaction.USER_CHANGE: _security("110137", "User Security Attributes Changed"),
    Interaction.AUDIT_READ: _Pattern(_LOG_USED, (), "R", _READ, is_query=True),
    Interaction.ERASURE: _Pattern(_PATIENT_RECORD, (_DESTROY,), "D", _DELETE),
    Interaction.RETENTION: _Pattern(_PATIENT_RECORD, (_DESTROY,), "D", _DELETE),
    Interaction.START: _activity(_ACTIVITY, "110120", "Application Start"),
    Interaction.STOP: _activity(_ACTIVITY, "110121", "Application Stop"),
    Interaction.UNKNOWN: _own(_RESTFUL, "unknown", "E", _QUERY),
}

_OBJECT_TYPE = f"{_TERMINOLOGY}/audit-entity-type"
_OBJECT_ROLE = f"{_TERMINOLOGY}/object-role"
_PERSON = Coding(_OBJECT_TYPE, "1", "Person").json()
_SYSTEM_OBJECT = Coding(_OBJECT_TYPE, "2", "System Object").json()
_PATIENT_ROLE = Coding(_OBJECT_ROLE, "1", "Patient").json()
_RESOURCE_ROLE = Coding(_OBJECT_ROLE, "4", "Domain Resource").json()
_JOB_ROLE = Coding(_OBJECT_ROLE, "20", "Job").json()
_QUERY_ROLE = Coding(_OBJECT_ROLE, "24", "Query").json()
_OBJECT = {"type": _SYSTEM_OBJECT, "role": _RESOURCE_ROLE}
_CONSENT_TYPE = Coding("http://hl7.org/fhir/resource-types", "Consent").json()
_REQUEST_ID_TYPE = Coding(f"{_BALP}/BasicAuditEntityType", "XrequestId").json()
_SERVER_TYPE = Coding(
    f"{_TERMINOLOGY}/security-source-type", "4", "Application Server"
).json()

_SUCCESS, _MINOR, _SERIOUS = "0", "4", "8"
_SERVER_ERRORS = 500
"""Statuses from here on are the service's own failures."""


def render(
    record: AuditRecord,
    *,
    id: str,  # noqa: A002 - FHIR's name
    service: Service,
    patient: str | bytes | None = None,
    data: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the AuditEvent of one record for one patient.

    Args:
        record: What happened.
        id: Logical id of the resource.
        service: Who wrote the log.
        patient: Reference to the Patient; the pseudonym where the Patient was
            erased; None for an event about nobody.
        data: References, with versions, to the resources of this patient that were
            read or written; for a query the query itself stands for its results.

    """
    pattern = PATTERNS[record.interaction]
    outcome = _outcome(record)
    entities = list(_entities(record, pattern, patient, data))
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": id,
        "meta": {"versionId": "1", "lastUpdated": _instant(record.time_us)},
        "type": pattern.type.json(),
        "subtype": [coding.json() for coding in pattern.subtypes],
        "action": pattern.action,
        "recorded": _instant(record.time_us),
        "outcome": outcome,
        "outcomeDesc": record.reason if outcome != _SUCCESS else "",
        "purposeOfEvent": [
            {"coding": [Coding(f"{_TERMINOLOGY}/v3-ActReason", code).json()]}
            for code in record.purposes
        ],
        "agent": list(_agents(record, pattern.roles, service)),
        "source": {
            "site": service.site,
            "observer": {"reference": service.observer},
            "type": [_SERVER_TYPE],
        },
        "entity": entities,
    }
    profile = _profile(pattern, record, entities, outcome)
    if profile:
        event["meta"]["profile"] = [PROFILE + profile]
    return {name: value for name, value in event.items() if value}


def _instant(time_us: int) -> str:
    instant = _EPOCH + timedelta(microseconds=time_us)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _outcome(record: AuditRecord) -> str:
    if record.outcome is Outcome.ALLOWED:
        return _SUCCESS
    if record.outcome is Outcome.DENIED or record.status >= _SERVER_ERRORS:
        return _SERIOUS
    return _MINOR


def _agents(
    record: AuditRecord, roles: _Roles, service: Service
) -> Iterator[dict[str, Any]]:
    """Yield client, server, user and organisation, as far as they are known."""
    policies = list(_policies(record))
    if record.client or record.address:
        client = _agent(roles.client, _who(record.client or record.address))
        if record.address:
            client["network"] = _network(record.address)
        if policies and not record.user:
            client["policy"] = policies
        yield client
    server = _agent(roles.server, {"reference": service.observer})
    server["network"] = {"address": service.address, "type": "5"}
    if roles.server is _AUTHORIZER:
        del server["network"]
    yield server
    if record.user:
        user = _agent(roles.user, _who(record.user), requestor=True)
        if policies:
            user["policy"] = policies
        yield user
    if record.organisation:
        yield _agent(_PROVIDER, _who(record.organisation))


def _agent(
    role: Coding, who: dict[str, Any], *, requestor: bool = False
) -> dict[str, Any]:
    return {"type": {"coding": [role.json()]}, "who": who, "requestor": requestor}


def _who(name: str) -> dict[str, Any]:
    if "/" in name and not name.startswith("urn:"):
        return {"reference": name}
    return {"identifier": {"value": name}}


def _network(address: str) -> dict[str, str]:
    """Return the address with its type: 2 an IP address, 1 the name of a machine."""
    try:
        ip_address(address)
    except ValueError:
        return {"address": address, "type": "1"}
    return {"address": address, "type": "2"}


_NO_POLICIES = frozenset({BasisKind.CONSENT, BasisKind.INPUTS})
"""Grounds that are an entity of their own, and those that only repeat all others."""


def _policies(record: AuditRecord) -> Iterator[str]:
    """Yield the token and the grounds that are no consent, as URIs."""
    if record.token:
        yield _JTI + record.token.hex()
    for basis in record.basis:
        if basis.kind not in _NO_POLICIES:
            yield f"{BASE}/policy/{basis.kind}/{quote(basis.name, safe='')}"


def _entities(
    record: AuditRecord,
    pattern: _Pattern,
    patient: str | bytes | None,
    data: Sequence[str],
) -> Iterator[dict[str, Any]]:
    if pattern.is_query:
        yield from _query(record)
    else:
        yield from ({**_OBJECT, "what": {"reference": one}} for one in data)
    if patient is not None:
        yield {"type": _PERSON, "role": _PATIENT_ROLE, "what": _patient(patient)}
    for basis in record.basis:
        if basis.kind is BasisKind.CONSENT:
            yield _consent(basis.name, basis.path)
    if pattern.profile != _CLOSED:
        yield from _circumstances(record)


def _circumstances(record: AuditRecord) -> Iterator[dict[str, Any]]:
    """Yield the receipt's numbers and the identifier of the request."""
    if record.counts:
        yield {
            "type": _SYSTEM_OBJECT,
            "role": _JOB_ROLE,
            "detail": [
                {"type": name, "valueString": str(number)}
                for name, number in record.counts
            ],
        }
    if record.request_id:
        what = {"identifier": {"value": record.request_id}}
        yield {"type": _REQUEST_ID_TYPE, "what": what}


def _query(record: AuditRecord) -> Iterator[dict[str, Any]]:
    if record.request:
        encoded = base64.b64encode(record.request.encode()).decode()
        yield {
            "type": _SYSTEM_OBJECT,
            "role": _QUERY_ROLE,
            "description": record.request,
            "query": encoded,
        }


def _patient(patient: str | bytes) -> dict[str, Any]:
    if isinstance(patient, str):
        return {"reference": patient}
    return {
        "type": "Patient",
        "identifier": {"system": PSEUDONYM_SYSTEM, "value": patient.hex()},
    }


def _consent(name: str, path: str) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "type": _CONSENT_TYPE,
        "what": {"reference": f"Consent/{name}"},
    }
    if path:
        entity["detail"] = [{"type": "path", "valueString": path}]
    return entity


def _profile(
    pattern: _Pattern,
    record: AuditRecord,
    entities: Sequence[dict[str, Any]],
    outcome: str,
) -> str:
    """Return the profile whose required elements are all there; empty else."""
    has_patient = any(entity["type"] is _PERSON for entity in entities)
    if not pattern.profile or not record.address:
        return ""  # every profile wants the client's network address
    if pattern.profile == _CLOSED:
        consents = any(entity["type"] is _CONSENT_TYPE for entity in entities)
        named = bool(record.user and record.organisation)
        return pattern.profile if has_patient and consents and named else ""
    role = _QUERY_ROLE if pattern.is_query else _RESOURCE_ROLE
    objects = sum(entity.get("role") is role for entity in entities)
    if outcome != _SUCCESS or objects != 1:
        return ""
    return f"Patient{pattern.profile}" if has_patient else pattern.profile
