"""A provision in words: what data, what may be done, why, by whom, until when.

A row of a table for each element. What an element means to a permit and to a deny is
said in the notes of sentences.csv, which follow `consent.selectors` and
`consent.request_selectors`.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.blocks import Block, listed
from consent.clauses import Clause
from consent.codes import (
    ACT_CODE,
    ACT_REASON,
    ACTIONS,
    CONFIDENTIALITY,
    CONSENT_ACTION,
    PURPOSES,
    RESOURCE_TYPES,
    URI,
)
from consent.contents import coding_parts, concept_codings
from consent.data_references import Meaning
from consent.data_words import datum_words
from consent.dates import period_words
from consent.elements import actor, is_label, label_coding
from consent.named import Teller
from consent.references import target, type_of
from consent.request_selectors import Kind
from consent.words import sentences

Entry = Mapping[str, Any]

_GROUPS = frozenset({"CareTeam", "Group", "HealthcareService", "Organization"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """How the entries of an element are told.

    Attributes:
        words: Yields an entry in words.
        is_known: Whether the evaluator knows what an entry means.

    """

    words: Callable[[Teller, Entry, Kind], Iterator[str]]
    is_known: Callable[[Teller, Entry], bool]


def _concept(teller: Teller, entry: Entry, _: Kind) -> Iterator[str]:
    yield from teller.concept(entry)


def _coding(teller: Teller, entry: Entry, _: Kind) -> Iterator[str]:
    yield teller.coding(entry)


def _actor(teller: Teller, entry: Entry, _: Kind) -> Iterator[str]:
    yield teller.reference(entry.get("reference"))


def _class(teller: Teller, entry: Entry, _: Kind) -> Iterator[str]:
    system, code = coding_parts(entry)
    if system == URI and code:
        yield teller.say("profile", text=teller.quote(code))
    else:
        yield teller.coding(entry)


def _level(teller: Teller, entry: Entry, kind: Kind) -> Iterator[str]:
    yield teller.say(f"level.{_voice(kind)}", level=_label(teller, entry))


def _topic(teller: Teller, entry: Entry, _: Kind) -> Iterator[str]:
    yield _label(teller, entry)


def _label(teller: Teller, entry: Entry) -> str:
    return teller.coding({**entry, "system": label_coding(entry)[0]})


def _always(_: Teller, __: Entry) -> bool:
    return True


def _never(_: Teller, __: Entry) -> bool:
    return False


def _is_known_action(_: Teller, entry: Entry) -> bool:
    return any(
        system == CONSENT_ACTION and code in ACTIONS
        for system, code in concept_codings(entry)
    )


def _is_known_purpose(_: Teller, entry: Entry) -> bool:
    system, code = coding_parts(entry)
    return bool(system and code) and (system != ACT_REASON or code in PURPOSES)


def _is_known_actor(teller: Teller, entry: Entry) -> bool:
    return bool(actor(entry, teller.deployment).names)


def _is_known_class(_: Teller, entry: Entry) -> bool:
    system, code = coding_parts(entry)
    return system in (RESOURCE_TYPES, URI) and code is not None


def _is_coded(_: Teller, entry: Entry) -> bool:
    return bool(concept_codings(entry))


def _is_known_datum(teller: Teller, entry: Entry) -> bool:
    reference = target(entry.get("reference"), teller.deployment.own_bases)
    return reference is not None and str(entry.get("meaning")) in set(Meaning)


ELEMENTS: Mapping[str, Element] = {
    "action": Element(words=_concept, is_known=_is_known_action),
    "purpose": Element(words=_coding, is_known=_is_known_purpose),
    "actor": Element(words=_actor, is_known=_is_known_actor),
    "code": Element(words=_concept, is_known=_is_coded),
    "class": Element(words=_class, is_known=_is_known_class),
    "level": Element(words=_level, is_known=_always),
    "sensitivity": Element(words=_topic, is_known=_always),
    "label": Element(words=_topic, is_known=_never),
    "data": Element(words=datum_words, is_known=_is_known_datum),
}
"""The list elements; `securityLabel` is told as levels, sensitivities and others."""


def clause_block(teller: Teller, clause: Clause) -> Block:
    """Return a provision and all that is nested in it."""
    above = "root" if clause.above is None else clause.above.value
    return Block(
        teller.say(f"heading.{above}.{clause.kind.value}"),
        (
            *_preface(teller, clause),
            *_data(teller, clause),
            *_request(teller, clause),
            *(clause_block(teller, nested) for nested in clause.nested),
        ),
    )


def _preface(teller: Teller, clause: Clause) -> Iterator[Block]:
    if clause.is_exception and clause.data:
        yield Block(teller.say("note.exception"))
    if clause.kind is Kind.NONE:
        yield Block(teller.say("none.rules" if clause.nested else "none.empty"))


def _request(teller: Teller, clause: Clause) -> Iterator[Block]:
    """Yield what is asked of the request; inside a rule only what it adds."""
    tells_all = clause.above is None and clause.kind is not Kind.NONE
    for name in ("action", "purpose", "actor"):
        if name in clause.node:
            yield _element(teller, name, clause.node[name], clause.kind)
        elif tells_all:
            nobody_named = teller.say(f"any.{name}.{clause.kind.value}")
            yield listed(_ask(teller, name, clause.kind), [nobody_named])
    if "period" in clause.node:
        moments = _moments(teller, clause.node["period"])
        yield listed(teller.say("ask.period"), moments)
    elif clause.above is None:
        yield listed(teller.say("ask.period"), [teller.say("any.period")])


def _data(teller: Teller, clause: Clause) -> Iterator[Block]:
    points = list(_points(teller, clause))
    if len(points) > 1:
        question = f"{teller.say('ask.all')} {teller.say('note.all')}"
        yield Block(question, tuple(points))
    elif points:
        yield points[0]
    elif clause.kind is not Kind.NONE:
        all_of_it = "any.data.exception" if clause.is_exception else "any.data"
        yield listed(teller.say("ask.all"), [teller.say(all_of_it)])


def _points(teller: Teller, clause: Clause) -> Iterator[Block]:
    """Yield what the data must be, each by itself."""
    for name, value in clause.data.items():
        if name == "dataPeriod":
            question = _ask(teller, name, clause.kind)
            yield listed(question, _moments(teller, value))
        elif name == "securityLabel":
            yield from _labels(teller, value, clause.kind)
        else:
            yield _element(teller, name, value, clause.kind)


def _moments(teller: Teller, value: Mapping[str, object]) -> Iterator[str]:
    return period_words(value, teller.language, teller.deployment.zone)


def _labels(teller: Teller, entries: list[Entry], kind: Kind) -> Iterator[Block]:
    """Yield levels and sensitivities: both must fit a permit, either fits a deny."""
    sorts: dict[str, list[Entry]] = {}
    for entry in entries:
        sorts.setdefault(_sort_of(entry), []).append(entry)
    blocks = [
        _element(teller, name, sorts[name], kind)
        for name in ("level", "sensitivity", "label")
        if name in sorts
    ]
    if kind is Kind.DENY and len(blocks) > 1:
        yield Block(teller.say("note.labels.deny"), tuple(blocks))
    else:
        yield from blocks


_SORTS = {CONFIDENTIALITY: "level", ACT_CODE: "sensitivity"}


def _sort_of(entry: Entry) -> str:
    coding = label_coding(entry)
    return _SORTS[str(coding[0])] if is_label(coding) else "label"


def _element(teller: Teller, name: str, entries: list[Entry], kind: Kind) -> Block:
    """Return the question that an element answers, and its entries."""
    element = ELEMENTS[name]
    notes = list(_actor_notes(teller, entries, kind)) if name == "actor" else []
    unknown = teller.say(f"note.unknown.{_voice(kind)}")
    return listed(
        " ".join([_ask(teller, name, kind), *notes]),
        (
            words if element.is_known(teller, entry) else f"{words}. {unknown}"
            for entry in entries
            for words in element.words(teller, entry, kind)
        ),
    )


def _ask(teller: Teller, name: str, kind: Kind) -> str:
    """Return an element's question, and its note where the table has one."""
    asks = (f"ask.{name}.{kind.value}", f"ask.{name}")
    notes = (f"note.{name}.{_voice(kind)}",) if name != "actor" else ()
    table = sentences()
    ask = next(key for key in asks if key in table)
    return " ".join(teller.say(key) for key in (ask, *notes) if key in table)


def _voice(kind: Kind) -> str:
    """Return how an element is matched: a root without type is as a permit."""
    return Kind.DENY.value if kind is Kind.DENY else Kind.PERMIT.value


def _actor_notes(teller: Teller, entries: list[Entry], kind: Kind) -> Iterator[str]:
    deployment = teller.deployment
    named = [
        reference
        for entry in entries
        if (reference := target(entry.get("reference"), deployment.own_bases))
    ]
    if any(type_of(reference) in _GROUPS for reference in named):
        yield teller.say("note.actor.group")
    if kind is Kind.DENY and any(
        actor(entry, deployment).may_be_person for entry in entries
    ):
        yield teller.say("note.actor.deny")
