"""What is served → the CapabilityStatement that says so.

The service passes the tables that its routes and its search use; nothing here knows
what is implemented. Definitions of search parameters come from the release.

https://hl7.org/fhir/R4/capabilitystatement.html and
https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from conformance.compartments import url as compartment_url
from conformance.search_parameters import SearchParameter, parameters

OAUTH_URIS: Final = (
    "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
)
SECURITY_SERVICE: Final = (
    "http://terminology.hl7.org/CodeSystem/restful-security-service"
)

INTERACTIONS: Final = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
"""Interactions of a type, in the order of FHIR's value set."""

SYSTEM_INTERACTIONS: Final = (
    "transaction",
    "batch",
    "search-system",
    "history-system",
)
"""Interactions of the whole system, in the order of FHIR's value set."""


class Operation(NamedTuple):
    """An operation that is served.

    Attributes:
        name: Name without the dollar sign.
        definition: Canonical of its OperationDefinition.
        documentation: What clients must know of this server's way.

    """

    name: str
    definition: str
    documentation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where the authorization server answers; None for what is not offered.

    The values must equal those of the SMART configuration document.
    """

    authorize: str | None = None
    token: str | None = None
    register: str | None = None
    manage: str | None = None
    introspect: str | None = None
    revoke: str | None = None


@dataclass(frozen=True, kw_only=True)
class ServedType:
    """What is served of one resource type.

    Attributes:
        type: Resource type.
        interactions: Codes of `INTERACTIONS`.
        search_parameters: Codes of search parameters, `_id` and the like included.
        includes: `Type:parameter` of references that `_include` follows.
        reverse_includes: `Type:parameter` of references that `_revinclude` follows.
        profile: Profile that every resource of the type meets.
        supported_profiles: Profiles that resources of the type may claim.
        operations: Operations on the type or its instances.
        interaction_notes: Documentation by interaction.
        parameter_notes: Documentation by search parameter.
        versioning: `no-version`, `versioned` or `versioned-update`.
        read_history: Whether vread answers for past versions.
        update_create: Whether PUT may create.
        conditional_create: Whether `If-None-Exist` is heeded.
        conditional_read: `not-supported`, `modified-since`, `not-match`,
            `full-support`.
        conditional_update: Whether PUT may search.
        conditional_delete: `not-supported`, `single` or `multiple`.

    """

    type: str
    interactions: tuple[str, ...]
    search_parameters: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    reverse_includes: tuple[str, ...] = ()
    profile: str | None = None
    supported_profiles: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    interaction_notes: Mapping[str, str] = field(default_factory=dict)
    parameter_notes: Mapping[str, str] = field(default_factory=dict)
    versioning: str = "versioned"
    read_history: bool = False
    update_create: bool = False
    conditional_create: bool = False
    conditional_read: str = "not-supported"
    conditional_update: bool = False
    conditional_delete: str = "not-supported"


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a server serves.

    Attributes:
        types: Resource types.
        interactions: Codes of `SYSTEM_INTERACTIONS`.
        operations: Operations on the system.
        search_parameters: Codes that every type understands, for a system search.
        compartments: Types whose compartments are searched.
        formats: MIME types and short forms, `json` among them.
        patch_formats: MIME types of patches.
        endpoints: Of the authorization server; None where there is none.
        security_description: How access is governed, for people.
        cors: Whether browsers of other origins may call.
        instantiates: Canonicals of CapabilityStatements that are met.
        implementation_guides: Canonicals of guides that are met.

    """

    types: tuple[ServedType, ...]
    interactions: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    search_parameters: tuple[str, ...] = ()
    compartments: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("application/fhir+json", "json")
    patch_formats: tuple[str, ...] = ()
    endpoints: Endpoints | None = None
    security_description: str | None = None
    cors: bool = False
    instantiates: tuple[str, ...] = ()
    implementation_guides: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Software:
    """Who made what runs here.

    Attributes:
        name: Product.
        version: Its release; also the version of the statement.
        title: Name of the instance, for people.
        publisher: Who runs the instance.

    """

    name: str
    version: str
    title: str
    publisher: str


