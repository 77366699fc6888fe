"""A consent in plain sentences, made of the same provisions that are enforced.

What a consent says that cannot be carried out is told as that, with its place; what
we do not know is quoted. Nothing is left out, and nothing comes from elsewhere.

https://hl7.org/fhir/R4/narrative.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from consent.blocks import Block, Text, listed, xhtml
from consent.clause_words import clause_block
from consent.clauses import root
from consent.dates import moment_words
from consent.in_force import Enforced
from consent.lint import PERIODS
from consent.named import Sources, Teller
from consent.provisions import ParsedConsent, Scope, read
from consent.references import Deployment
from consent.words import LANGUAGES, language_of, sentences

_XMLNS = 'xmlns="http://www.w3.org/1999/xhtml"'


def languages(consent: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in which languages the narrative is: that of the consent, else all."""
    language = language_of(consent.get("language"))
    return LANGUAGES if language is None else (language,)


def narrative(
    consent: Mapping[str, Any],
    *,
    deployment: Deployment,
    sources: Sources,
    enforced: Enforced,
) -> dict[str, str]:
    """Return the value of `Consent.text`.

    Args:
        consent: The resource.
        deployment: Zone and bases.
        sources: Names that the consent does not hold.
        enforced: What the store can enforce.

    """
    told = {
        language: xhtml(
            text(
                consent,
                language=language,
                deployment=deployment,
                sources=sources,
                enforced=enforced,
            )
        )
        for language in languages(consent)
    }
    if len(told) == 1:
        [(language, inside)] = told.items()
        div = f"<div {_XMLNS} {_lang(language)}>{inside}</div>"
    else:
        parts = (f"<div {_lang(each)}>{inside}</div>" for each, inside in told.items())
        div = f"<div {_XMLNS}>{''.join(parts)}</div>"
    return {"status": "generated", "div": div}


def _lang(language: str) -> str:
    return f'lang="{language}" xml:lang="{language}"'


def text(
    consent: Mapping[str, Any],
    *,
    language: str,
    deployment: Deployment,
    sources: Sources,
    enforced: Enforced,
) -> Text:
    """Return the consent in words; of any shape, never raising.

    Args:
        consent: The resource.
        language: One of `words.LANGUAGES`.
        deployment: Zone and bases.
        sources: Names that the consent does not hold.
        enforced: What the store can enforce.

    """
    parsed = read(consent, deployment=deployment)
    teller = Teller(
        language=language,
        deployment=deployment,
        sources=sources,
        patient=parsed.patient,
    )
    return (
        Block(teller.say("title"), tuple(_facts(teller, consent, parsed))),
        _rules(teller, consent, parsed, enforced),
        Block(teller.say("read"), tuple(_notes(teller, consent, parsed))),
        *_withdrawal(teller, consent, parsed),
    )


def _facts(
    teller: Teller, consent: Mapping[str, Any], parsed: ParsedConsent
) -> Iterator[Block]:
    if not parsed.is_active:
        status = f"status.{consent.get('status')}"
        known = status if status in sentences() else "status.other"
        yield Block(teller.say(known))
    if parsed.patient is None:
        yield Block(teller.say("no_patient"))
    scope = f"scope.{parsed.scope.value}"
    if scope in sentences():
        yield Block(teller.say(scope))
    if parsed.from_us is not None:
        zone = teller.deployment.zone
        at = moment_words(str(consent["dateTime"]), teller.language, zone)
        yield Block(teller.say("given", at=at))
    given_by = _references(teller, consent, "performer")
    if given_by:
        yield listed(teller.say("given_by"), given_by)


def _references(teller: Teller, consent: Mapping[str, Any], name: str) -> list[str]:
    entries = consent.get(name)
    if not isinstance(entries, list):
        return []
    return [teller.reference(entry) for entry in entries]


def _rules(
    teller: Teller,
    consent: Mapping[str, Any],
    parsed: ParsedConsent,
    enforced: Enforced,
) -> Block:
    if parsed.root is None:
        places = (
            teller.quote(issue.expression or "Consent") for issue in parsed.faults
        )
        why = listed(teller.say("fault.places"), places)
        return Block(teller.say("fault"), (why,))
    if not enforced.covers(parsed):
        why = Block(teller.say("fault.unsupported"))
        return Block(teller.say("fault"), (why,))
    return clause_block(teller, root(consent))


def _notes(
    teller: Teller, consent: Mapping[str, Any], parsed: ParsedConsent
) -> Iterator[Block]:
    yield Block(teller.say("read.doubt"))
    yield Block(teller.say("read.sides"))
    if parsed.depth:
        yield Block(teller.say("read.inside"))
    if "dateTime" in consent or not parsed.elements.isdisjoint(PERIODS):
        yield Block(teller.say("read.zone", zone=teller.deployment.zone))
    yield Block(teller.say("read.others"))


def _withdrawal(
    teller: Teller, consent: Mapping[str, Any], parsed: ParsedConsent
) -> Iterator[Block]:
    if not parsed.is_active or parsed.scope is Scope.OTHER:
        return
    holders = _references(teller, consent, "organization")
    tell = (
        listed(teller.say("withdraw.tell"), holders)
        if holders
        else Block(teller.say("withdraw.tell_place"))
    )
    any_time = Block(teller.say("withdraw.any_time"))
    after = Block(teller.say("withdraw.after"))
    yield Block(teller.say("withdraw"), (any_time, tell, after))
