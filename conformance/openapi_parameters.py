"""The parameters of an OpenAPI document: of queries, paths and headers.

https://hl7.org/fhir/R4/search.html and https://hl7.org/fhir/R4/http.html
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

Json = dict[str, Any]

FHIR_JSON: Final = "application/fhir+json"

DATE_TIME: Final = (
    r"^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?$"
)
ID: Final = r"^[A-Za-z0-9\-.]{1,64}$"
"""Of a resource and of a version (https://hl7.org/fhir/R4/datatypes.html#id)."""

SEARCH_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "composite": "Values of the parts, joined by `$`.",
        "date": "`[prefix]date`; prefixes are eq, ne, gt, lt, ge, le, sa, eb, ap.",
        "number": "`[prefix]number`.",
        "quantity": "`[prefix]number|system|code`.",
        "reference": "`Type/id`, `id` or a URL.",
        "special": "As its definition says.",
        "string": "The beginning of a text, case and accents aside.",
        "token": "`code`, `system|code`, `|code` or `system|`.",
        "uri": "The whole URI.",
    }
)
"""Type of a search parameter → how its values are written."""

RESULTS: Mapping[str, tuple[str, Json]] = MappingProxyType(
    {
        "_count": (
            "Entries on a page; 0 for none.",
            {"type": "integer", "minimum": 0},
        ),
        "_elements": ("Elements to return, between commas.", {"type": "string"}),
        "_include": (
            "`Type:parameter`: return what is referred to, too; also `:iterate`.",
            {"type": "array", "items": {"type": "string"}},
        ),
        "_revinclude": (
            "`Type:parameter`: return what refers to a match, too; also `:iterate`.",
            {"type": "array", "items": {"type": "string"}},
        ),
        "_sort": (
            "Parameters between commas; a hyphen before one turns its order round.",
            {"type": "string"},
        ),
        "_summary": (
            "Which part of each resource to return.",
            {"enum": ["true", "false", "text", "data", "count"]},
        ),
        "_total": (
            "Whether to count the matches.",
            {"enum": ["none", "estimate", "accurate"]},
        ),
    }
)
"""Parameters that shape a page of a search: name → description and schema."""

_PERIOD: Mapping[str, tuple[str, Json]] = MappingProxyType(
    {
        "_at": (
            "Versions that were current at some time of this period.",
            {"type": "string"},
        ),
        "_since": (
            "Versions from this instant on.",
            {"type": "string", "pattern": DATE_TIME},
        ),
    }
)

_FORMAT: Mapping[str, tuple[str, Json]] = MappingProxyType(
    {
        "_format": ("JSON alone is written.", {"enum": ["json", FHIR_JSON]}),
        "_pretty": ("Whether to indent the answer.", {"enum": ["true", "false"]}),
    }
)

_OWN: Mapping[str, tuple[str, Json]] = MappingProxyType(
    {
        "capabilities-mode": (
            "Whether the whole statement is meant, which is what both values give.",
            {"enum": ["full", "normative"]},
        ),
        "evaluate-action": (
            "Action that it implies; what a read implies if none is given.",
            {"enum": ["access", "collect", "correct", "disclose", "use"]},
        ),
        "evaluate-actor": (
            "Who asks, as a Consent may name it: `Type/id` or `system|value`.",
            {"type": "string"},
        ),
        "evaluate-at": (
            "The instant; now if it is not given.",
            {"type": "string", "format": "date-time"},
        ),
        "evaluate-client": ("A registered client that asks.", {"type": "string"}),
        "evaluate-patient": (
            "Whose data is asked for.",
            {"type": "string"},
        ),
        "evaluate-purpose": (
            "Purpose of use, a code of v3-ActReason; the client's if none is given.",
            {"type": "string"},
        ),
        "evaluate-type": ("Resource type to be told of.", {"type": "string"}),
        "everything-end": ("Care up to this date.", {"type": "string"}),
        "everything-start": ("Care from this date on.", {"type": "string"}),
        "everything-type": ("Resource types, between commas.", {"type": "string"}),
        "lastn-max": (
            "Observations of each code; 1 if it is not given.",
            {"type": "integer", "minimum": 1},
        ),
        "report-authorise": (
            "Whether what a Consent permitted counts as authorised; true if not given.",
            {"enum": ["true", "false"]},
        ),
        "report-reading": (
            "Which law the accounting is of; hipaa if it is not given.",
            {"enum": ["hipaa", "part-2", "all"]},
        ),
        "report-since": ("From this date or instant on.", {"type": "string"}),
        "report-until": ("Through this date or instant.", {"type": "string"}),
        "report-zone": (
            "IANA name of the zone of times; UTC if it is not given.",
            {"type": "string"},
        ),
        "validate-mode": (
            "What the resource is to be good for.",
            {"enum": ["create", "update", "delete"]},
        ),
        "validate-profile": (
            "Canonical of a profile that it shall meet.",
            {"type": "string"},
        ),
    }
)
"""Parameters of one request alone; those of one name differ in what they mean."""

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "capabilities-mode": "mode",
        "evaluate-action": "action",
        "evaluate-actor": "actor",
        "evaluate-at": "at",
        "evaluate-client": "client",
        "evaluate-patient": "patient",
        "evaluate-purpose": "purpose",
        "evaluate-type": "type",
        "everything-end": "end",
        "everything-start": "start",
        "everything-type": "_type",
        "lastn-max": "max",
        "report-authorise": "consentsAuthorise",
        "report-reading": "reading",
        "report-since": "since",
        "report-until": "until",
        "report-zone": "zone",
        "validate-mode": "mode",
        "validate-profile": "profile",
    }
)

FORMAT: Final = tuple(_FORMAT)
SEARCH: Final = (*RESULTS, *FORMAT)
HISTORY: Final = ("_at", "_since", "_count", "_elements", "_summary", *FORMAT)
READ: Final = ("_elements", "_summary", *FORMAT)

HEADERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "If-Match": ("if-match", 'Only if this is the current version: `W/"1"`.'),
        "If-Modified-Since": ("if-modified-since", "304 unless changed since."),
        "If-None-Exist": ("if-none-exist", "Create only if this search finds nothing."),
        "If-None-Match": ("if-none-match", '304 if this is the version: `W/"1"`.'),
        "Prefer": (
            "prefer",
            "`return=minimal|representation|OperationOutcome`, `handling=strict|…`.",
        ),
    }
)
"""Header of a request → name among the parameters, and description."""


def shared_parameters() -> Json:
    """Return the parameters of paths and headers, and those that shape an answer."""
    return {
        "id": _in_path("id", "Logical id of the resource."),
        "vid": _in_path("vid", "Id of the version."),
        "_type": {
            "name": "_type",
            "in": "query",
            "required": True,
            "description": "Resource types to search, between commas.",
            "schema": {"type": "string"},
        },
        **{
            key: in_query(_NAMES.get(key, key), description, schema)
            for key, (description, schema) in {
                **RESULTS,
                **_PERIOD,
                **_FORMAT,
                **_OWN,
            }.items()
        },
        **{
            key: {
                "name": name,
                "in": "header",
                "description": description,
                "schema": {"type": "string"},
            }
            for name, (key, description) in HEADERS.items()
        },
    }


def in_query(name: str, description: str, schema: Json) -> Json:
    """Return a parameter of the query; it is repeated if it is an array."""
    found: Json = {
        "name": name,
        "in": "query",
        "description": description,
        "schema": schema,
    }
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": True}
    return found


def _in_path(name: str, description: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": ID},
    }
