"""A CodeSystem resource of our own, from a table of concepts.

https://hl7.org/fhir/R4/codesystem.html
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple


class Concept(NamedTuple):
    """A code with its meaning.

    Attributes:
        code: Code, unique in its system.
        display: What people read.
        definition: What exactly is meant; None where the display says it all.

    """

    code: str
    display: str
    definition: str | None = None


def _concept(concept: Concept) -> dict[str, str]:
    members = {"code": concept.code, "display": concept.display}
    if concept.definition is not None:
        members["definition"] = concept.definition
    return members


def code_system(  # noqa: PLR0913 - the elements that a published code system must have
    url: str,
    name: str,
    title: str,
    concepts: Iterable[Concept],
    *,
    version: str,
    changed_on: date,
    publisher: str,
    description: str,
) -> dict[str, Any]:
    """Return an active, complete, case-sensitive CodeSystem.

    Args:
        url: Canonical; the id is its last segment.
        name: Name for machines, in Pascal case (csd-0).
        title: Name for people.
        concepts: Its codes, in the order in which they are published.
        version: Business version.
        changed_on: When the content last changed.
        publisher: Who answers for it.
        description: What the codes are for.

    Raises:
        ValueError: where a code is there twice (csd-1).

    """
    listed = list(concepts)
    if len({concept.code for concept in listed}) != len(listed):
        raise ValueError(f"{name} has a code twice")
    return {
        "resourceType": "CodeSystem",
        "id": url.rsplit("/", 1)[-1],
        "url": url,
        "version": version,
        "name": name,
        "title": title,
        "status": "active",
        "experimental": False,
        "date": changed_on.isoformat(),
        "publisher": publisher,
        "description": description,
        "caseSensitive": True,
        "content": "complete",
        "count": len(listed),
        "concept": [_concept(concept) for concept in listed],
    }