def capability_statement(
    served: Served, *, base_url: str, software: Software, date: datetime
) -> dict[str, Any]:
    """Return the CapabilityStatement of this instance.

    Args:
        served: What is served.
        base_url: Public FHIR base, without a slash at its end.
        software: What runs here.
        date: When what is served last changed; with its offset.

    Raises:
        ValueError: for an interaction or a search parameter that FHIR does not have,
            for one that search refuses, for a type that is there twice (cpb-9), for
            a date without an offset.

    """
    if date.utcoffset() is None:
        raise ValueError("a CapabilityStatement's date has its offset")
    return _filled(
        {
            "resourceType": "CapabilityStatement",
            "id": "metadata",
            "url": f"{base_url}/metadata",
            "version": software.version,
            "name": "".join(filter(str.isalnum, software.name.title())),
            "title": software.title,
            "status": "active",
            "experimental": False,
            "date": date.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "publisher": software.publisher,
            "kind": "instance",
            "instantiates": list(served.instantiates),
            "software": {"name": software.name, "version": software.version},
            "implementation": {"description": software.title, "url": base_url},
            "fhirVersion": "4.0.1",
            "format": list(served.formats),
            "patchFormat": list(served.patch_formats),
            "implementationGuide": list(served.implementation_guides),
            "rest": [_rest(served)],
        }
    )


def _filled(members: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not said: FHIR has no empty arrays and no nulls."""
    return {key: value for key, value in members.items() if value not in (None, [], {})}


def _rest(served: Served) -> dict[str, Any]:
    names = [item.type for item in served.types]
    if len(set(names)) != len(names):
        raise ValueError("a resource type is served twice")
    shared = parameters("Binary")  # It has none but those of every type.
    return _filled(
        {
            "mode": "server",
            "security": _security(served),
            "resource": [_resource(item) for item in served.types],
            "interaction": _interactions(
                served.interactions, SYSTEM_INTERACTIONS, {}, "the system"
            ),
            "searchParam": [
                _search_parameter(_known(shared, code, "every type"), {})
                for code in sorted(served.search_parameters)
            ],
            "operation": [_operation(item) for item in served.operations],
            "compartment": [compartment_url(type_) for type_ in served.compartments],
        }
    )


def _security(served: Served) -> dict[str, Any]:
    security: dict[str, Any] = {"cors": served.cors}
    if served.security_description:
        security["description"] = served.security_description
    if served.endpoints is None:
        return security
    uris = [
        {"url": name, "valueUri": url}
        for name, url in vars(served.endpoints).items()
        if url is not None
    ]
    coding = {
        "system": SECURITY_SERVICE,
        "code": "SMART-on-FHIR",
        "display": "SMART-on-FHIR",
    }
    return {
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
        **security,
        "service": [{"coding": [coding], "text": _way(served.endpoints)}],
    }


def _way(endpoints: Endpoints) -> str:
    """Return how a token is got, for people: FHIR has one code for both."""
    is_launched = endpoints.authorize is not None
    name = "App Launch" if is_launched else "Backend Services"
    return f"OAuth 2.0 with SMART {name}"


def _resource(served: ServedType) -> dict[str, Any]:
    known = parameters(served.type)
    return _filled(
        {
            "type": served.type,
            "profile": served.profile,
            "supportedProfile": list(served.supported_profiles),
            "interaction": _interactions(
                served.interactions,
                INTERACTIONS,
                served.interaction_notes,
                served.type,
            ),
            "versioning": served.versioning,
            "readHistory": served.read_history,
            "updateCreate": served.update_create,
            "conditionalCreate": served.conditional_create,
            "conditionalRead": served.conditional_read,
            "conditionalUpdate": served.conditional_update,
            "conditionalDelete": served.conditional_delete,
            "referencePolicy": ["literal"],
            "searchInclude": list(served.includes),
            "searchRevInclude": list(served.reverse_includes),
            "searchParam": [
                _search_parameter(
                    _known(known, code, served.type), served.parameter_notes
                )
                for code in sorted(served.search_parameters)
            ],
            "operation": [_operation(item) for item in served.operations],
        }
    )


def _interactions(
    codes: Iterable[str],
    known: tuple[str, ...],
    notes: Mapping[str, str],
    where: str,
) -> list[dict[str, str]]:
    asked = set(codes)
    if unknown := asked.difference(known):
        raise ValueError(f"{where} has no interaction {', '.join(sorted(unknown))}")
    return [
        _filled({"code": code, "documentation": notes.get(code)})
        for code in known
        if code in asked
    ]


def _known(
    known: Mapping[str, SearchParameter], code: str, where: str
) -> SearchParameter:
    parameter = known.get(code)
    if parameter is None or parameter.refusal is not None:
        raise ValueError(f"{where} has no search parameter {code} that can be served")
    return parameter


def _search_parameter(
    parameter: SearchParameter, notes: Mapping[str, str]
) -> dict[str, Any]:
    return _filled(
        {
            "name": parameter.code,
            "definition": parameter.url,
            "type": parameter.type,
            "documentation": notes.get(parameter.code),
        }
    )


def _operation(operation: Operation) -> dict[str, Any]:
    return _filled(operation._asdict())
