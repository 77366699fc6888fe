"""What an officer's form asks for: the rows, and the same question in FHIR's words.

What FHIR's search parameters cannot say as narrowly is named beside the query.

https://profiles.ihe.net/ITI/TF/Volume2/ITI-81.html
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode

from conformance.issues import FHIRError, IssueType
from consent.audit.audit_event import PATTERNS
from consent.audit.entry import Interaction, Outcome
from fhir_service.compliance.zones import at, typed
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage.audit_filter import AuditFilter

MAX_VALUE = 256
"""Characters of one filter."""

Pseudonym = Callable[[str], bytes]
Pair = tuple[str, str]
Word = TypeVar("Word", Interaction, Outcome)


class Heeded(NamedTuple):
    """What a filter does.

    Attributes:
        filter: The question with it.
        pairs: The parameters of FHIR that say it.
        is_exact: Whether they say it as narrowly.

    """

    filter: AuditFilter
    pairs: tuple[Pair, ...] = ()
    is_exact: bool = True


Heed = Callable[[AuditFilter, str, Pseudonym], Heeded]


@dataclass(frozen=True, kw_only=True)
class Search:
    """One question to the log.

    Attributes:
        fields: What was typed, empty fields left out.
        filter: Which rows.
        patients: Ids of the patients asked for.
        fhir: The query of AuditEvent that asks the same, or for more.
        wider: Labels of the filters that the query does not say, or not as narrowly.

    """

    fields: Mapping[str, str]
    filter: AuditFilter
    patients: tuple[str, ...]
    fhir: str
    wider: tuple[str, ...]

    def asking(self, **changes: str | None) -> str:
        """Return the query of the console for this search with some changes."""
        fields: dict[str, str | None] = {**self.fields, **changes}
        return urlencode({name: value for name, value in fields.items() if value})


def search(fields: Mapping[str, str], zone: tzinfo, pseudonym: Pseudonym) -> Search:
    """Return the question of a form.

    Args:
        fields: What was typed; what is no field of the form is left out.
        zone: In which times were typed.
        pseudonym: Patient id → the bytes by which the log names the patient.

    Raises:
        FHIRError: `invalid` for what cannot be understood.

    """
    kept = {
        name: _harmless(fields[name]) for name in FIELDS if fields.get(name, "").strip()
    }
    asked, pairs, wider = _timed(kept, zone)
    for name, value in kept.items():
        if name in _TIMES:
            continue
        label, heed = FIELDS[name]
        heeded = heed(asked, value, pseudonym)
        asked = heeded.filter
        pairs += heeded.pairs
        if not heeded.is_exact:
            wider.append(label)
    return Search(
        fields=MappingProxyType(kept),
        filter=asked,
        patients=tuple(_patients(kept)),
        fhir=f"AuditEvent?{urlencode(pairs, safe='/:|')}" if pairs else "AuditEvent",
        wider=tuple(wider),
    )


def _harmless(value: str) -> str:
    text = value.strip()
    if len(text) > MAX_VALUE or not text.isprintable():
        raise FHIRError(
            IssueType.INVALID,
            f"A filter is one line of at most {MAX_VALUE} characters.",
        )
    return text


def _timed(
    fields: Mapping[str, str], zone: tzinfo
) -> tuple[AuditFilter, list[Pair], list[str]]:
    since = typed(fields["since"], zone)[0] if "since" in fields else None
    until = typed(fields["until"], zone)[1] if "until" in fields else None
    if since is not None and until is not None and until <= since:
        raise FHIRError(IssueType.INVALID, "The time ends before it begins.")
    pairs = [
        ("date", f"{prefix}{_instant(bound)}")
        for prefix, bound in (("ge", since), ("lt", until))
        if bound is not None
    ]
    return AuditFilter(since_us=since, until_us=until), pairs, []


def _instant(us: int) -> str:
    text = at(us, UTC).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z") if us % 1_000_000 == 0 else fhir_instant(us)


def _patients(fields: Mapping[str, str]) -> Iterator[str]:
    if "patient" in fields:
        yield fields["patient"].removeprefix(_PATIENT)
    if fields.get("what", "").startswith(_PATIENT):
        yield fields["what"].removeprefix(_PATIENT)


_PATIENT, _CONSENT = "Patient/", "Consent/"
_MAX_ROW = 18
"""Digits of the number of a row."""


def _what(asked: AuditFilter, value: str, pseudonym: Pseudonym) -> Heeded:
    """Heed the bar: a row's number, a Patient, a Consent, or who took part."""
    if value.isascii() and value.isdigit() and len(value) <= _MAX_ROW:
        number = int(value)
        return Heeded(replace(asked, indexes=(number,)), (("_id", str(number)),))
    if value.startswith(_PATIENT):
        return _patient(asked, value, pseudonym)
    if value.startswith(_CONSENT):
        return _basis(asked, value, pseudonym)
    return Heeded(replace(asked, agents=(value,)), (("agent", value),))


