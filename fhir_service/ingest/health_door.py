"""`GET /device-data/health`: the facts about a patient's devices, for programs.

Audited as a search of Devices, with the versions on which the answer rests.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, Issue, IssueType
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange
from fhir_service.ingest.device_health import SECOND_US, Evidence
from fhir_service.ingest.health_listing import DeviceHealth, listing
from fhir_service.interactions.pages import Found
from fhir_service.interactions.search import Parts, account, obligations
from fhir_service.rest.instant import fhir_instant
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import parameters
from fhir_service.search.reference import patient_id
from fhir_service.storage.device_states import DeviceState

_OWN = frozenset({"patient", "_format", "_pretty"})

_JSON = ("content-type", "application/json; charset=utf-8")


def health(exchange: Exchange) -> Response:
    """Return the health of a patient's devices.

    Raises:
        FHIRError: `required` where no patient is named, `invalid` for several or for
            another parameter, and `forbidden` where no scope covers Devices.

    """
    exchange.resource_type = "Device"
    services = exchange.services
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
        require(grant, "Device", "search-type")
        id_ = named_patient(exchange, asked(exchange, _OWN))
        found = listing(services, snapshot, grant, id_, exchange.now_us)
        page = Found(rows=[(0, one) for one in found.versions], asked_of=found.decided)
        account(exchange, snapshot, page, None)
        told = obligations(exchange, snapshot, page, Parts(entries=tuple(found.bodies)))
    body = as_json(id_, found.devices, exchange.now_us, told)
    return Response(status=200, headers=(_JSON,), body=fhir_json.dumps(body))


def asked(exchange: Exchange, names: frozenset[str]) -> Mapping[str, str]:
    """Return the parameters of a request, each at most once.

    Raises:
        FHIRError: `invalid` for one that is not among `names` or is given twice.

    """
    found: dict[str, str] = {}
    for name, value in parameters(exchange.request):
        if name not in names or name in found:
            raise FHIRError(
                IssueType.INVALID,
                f"There is no parameter {name[:64]!r} here, or it is given twice; "
                f"there are {', '.join(sorted(names))}.",
            )
        found[name] = value
    return found


def named_patient(exchange: Exchange, given: Mapping[str, str]) -> str:
    """Return the id of the Patient that the parameters name.

    Raises:
        FHIRError: `required` for none, `invalid` for what is none.

    """
    if "patient" not in given:
        raise FHIRError(
            IssueType.REQUIRED, "The request names its patient: add patient=ID."
        )
    return patient_id(given["patient"], "patient", exchange.services.base_url)


def as_json(
    patient: str,
    devices: Sequence[DeviceHealth],
    now_us: int,
    told: Sequence[Issue] = (),
) -> dict[str, Any]:
    """Return a listing for programs."""
    listed: dict[str, Any] = {
        "patient": f"Patient/{patient}",
        "at": fhir_instant(now_us),
        "devices": [_device_json(one) for one in devices],
    }
    if told:
        listed["notices"] = [issue.diagnostics for issue in told]
    return listed


def _device_json(one: DeviceHealth) -> dict[str, Any]:
    device = {"device": one.reference, "name": one.name}
    return {
        **{name: value for name, value in device.items() if value},
        **({} if one.state is None else dict(_state_json(one.state))),
        "facts": [
            {
                "fact": fact.name.value,
                "since": fhir_instant(fact.since_us),
                "evidence": [_evidence_json(part) for part in fact.evidence],
            }
            for fact in one.facts
        ],
    }


def _state_json(state: DeviceState) -> Iterator[tuple[str, Any]]:
    yield "source", state.source
    if state.last_taken is not None:
        yield "lastReading", fhir_instant(state.last_taken)
    if state.last_received != state.last_taken:
        yield "lastDelivery", fhir_instant(state.last_received)
    if state.usual_gap is not None:
        yield "usualGapSeconds", state.usual_gap // SECOND_US
    if state.battery is not None:
        told = Evidence("battery", state.battery.at_us, state.battery.value, "%")
        yield "battery", _evidence_json(told)
    if state.worn is not None:
        yield (
            "worn",
            {"value": bool(state.worn.value), "at": fhir_instant(state.worn.at_us)},
        )


def _evidence_json(one: Evidence) -> dict[str, Any]:
    told: dict[str, Any] = {"what": one.what}
    if one.value is not None:
        told |= {"value": one.value, "unit": one.unit}
    if one.at_us is not None:
        told["at"] = fhir_instant(one.at_us)
    return told
