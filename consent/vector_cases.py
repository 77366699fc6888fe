"""Decision vectors read into the words of this package.

The format is `consent-vectors/1`: facts about the server, resources by name, and
vectors that say who asks for what, which consents are on file and what is released.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from conformance.fhir_json import loads
from consent.authors import authored, authors_by_target
from consent.codes import ACT_REASON
from consent.contents import walk
from consent.decision import DefaultPolicy
from consent.device_links import topology_of
from consent.engine import PreparedRequest, prepare
from consent.formula import Coding, Row
from consent.in_force import Policy, Subject
from consent.labels import stated_labels
from consent.moments import bounds
from consent.provisions import read
from consent.references import Deployment, local
from consent.request import AccessRequest
from consent.signature import Description, describe
from consent.topology import Topology

FORMAT = "consent-vectors/1"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One vector, in the words of this package.

    Attributes:
        id: The vector's label.
        request: Who asks for what, and when.
        default: The default policy.
        deployment: Zone and bases of the server.
        device_parents: Child Device or DeviceMetric → what it belongs to.
        consents: The Consents on file, as they stand, however malformed.
        resources: All resources of the file by name; their meta.security counts as
            set by our own labeller.
        expect: Name → whether it is released.

    """

    id: str
    request: AccessRequest
    default: DefaultPolicy
    deployment: Deployment
    device_parents: Mapping[str, str]
    consents: tuple[Mapping[str, Any], ...]
    resources: Mapping[str, Mapping[str, Any]]
    expect: Mapping[str, bool]


def cases(path: Path, zone: tzinfo = UTC) -> Iterator[Case]:
    """Yield the vectors of a file.

    Raises:
        ValueError: for another format.

    """
    document = loads(path.read_bytes())
    if document.get("format") != FORMAT:
        raise ValueError(f"{path.name} is not of the format {FORMAT}")
    server = document["server"]
    deployment = Deployment(zone=zone, own_bases=tuple(server["server_bases"]))
    resources = {
        name: _content(value, path) for name, value in document["resources"].items()
    }
    for vector in document["vectors"]:
        yield Case(
            id=vector["id"],
            request=_request(vector["request"], vector["context"]["t"], zone),
            default=DefaultPolicy(vector["context"]["default_policy"]),
            deployment=deployment,
            device_parents=server["device_parents"],
            consents=tuple(_content(value, path) for value in vector["consents"]),
            resources=resources,
            expect={
                name: outcome == "permit" for name, outcome in vector["expect"].items()
            },
        )


def _content(value: Any, path: Path) -> Any:
    if "$file" in value:
        return loads((path.parent / value["$file"]).read_bytes())
    return value


def _request(value: Mapping[str, Any], at: str, zone: tzinfo) -> AccessRequest:
    moment = bounds(at, zone)
    if moment is None:
        raise ValueError("context.t is no FHIR instant")
    return AccessRequest(
        actors=frozenset(value["actors"]),
        individual_known=value["individual_known"],
        purposes=tuple(_purpose(text) for text in value["purposes"]),
        actions=tuple(value["actions"]),
        btg_attested=value["btg_attested"],
        at_us=moment[0],
    )


def _purpose(text: str) -> Coding:
    system, bar, code = text.rpartition("|")
    return (system, code) if bar else (ACT_REASON, text)


class CaseQuestion(NamedTuple):
    """One resource of a vector, ready to be decided.

    Attributes:
        name: The resource's name in the file.
        prepared: The vector's request, for the resource's patient.
        described: The resource's signature.
        row: What atoms ask of the resource.

    """

    name: str
    prepared: PreparedRequest
    described: Description
    row: Row


def case_questions(case: Case) -> Iterator[CaseQuestion]:
    """Yield the resources that the vector expects something of."""
    consents = [read(consent, deployment=case.deployment) for consent in case.consents]
    referrers = _referrers(case)
    resources, place = list(case.resources.values()), case.deployment
    authors = authors_by_target(resources, place, case.request.at_us)
    topology = _topology(case)
    for name in case.expect:
        resource = case.resources[name]
        described = authored(
            describe(resource, labels=stated_labels(resource), deployment=place),
            resources,
            place,
            case.request.at_us,
        )
        subject = Subject(patient=described.patient, topology=topology)
        policy = Policy(default=case.default)
        reference = _reference(resource)
        yield CaseQuestion(
            name=name,
            prepared=prepare(consents, case.request, subject, policy),
            described=described,
            row=Row(
                reference=reference,
                start_us=described.start_us,
                end_us=described.end_us,
                mentions=described.mentions,
                referred_by=frozenset(referrers.get(reference, ())),
                authors=authors.get(reference, frozenset()),
                codings=described.codings,
            ),
        )


def _topology(case: Case) -> Topology:
    return topology_of(
        case.resources.values(),
        case.deployment.own_bases,
        {child: (parent,) for child, parent in case.device_parents.items()},
    )


def _reference(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _referrers(case: Case) -> Mapping[str, set[str]]:
    """Return what refers to each resource, among the resources of the file."""
    found: dict[str, set[str]] = {}
    for resource in case.resources.values():
        for text in walk(resource).references:
            target = local(text, case.deployment.own_bases)
            if target is not None:
                found.setdefault(target, set()).add(_reference(resource))
    return found
