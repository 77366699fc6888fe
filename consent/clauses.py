"""A consent's provisions as a reader needs them: each with the data that it means.

A permit takes over from the permits above it the data selectors that it does not
state; a deny has its own only. `consent.provisions` reads the same tree in the same
way for the engine.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consent.elements import DATA_SELECTORS
from consent.outline import Provision, provisions
from consent.request_selectors import Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """A provision.

    Attributes:
        path: Such as `provision.provision[0]`.
        kind: What it does.
        above: What the provision around it does; None for the root.
        node: Its elements; those of the request bind what is nested in it as well.
        data: The data selectors in effect, by element.
        nested: The provisions inside it, in order.

    """

    path: str
    kind: Kind
    above: Kind | None
    node: Mapping[str, Any]
    data: Mapping[str, Any]
    nested: tuple["Clause", ...]

    @property
    def is_exception(self) -> bool:
        """Whether it permits only out of what the provision around it denies."""
        return self.kind is Kind.PERMIT and self.above is Kind.DENY


def root(consent: Mapping[str, Any]) -> Clause:
    """Return the root of a consent without faults, with all that is nested in it."""
    outline = list(provisions(consent))
    return _clause(outline[0], outline, above=None, inherited={})


def _clause(
    provision: Provision,
    outline: Sequence[Provision],
    *,
    above: Kind | None,
    inherited: Mapping[str, Any],
) -> Clause:
    kind = provision.kind or Kind.NONE
    own = {
        name: provision.node[name] for name in DATA_SELECTORS if name in provision.node
    }
    data = own if kind is Kind.DENY else {**inherited, **own}
    return Clause(
        path=provision.path,
        kind=kind,
        above=above,
        node=provision.node,
        data=data,
        nested=tuple(
            _clause(
                child,
                outline,
                above=kind,
                inherited=inherited if kind is Kind.DENY else data,
            )
            for child in outline
            if child.path.rpartition(".")[0] == provision.path
        ),
    )
