"""What of a signature the answer to a prepared request depends on.

Signatures that agree on it share one formula. A patient has hundreds of signatures;
the consents name a few codes, references and labels, so few of them differ here.
Each part keeps at least what the selectors of that part can tell apart.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache

from consent.data_references import DataSelector
from consent.decision import DefaultPolicy
from consent.facets import Codes, Facets, Origin
from consent.overlays import Overlay, is_note
from consent.selectors import (
    ClassSelector,
    CodeSelector,
    LabelSelector,
    PeriodSelector,
    Selector,
)
from consent.topology import Topology

Projection = Callable[[Facets], Hashable]

_LABEL_POLICIES = frozenset({DefaultPolicy.BASIC_NORMAL, DefaultPolicy.ALL_NORMAL})


def projection(
    selectors: Iterable[Selector],
    topology: Topology,
    default: DefaultPolicy,
    opened: Sequence[Overlay],
) -> Projection:
    """Return the function from a signature to what the selectors can ask of it.

    Args:
        selectors: Those that no pruning has ruled out.
        topology: The patient's devices.
        default: The default policy, of which two ask for the labels.
        opened: The overlays that speak; they ask for the type and the labels.

    """
    asked = list(selectors)
    parts: list[Projection] = [_of_law]
    if opened or default in _LABEL_POLICIES or _asks(asked, LabelSelector):
        parts.append(lambda facets: facets.labels)
    if opened or _asks(asked, ClassSelector) or _asks(asked, DataSelector):
        parts.append(lambda facets: facets.content)
    if _asks(asked, PeriodSelector):
        parts.append(lambda facets: facets.is_dated)
    if _asks(asked, CodeSelector):
        parts.append(_by_codes(asked))
    if _asks(asked, DataSelector):
        parts.append(_by_origin(asked, topology))
    return _together(parts)


def _of_law(facets: Facets) -> Hashable:
    """Return what restrictions ask for; the one key of all that none concerns."""
    return (is_note(facets), facets.tags) if facets.tags else None


def _asks(selectors: Sequence[Selector], kind: type[Selector]) -> bool:
    return any(isinstance(selector, kind) for selector in selectors)


def _together(parts: Sequence[Projection]) -> Projection:
    if len(parts) == 1:
        return parts[0]
    return lambda facets: tuple([part(facets) for part in parts])


def _by_codes(selectors: Sequence[Selector]) -> Projection:
    """Return the projection onto the codings that some selector lists."""
    listed: frozenset[tuple[str, str]] = frozenset().union(
        *(each.codings for each in selectors if isinstance(each, CodeSelector))
    )

    @cache
    def project(codes: Codes) -> Hashable:
        return (
            codes.principal & listed,
            frozenset([component & listed for component in codes.components]),
            all(codes.components),
            codes.categories & listed,
            codes.is_coded,
            codes.has_others,
        )

    return lambda facets: project(facets.codes)


def _by_origin(selectors: Sequence[Selector], topology: Topology) -> Projection:
    """Return the projection onto the references that some selector names."""
    named = frozenset(
        entry.reference
        for each in selectors
        if isinstance(each, DataSelector)
        for entry in each.entries
        if entry.reference is not None
    )
    relatives = named.union(*(topology.family(reference) for reference in named))

    @cache
    def project(origin: Origin) -> Hashable:
        return (
            origin.device if origin.device in relatives else None,
            origin.performers & relatives,
            origin.agents & named,
            origin.has_mentions,
        )

    return lambda facets: project(facets.origin)