def _patient(asked: AuditFilter, value: str, pseudonym: Pseudonym) -> Heeded:
    id_ = value.removeprefix(_PATIENT)
    name = pseudonym(id_)
    both = () if asked.patients and name not in asked.patients else (name,)
    changed = replace(asked, patients=both, is_nothing=asked.is_nothing or not both)
    return Heeded(changed, (("patient", id_),))


def _basis(asked: AuditFilter, value: str, _: Pseudonym) -> Heeded:
    """Heed a Consent, a version of one, or another basis in the log's own words."""
    id_ = value.removeprefix(_CONSENT)
    name = id_ if "/_history/" in id_ else f"{id_}/"
    is_consent = value.startswith(_CONSENT)
    basis = AuditFilter(bases=(f"consent {name}" if is_consent else value,))
    if asked.bases:
        return Heeded(replace(asked, also=(*asked.also, basis)), is_exact=False)
    pairs = (("entity", value),) if is_consent else ()
    return Heeded(replace(asked, bases=basis.bases), pairs, is_consent)


def _action(asked: AuditFilter, value: str, _: Pseudonym) -> Heeded:
    found = _one_of(Interaction, value, "action")
    pair, is_exact = _coded(found)
    return Heeded(replace(asked, interactions=(found,)), (pair,), is_exact)


def _coded(interaction: Interaction) -> tuple[Pair, bool]:
    """Return the parameter of an interaction, and whether no other has its code."""
    pattern = PATTERNS[interaction]
    if not pattern.subtypes:
        type_ = pattern.type
        return ("type", f"{type_.system}|{type_.code}"), _TYPES[type_] == 1
    subtype = pattern.subtypes[0]
    pair = ("subtype", f"{subtype.system}|{subtype.code}")
    return pair, _SUBTYPES[subtype.system, subtype.code] == 1


_TYPES = Counter(one.type for one in PATTERNS.values())
_SUBTYPES = Counter(
    (coding.system, coding.code) for one in PATTERNS.values() for coding in one.subtypes
)

_LEVELS: Mapping[Outcome, tuple[str, bool]] = MappingProxyType(
    {
        Outcome.ALLOWED: ("0", True),
        Outcome.DENIED: ("8", False),
        Outcome.ERROR: ("4,8", False),
    }
)
"""`AuditEvent.outcome` tells the service's own failures and denials alike."""


def _outcome(asked: AuditFilter, value: str, _: Pseudonym) -> Heeded:
    found = _one_of(Outcome, value, "outcome")
    code, is_exact = _LEVELS[found]
    return Heeded(replace(asked, outcomes=(found,)), (("outcome", code),), is_exact)


def _one_of(words: type[Word], value: str, name: str) -> Word:
    try:
        return words(value)
    except ValueError:
        raise FHIRError(
            IssueType.INVALID, f"There is no such {name} in the log."
        ) from None


def _unexplained(asked: AuditFilter, _: str, __: Pseudonym) -> Heeded:
    return Heeded(replace(asked, is_unexplained=True), is_exact=False)


def _name(attribute: str, parameter: str | None) -> Heed:
    """Return what heeds one name."""

    def heed(asked: AuditFilter, value: str, _: Pseudonym) -> Heeded:
        changes: dict[str, tuple[str, ...]] = {attribute: (value,)}
        pairs = () if parameter is None else ((parameter, value),)
        return Heeded(replace(asked, **changes), pairs, parameter is not None)  # type: ignore[arg-type]  # names of texts

    return heed


def _never(asked: AuditFilter, _: str, __: Pseudonym) -> Heeded:
    """Stand for the times, which are heeded together."""
    return Heeded(asked)


_TIMES = ("since", "until")

FIELDS: Mapping[str, tuple[str, Heed]] = MappingProxyType(
    {
        "since": ("From", _never),
        "until": ("Until", _never),
        "what": ("Search", _what),
        "user": ("Person", _name("users", "agent")),
        "client": ("Client", _name("clients", "agent")),
        "patient": ("Patient id", _patient),
        "action": ("Action", _action),
        "purpose": ("Purpose", _name("purposes", "purpose")),
        "outcome": ("Outcome", _outcome),
        "basis": ("Basis", _basis),
        "type": ("Resource type", _name("types", None)),
        "address": ("Network address", _name("addresses", "address")),
        "unexplained": ("Unexplained only", _unexplained),
    }
)
"""The fields of the form: label, and what heeds the value."""
