"""Data selectors: what each element means to a permit and a deny, by signature.

Entries of one element are alternatives; securityLabel has its own rule. A selector
is one object wherever it is inherited, and is compared by identity.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from dataclasses import dataclass

from consent.data_references import Context, DataSelector
from consent.facets import Codes, Content, Facets
from consent.formula import (
    Coding,
    EndGE,
    EndLE,
    Formula,
    HasCoding,
    StartGE,
    StartLE,
    conjunction,
    disjunction,
)
from consent.labels import Labels
from consent.moments import Interval
from consent.request_selectors import Kind
from consent.truth import DIFFERS, MATCHES, UNKNOWN, Match, Truth, constant, exactly


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class LabelSelector:
    """The element `securityLabel`.

    Attributes:
        kind: For which kind of provision it is asked.
        ceiling: Highest level listed; a permit reaches up to it.
        floor: Lowest level listed; a deny starts with it.
        covered: Sensitivities listed and all they cover.
        touching: Those, and all that cover a listed one.
        has_unknown: Whether an entry is no label that we know.

    """

    kind: Kind
    ceiling: int | None
    floor: int | None
    covered: frozenset[str]
    touching: frozenset[str]
    has_unknown: bool

    def matches(self, facets: Facets, _: Context) -> Match:
        """Return the match for rows of the signature."""
        if not facets.labels.is_labelled:
            return UNKNOWN
        reaches = self._denies if self.kind is Kind.DENY else self._permits
        return constant(reaches(facets.labels))

    def _permits(self, labels: Labels) -> Truth:
        if self.ceiling is not None and (labels.level or 0) > self.ceiling:
            return False
        if self.covered and not (
            labels.sensitivities and labels.sensitivities <= self.covered
        ):
            return False
        return None if self.has_unknown else True

    def _denies(self, labels: Labels) -> Truth:
        if self.floor is not None and (labels.level or 0) >= self.floor:
            return True
        if not labels.sensitivities.isdisjoint(self.touching):
            return True
        return None if self.has_unknown else False


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class ClassSelector:
    """The element `class`.

    Attributes:
        types: Resource types.
        profiles: Profile URLs.
        has_unknown: Whether an entry is of another system.

    """

    types: frozenset[str]
    profiles: frozenset[str]
    has_unknown: bool

    def matches(self, facets: Facets, _: Context) -> Match:
        """Return the match for rows of the signature."""
        content = facets.content
        if content.type in self.types or self._claims_profile(content):
            return MATCHES
        return UNKNOWN if self.has_unknown else DIFFERS

    def _claims_profile(self, content: Content) -> bool:
        return any(
            profile in self.profiles or profile.partition("|")[0] in self.profiles
            for profile in content.profiles
        )


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class CodeSelector:
    """The element `code`.

    Attributes:
        kind: For which kind of provision it is asked.
        codings: The codings listed.
        has_unknown: Whether an entry has no complete coding.

    """

    kind: Kind
    codings: frozenset[Coding]
    has_unknown: bool

    def matches(self, facets: Facets, _: Context) -> Match:
        """Return the match for rows of the signature."""
        if self.kind is Kind.DENY:
            return self._denies(facets.codes)
        return constant(self._permits(facets.codes))

    def _permits(self, codes: Codes) -> Truth:
        """Ask the principal code; if it differs, every component."""
        if not self.codings.isdisjoint(codes.principal):
            return True
        if codes.components and not any(
            self.codings.isdisjoint(component) for component in codes.components
        ):
            return True
        return None if self.has_unknown or not codes.is_coded else False

    def _denies(self, codes: Codes) -> Match:
        """Ask every coding, wherever it stands."""
        told = (codes.principal, codes.categories, *codes.components)
        if not all(map(self.codings.isdisjoint, told)):
            return MATCHES
        others: Formula = codes.has_others and disjunction(
            [HasCoding(*coding) for coding in sorted(self.codings)]
        )
        is_open = self.has_unknown or not codes.is_coded or not all(codes.components)
        return Match(others, is_open or others)


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class PeriodSelector:
    """The element `dataPeriod`.

    Attributes:
        dated: The match for a row whose clinical interval is known: inside for a
            permit, overlapping for a deny.

    """

    dated: Match

    def matches(self, facets: Facets, _: Context) -> Match:
        """Return the match for rows of the signature."""
        return self.dated if facets.is_dated else UNKNOWN


def period_selector(window: Interval, kind: Kind) -> PeriodSelector:
    """Return the selector for a window of clinical time."""
    first, last = (EndGE, StartLE) if kind is Kind.DENY else (StartGE, EndLE)
    parts: list[Formula] = []
    if window.start is not None:
        parts.append(first(window.start))
    if window.end is not None:
        parts.append(last(window.end))
    return PeriodSelector(dated=exactly(conjunction(parts)))


Selector = LabelSelector | ClassSelector | CodeSelector | PeriodSelector | DataSelector
