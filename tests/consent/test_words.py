"""Every code that is accepted has words in both languages, and all are easy to read."""

import re
from string import Formatter

import pytest

from conformance.definitions import type_names
from consent.capture import ENTRY_RULES
from consent.codes import (
    ACT_CODE,
    ACT_REASON,
    ACTIONS,
    CONFIDENTIALITY,
    CONSENT_ACTION,
    LEVELS,
    LOINC,
    MEASUREMENT,
    PURPOSES,
    RESOURCE_TYPES,
    SELECTABLE_SENSITIVITIES,
)
from consent.elements import is_label
from consent.label_tables import CODE_LABELS
from consent.readability import MEASURES
from consent.references import Deployment
from consent.words import (
    LANGUAGES,
    SYSTEMS,
    language_of,
    plain,
    plain_codes,
    said,
    sentences,
)

ACCEPTED = {
    "action": [(CONSENT_ACTION, code) for code in ACTIONS],
    "purpose": [(ACT_REASON, code) for code in PURPOSES],
    "level": [(CONFIDENTIALITY, code) for code in LEVELS],
    "sensitivity": [(ACT_CODE, code) for code in SELECTABLE_SENSITIVITIES],
    "type": [(RESOURCE_TYPES, name) for name in type_names()],
    "loinc": [coding for coding in CODE_LABELS if coding[0] == LOINC],
    "measurement": [coding for coding in CODE_LABELS if coding[0] == MEASUREMENT],
}
"""Part of plain_codes.csv → the codings that it must have."""

QUESTIONS = {
    "action": "ask.action.permit",
    "purpose": "ask.purpose.permit",
    "level": "ask.level",
    "sensitivity": "ask.sensitivity",
    "type": "ask.class",
    "loinc": "ask.code",
    "measurement": "ask.code",
}
"""Part of plain_codes.csv → the question that its codes answer."""

ANSWERS = {
    r"any\.(action|actor|purpose)\.(permit|deny|none)": "ask.{0}.{1}",
    r"(?:start|end)\..*": "ask.period",
    r"month\..*": "ask.period",
    r"level\..*": "ask.level",
    r"(?:instance|related|dependents|authoredby)\..*": "ask.data",
}
"""Keys of sentences that stand below a question → its key; others stand alone."""

PARTS = {
    "at": {"en": "5 January 2026", "es": "5 de enero de 2026"},
    "code": {"en": "12", "es": "12"},
    "day": {"en": "5", "es": "5"},
    "first": {"en": "you", "es": "usted"},
    "level": {"en": "normal health data", "es": "datos normales de salud"},
    "month": {"en": "March", "es": "marzo"},
    "name": {"en": "“Harbor Clinic”", "es": "«Clínica del Puerto»"},
    "second": {"en": "your wife", "es": "su mujer"},
    "text": {"en": "“12”", "es": "«12»"},
    "time": {"en": "10:00", "es": "10:00"},
    "year": {"en": "2026", "es": "2026"},
    "zone": {"en": "UTC", "es": "UTC"},
}


def test_the_labeller_knows_codes_of_no_other_system():
    assert {system for system, _ in CODE_LABELS} <= set(SYSTEMS.values())


def missed(language, blocks):
    """Return the measure of a text that misses the target, else None."""
    measure = MEASURES[language]
    found = measure.of(blocks)
    return None if measure.meets(found) else (found, blocks)


def in_its_place(key, language):
    """Return a sentence with its parts, after the question that it answers."""
    told = said(key, language, **{name: PARTS[name][language] for name in PARTS})
    for pattern, question in ANSWERS.items():
        match = re.fullmatch(pattern, key)
        if match:
            return [said(question.format(*match.groups()), language), told]
    return [told]


def test_every_code_that_is_accepted_has_words_and_no_other():
    found = {part: set() for part in ACCEPTED}
    parts = {system: part for part, system in SYSTEMS.items()}
    for system, code in plain_codes():
        found[parts[system]].add((system, code))

    assert found == {part: set(codings) for part, codings in ACCEPTED.items()}


@pytest.mark.parametrize("name", ["action", "purpose", "class"])
def test_what_has_words_is_accepted_when_a_consent_is_written(name):
    part = {"class": "type"}.get(name, name)
    refused = [
        code
        for system, code in ACCEPTED[part]
        if ENTRY_RULES[name](
            {"coding": [{"system": system, "code": code}]}
            if name == "action"
            else {"system": system, "code": code},
            Deployment(zone=None),
        )
    ]

    assert refused == []


def test_every_label_that_is_known_has_words():
    labels = [*ACCEPTED["level"], *ACCEPTED["sensitivity"]]

    assert all(is_label(label) and plain(label, "es") for label in labels)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_words_are_empty_and_no_two_codes_of_a_part_have_the_same(language):
    for part, codings in ACCEPTED.items():
        words = [plain(coding, language) for coding in codings]
        assert all(word and word == word.strip() for word in words)
        if part != "loinc":  # Two versions of a question may be called the same.
            assert len(set(words)) == len(words)


def test_both_languages_say_the_same_parts():
    def parts(text):
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name)

    assert [
        key for key, row in sentences().items() if parts(row["en"]) != parts(row["es"])
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fixed_sentence_is_easy_to_read(language):
    hard = [missed(language, in_its_place(key, language)) for key in sentences()]

    assert [each for each in hard if each] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ACCEPTED)
def test_every_code_is_easy_to_read_below_its_question(part, language):
    question = said(QUESTIONS[part], language)
    words = [plain(coding, language) for coding in ACCEPTED[part]]
    if part == "level":
        words = [said("level.permit", language, level=word) for word in words]

    hard = [missed(language, [question, word]) for word in words]

    assert [each for each in hard if each] == []


def test_what_is_put_in_is_never_read_as_a_template():
    told = said("quoted", "en", text="{zone} %s {0}")

    assert "{zone} %s {0}" in told


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("en-US", "en"),
        ("es-MX", "es"),
        ("ES", "es"),
        ("est", None),
        ("de", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_language_tag_means_one_of_ours_or_none(tag, language):
    assert language_of(tag) == language
