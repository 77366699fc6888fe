"""A search as it was asked: checked, typed, without SQL and without a view.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from conformance.issues import FHIRError, IssueType
from fhir_service.search import values
from fhir_service.search.supported import (
    NEEDS_PATIENT,
    REFUSED_PARAMETERS,
    RESULT_PARAMETERS,
    SORTABLE,
    SUPPORTED,
    Kind,
)
from fhir_service.search.values import DateCriterion, Token

DEFAULT_COUNT = 50
MAX_COUNT = 1000
MAX_PARAMETERS = 200
MAX_DATES = 20
"""Comparisons with dates in one search; each is work for every row looked at."""

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class SearchQuery:
    """What a search asks for.

    Attributes:
        type: The resource type.
        patients: Ids of patients, one from each `patient`; all must agree.
        tokens: Parameter → alternatives, ANDed; `_id` and `identifier` among them.
        dates: Parameter → comparisons, ANDed; each a list of alternatives.
        descending: Whether the newest comes first.
        sorted_by: The parameter of `_sort`, or None for the natural order.
        count: Entries on a page; 0 asks for the total alone.
        total: Whether the exact total is asked for.
        applied: The pairs that were understood.
        ignored: Names of parameters that were not understood (lenient handling).

    """

    type: str
    patients: tuple[str, ...] = ()
    tokens: tuple[tuple[str, tuple[Token, ...]], ...] = ()
    dates: tuple[tuple[str, tuple[DateCriterion, ...]], ...] = ()
    descending: bool = True
    sorted_by: str | None = None
    count: int = DEFAULT_COUNT
    total: bool = False
    applied: tuple[Pair, ...] = ()
    ignored: tuple[str, ...] = ()

    def tokens_of(self, parameter: str) -> list[tuple[Token, ...]]:
        """Return the alternatives asked of `parameter`, once each time it was given."""
        return [found for name, found in self.tokens if name == parameter]

    def dates_of(self, parameter: str) -> list[tuple[DateCriterion, ...]]:
        """Return the comparisons asked of `parameter`."""
        return [found for name, found in self.dates if name == parameter]


@dataclass
class _Draft:
    type: str
    base_url: str
    zone: tzinfo
    strict: bool
    patients: list[str] = field(default_factory=list)
    tokens: list[tuple[str, tuple[Token, ...]]] = field(default_factory=list)
    dates: list[tuple[str, tuple[DateCriterion, ...]]] = field(default_factory=list)
    descending: bool = True
    sorted_by: str | None = None
    count: int = DEFAULT_COUNT
    total: bool = False
    applied: list[Pair] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def query(self) -> SearchQuery:
        return SearchQuery(
            type=self.type,
            patients=tuple(self.patients),
            tokens=tuple(self.tokens),
            dates=tuple(self.dates),
            descending=self.descending,
            sorted_by=self.sorted_by,
            count=self.count,
            total=self.total,
            applied=tuple(self.applied),
            ignored=tuple(self.ignored),
        )


def parse(
    type_: str,
    pairs: Sequence[Pair],
    *,
    base_url: str,
    zone: tzinfo,
    strict: bool,
) -> SearchQuery:
    """Return the search that `pairs` ask of `type_`.

    Args:
        type_: The resource type in the URL.
        pairs: Decoded names and values, in their order.
        base_url: The FHIR base, for absolute references.
        zone: Zone of dates without an offset.
        strict: Whether `Prefer: handling=strict` was sent.

    Raises:
        FHIRError: `not-supported` for a type, modifier, or known parameter that is
            not served (and any unknown one under strict handling), `invalid` for a
            value that cannot be read, `not-supported` where a patient must be named.
            A chain (`subject.name`) is refused even leniently: without it the answer
            would be about others.

    """
    if type_ not in SUPPORTED:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"Searching {type_[:64]} is not supported."
        )
    if len(pairs) > MAX_PARAMETERS:
        raise FHIRError(IssueType.TOO_COSTLY, "The search has too many parameters.")
    draft = _Draft(type_, base_url, zone, strict)
    for name, value in pairs:
        _take(draft, name, value)
    _refuse_too_many(draft)
    query = draft.query()
    if type_ in NEEDS_PATIENT and not query.patients and not query.tokens_of("_id"):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"A search of {type_} names its patient: add patient=Patient/id.",
        )
    if query.sorted_by is not None and query.tokens_of("_id"):
        raise FHIRError(
            IssueType.NOT_SUPPORTED, "What is searched by _id cannot be sorted."
        )
    return query


def _refuse_too_many(draft: _Draft) -> None:
    tokens = sum(len(alternatives) for _, alternatives in draft.tokens)
    dates = sum(len(alternatives) for _, alternatives in draft.dates)
    if tokens > values.MAX_ALTERNATIVES or dates > MAX_DATES:
        raise FHIRError(
            IssueType.TOO_COSTLY,
            f"A search has at most {values.MAX_ALTERNATIVES} tokens and {MAX_DATES} "
            "dates in all.",
        )


def _take(draft: _Draft, name: str, value: str) -> None:
    parameter, colon, modifier = name.partition(":")
    if parameter in RESULT_PARAMETERS and not colon:
        _RESULT[parameter](draft, value)
        draft.applied.append((name, value))
        return
    kind = SUPPORTED[draft.type].get(parameter)
    if kind is None:
        _unknown(draft, parameter)
        return
    if colon:
        _modifier(draft, parameter, modifier)
    _KINDS[kind](draft, parameter, value)
    draft.applied.append((name, value))


def _unknown(draft: _Draft, parameter: str) -> None:
    chained = parameter.partition(".")[0] in SUPPORTED[draft.type]
    if parameter in REFUSED_PARAMETERS or chained or draft.strict:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"The parameter {parameter[:64]!r} is not supported here.",
        )
    draft.ignored.append(parameter[:64])


def _modifier(draft: _Draft, parameter: str, modifier: str) -> None:
    patient = SUPPORTED[draft.type][parameter] is Kind.REFERENCE
    if patient and modifier == "Patient":
        return
    raise FHIRError(
        IssueType.NOT_SUPPORTED,
        f"The modifier :{modifier[:32]} of {parameter} is not supported.",
    )


def _reference(draft: _Draft, parameter: str, value: str) -> None:
    alternatives = values.split(value, parameter)
    if len(alternatives) > 1:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"The parameter {parameter} takes one Patient."
        )
    patient = values.patient_reference(value, parameter, draft.base_url)
    draft.patients.append(patient)


def _token(draft: _Draft, parameter: str, value: str) -> None:
    tokens = tuple(
        values.token(part, parameter) for part in values.split(value, parameter)
    )
    draft.tokens.append((parameter, tokens))


def _date(draft: _Draft, parameter: str, value: str) -> None:
    dates = tuple(
        values.date(part, parameter, draft.zone)
        for part in values.split(value, parameter)
    )
    draft.dates.append((parameter, dates))


_KINDS: Mapping[Kind, Callable[[_Draft, str, str], None]] = {
    Kind.DATE: _date,
    Kind.REFERENCE: _reference,
    Kind.TOKEN: _token,
}


def _count(draft: _Draft, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) < 10):  # noqa: PLR2004 - more digits than any page
        raise FHIRError(IssueType.INVALID, "_count is a whole number, 0 or more.")
    draft.count = min(int(value), MAX_COUNT)


def _sort(draft: _Draft, value: str) -> None:
    descending = value.startswith("-")
    parameter = value.removeprefix("-")
    if parameter not in SORTABLE.get(draft.type, frozenset()):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"Sorting {draft.type} by {parameter[:64]!r} is not supported.",
        )
    draft.descending, draft.sorted_by = descending, parameter


_TOTALS = {"none": False, "accurate": True, "estimate": True}


def _total(draft: _Draft, value: str) -> None:
    if value not in _TOTALS:
        raise FHIRError(IssueType.INVALID, "_total is none, estimate or accurate.")
    draft.total = _TOTALS[value]


def _nothing(draft: _Draft, value: str) -> None:
    """Leave it to content negotiation, which has read it already."""


_RESULT: Mapping[str, Callable[[_Draft, str], None]] = {
    "_count": _count,
    "_format": _nothing,
    "_pretty": _nothing,
    "_sort": _sort,
    "_total": _total,
}
