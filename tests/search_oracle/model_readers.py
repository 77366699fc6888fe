"""How the model describes a search parameter: its type, and where its values are."""

from dataclasses import dataclass, field

TERMINOLOGY = "http://hl7.org/fhir/"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A search parameter: its type, the data type of its elements, their paths.

    Attributes:
        system: The system that the value set of a `code` implies.
        targets: The types that a reference is followed to.
        elements: Where the elements are that both parts of a composite are in.
        parts: The parameters that a composite consists of, from such an element.

    """

    kind: str
    of: str = ""
    paths: tuple[str, ...] = ()
    system: str | None = None
    targets: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    parts: tuple["Parameter", ...] = field(default=())


def string(*paths, of="string"):
    return Parameter(kind="string", of=of, paths=paths)


def concept(*paths):
    return Parameter(kind="token", of="CodeableConcept", paths=paths)


def identifier(path="identifier"):
    return Parameter(kind="token", of="Identifier", paths=(path,))


def code(path, value_set):
    return Parameter(
        kind="token", of="code", paths=(path,), system=TERMINOLOGY + value_set
    )


def token(*paths, of):
    return Parameter(kind="token", of=of, paths=paths)


def date(*paths):
    return Parameter(kind="date", of="date", paths=paths)


def number(*paths):
    return Parameter(kind="number", of="decimal", paths=paths)


def quantity(*paths):
    return Parameter(kind="quantity", of="Quantity", paths=paths)


def uri(*paths):
    return Parameter(kind="uri", of="uri", paths=paths)


def reference(*paths, to):
    return Parameter(
        kind="reference", of="Reference", paths=paths, targets=tuple(to.split())
    )


def composite(*parts, elements=("",)):
    return Parameter(kind="composite", elements=elements, parts=parts)
