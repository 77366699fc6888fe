"""How interactions look over HTTP: a row for each request.

https://hl7.org/fhir/R4/http.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from conformance.openapi_parameters import FORMAT, HISTORY, READ, SEARCH

ASKING: Final = (400, 401, 403)
READING: Final = (*ASKING, 404)
DELETING: Final = (*READING, 409, 412)
WRITING: Final = (*DELETING, 422)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One method of one path.

    `{type}` stands for the resource type in every text; the system has none.

    Attributes:
        of: Code of the interaction, or of the operation.
        name: Beginning of the operationId.
        method: HTTP method, in lower case.
        path: Below the base.
        summary: What it does.
        letters: Of the SMART scope that it needs; "" where it needs no token.
        scope_of: Type that the scope names; `*` for each type that is in the answer.
        needs: Element of the statement that must allow it; "" for none.
        parameters: Names among the shared parameters.
        is_searching: Whether the search parameters of the type are parameters.
        body: Name among the shared request bodies; "" for none.
        answers: Status → name among the shared responses.
        refusals: Statuses of errors that are particular to it.

    """

    of: str
    name: str
    method: str
    path: str
    summary: str
    letters: str
    scope_of: str = "{type}"
    needs: str = ""
    parameters: tuple[str, ...] = ()
    is_searching: bool = False
    body: str = ""
    answers: Mapping[int, str]
    refusals: tuple[int, ...] = READING


_RESOURCE: Final = MappingProxyType({200: "{type}", 304: "not-modified"})
_WRITTEN: Final = MappingProxyType({200: "{type}", 201: "{type}-created"})
_DELETED: Final = MappingProxyType({204: "deleted"})
PAGE: Final = MappingProxyType({200: "page"})

TYPE_FORMS: Final = (
    Form(
        of="read",
        name="read",
        method="get",
        path="/{type}/{id}",
        summary="Read a {type}",
        letters="r",
        parameters=("id", *READ, "if-none-match", "if-modified-since"),
        answers=_RESOURCE,
        refusals=(*READING, 410),
    ),
    Form(
        of="vread",
        name="vread",
        method="get",
        path="/{type}/{id}/_history/{vid}",
        summary="Read a version of a {type}",
        letters="r",
        parameters=("id", "vid", *READ, "if-none-match", "if-modified-since"),
        answers=_RESOURCE,
        refusals=(*READING, 410),
    ),
    Form(
        of="update",
        name="update",
        method="put",
        path="/{type}/{id}",
        summary="Update a {type}",
        letters="u",
        parameters=("id", *FORMAT, "if-match", "prefer"),
        body="{type}",
        answers=_WRITTEN,
        refusals=WRITING,
    ),
    Form(
        of="update",
        name="update-where",
        method="put",
        path="/{type}",
        summary="Update the one {type} that a search finds, or create it",
        letters="us",
        needs="conditionalUpdate",
        parameters=(*FORMAT, "if-match", "prefer"),
        is_searching=True,
        body="{type}",
        answers=_WRITTEN,
        refusals=WRITING,
    ),
    Form(
        of="patch",
        name="patch",
        method="patch",
        path="/{type}/{id}",
        summary="Patch a {type}",
        letters="u",
        parameters=("id", *FORMAT, "if-match", "prefer"),
        body="json-patch",
        answers=_WRITTEN,
        refusals=WRITING,
    ),
    Form(
        of="patch",
        name="patch-where",
        method="patch",
        path="/{type}",
        summary="Patch the one {type} that a search finds",
        letters="us",
        needs="conditionalUpdate",
        parameters=(*FORMAT, "if-match", "prefer"),
        is_searching=True,
        body="json-patch",
        answers=_WRITTEN,
        refusals=WRITING,
    ),
    Form(
        of="delete",
        name="delete",
        method="delete",
        path="/{type}/{id}",
        summary="Delete a {type}",
        letters="d",
        parameters=("id", *FORMAT, "if-match"),
        answers=_DELETED,
        refusals=DELETING,
    ),
    Form(
        of="delete",
        name="delete-where",
        method="delete",
        path="/{type}",
        summary="Delete the one {type} that a search finds",
        letters="ds",
        needs="conditionalDelete",
        parameters=(*FORMAT, "if-match"),
        is_searching=True,
        answers=_DELETED,
        refusals=DELETING,
    ),
    Form(
        of="history-instance",
        name="history",
        method="get",
        path="/{type}/{id}/_history",
        summary="List the versions of a {type}",
        letters="r",
        parameters=("id", *HISTORY),
        answers=PAGE,
    ),
    Form(
        of="history-type",
        name="history-of-type",
        method="get",
        path="/{type}/_history",
        summary="List the versions of every {type}",
        letters="s",
        parameters=HISTORY,
        answers=PAGE,
        refusals=ASKING,
    ),
    Form(
        of="create",
        name="create",
        method="post",
        path="/{type}",
        summary="Create a {type}",
        letters="c",
        parameters=(*FORMAT, "if-none-exist", "prefer"),
        body="{type}",
        answers=_WRITTEN,
        refusals=WRITING,
    ),
    Form(
        of="search-type",
        name="search",
        method="get",
        path="/{type}",
        summary="Search for {type} resources",
        letters="s",
        parameters=(*SEARCH, "prefer"),
        is_searching=True,
        answers=PAGE,
        refusals=ASKING,
    ),
    Form(
        of="search-type",
        name="search-by-form",
        method="post",
        path="/{type}/_search",
        summary="Search for {type} resources, by a form",
        letters="s",
        parameters=("prefer",),
        body="search-form",
        answers=PAGE,
        refusals=ASKING,
    ),
)
"""Interactions of a type."""

_BUNDLE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "name": "bundle",
        "method": "post",
        "path": "/",
        "summary": "Do all that a batch or a transaction holds, each as its scope lets",
        "letters": "cruds",
        "parameters": (*FORMAT, "prefer"),
        "body": "Bundle",
        "answers": MappingProxyType({200: "Bundle"}),
        "refusals": (*WRITING, 410),
    }
)

SYSTEM_FORMS: Final = (
    Form(
        of="capabilities",
        name="capabilities",
        method="get",
        path="/metadata",
        summary="Tell what this server does",
        letters="",
        parameters=("capabilities-mode", *READ, "if-none-match"),
        answers=MappingProxyType({200: "CapabilityStatement", 304: "not-modified"}),
        refusals=(400,),
    ),
    Form(of="transaction", **_BUNDLE),
    Form(of="batch", **_BUNDLE),
    Form(
        of="search-system",
        name="search-system",
        method="get",
        path="/",
        summary="Search resources of several types",
        letters="s",
        parameters=("_type", *SEARCH, "prefer"),
        is_searching=True,
        answers=PAGE,
        refusals=ASKING,
    ),
    Form(
        of="search-system",
        name="search-system-by-form",
        method="post",
        path="/_search",
        summary="Search resources of several types, by a form with `_type`",
        letters="s",
        parameters=("prefer",),
        body="search-form",
        answers=PAGE,
        refusals=ASKING,
    ),
    Form(
        of="history-system",
        name="history-of-system",
        method="get",
        path="/_history",
        summary="List the versions of every resource",
        letters="s",
        parameters=HISTORY,
        answers=PAGE,
        refusals=ASKING,
    ),
)
"""Interactions of the whole system; `capabilities` is always there."""
