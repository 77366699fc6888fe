"""A patient's consents as they stand: provision by provision, and what is wrong.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance import fhir_json
from consent.capture import ENFORCED
from consent.contents import partial_codings
from consent.lint import LISTS, PERIODS
from consent.outline import Provision, provisions
from consent.provisions import ParsedConsent, read_bytes
from fhir_service.exchange import Services
from fhir_service.storage.patients import PatientState

Json = dict[str, Any]


def shown(services: Services, state: PatientState, body: bytes) -> Json:
    """Return a stored Consent with each of its provisions, for programs."""
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
        "part2Missing": list(parsed.part_2.missing),
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


def lines(found: list[Json], state: PatientState) -> Iterator[str]:
    """Yield the consents of a patient, for people."""
    if not found:
        yield f"Patient/{state.id} has no consent: the default policy decides."
    for one in found:
        force = "in force" if one["inForce"] else "not in force"
        yield (
            f"{one['consent']} version {one['version']}: {one['status']}, "
            f"{one['scope']}, of {one['dateTime']}, {force}"
        )
        if not one["isDeterminate"]:
            yield "  It is indeterminate, which denies everything."
        if one["part2Missing"]:
            lacking = ", ".join(one["part2Missing"])
            yield f"  For records of a 42 CFR Part 2 program it lacks: {lacking}."
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
