"""What a consent says, it says in words: complete, in its place, and harmless."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from consent_samples import EVERYTHING, SAMPLES, SOURCES, sample
from consent_worlds import BASE, LOINC, T
from text_reader import walk

from conformance.narrative import narrative_problem
from consent.blocks import harmless, lines
from consent.dates import moment_words
from consent.in_force import Enforced
from consent.named import Sources
from consent.readability import MEASURES
from consent.references import Deployment
from consent.text import narrative, text
from consent.words import LANGUAGES

FAULT = (
    "We can not carry this out as it stands. While that is so we say no to all that"
    " it may be about."
)
MAY_KEEP_OUT_MORE = "We do not know what this means, so it may keep out more."
BERLIN = Deployment(zone=ZoneInfo("Europe/Berlin"), own_bases=(BASE,))
NO_NAMES = Sources(display=lambda *_: None, name=lambda _: None)


def told(consent, language="en", *, sources=SOURCES, place=BERLIN, enforced=EVERYTHING):
    return text(
        consent,
        language=language,
        deployment=place,
        sources=sources,
        enforced=enforced,
    )


def as_lines(consent, language="en", **more):
    return list(lines(told(consent, language, **more)))


def div(consent, **more):
    made = narrative(
        consent,
        deployment=BERLIN,
        sources=more.get("sources", SOURCES),
        enforced=EVERYTHING,
    )
    return made["div"]


def rules(consent, language="en", **more):
    """Return the block of the root provision."""
    return told(consent, language, **more)[1]


def found_below(block, question):
    """Return the entries below a question, wherever in the block it stands."""
    return [
        item.text
        for answer in walk(block)
        if answer.text.startswith(question)
        for item in answer.items
    ]


@pytest.mark.parametrize(
    ("name", "language", "file"),
    [
        ("clinic without sleep", "en", "clinic-without-sleep.en.txt"),
        ("nothing but a year of one kind", "es", "year-of-one-kind.es.txt"),
    ],
)
def test_a_consent_is_told_in_plain_sentences(name, language, file):
    expected = (Path(__file__).parent / "texts" / file).read_text(encoding="utf-8")

    assert as_lines(sample(name), language) == expected.splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_whole_text_is_easy_to_read(name, language):
    blocks = [each for block in told(sample(name), language) for each in block.texts]

    measure = MEASURES[language]

    assert measure.meets(measure.of(blocks)), measure.of(blocks)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_narrative_is_such_as_fhir_allows(name):
    assert narrative_problem(div(sample(name))) is None


def test_without_a_language_the_narrative_has_both():
    made = div(sample("clinic without sleep"))

    assert made.startswith(
        '<div xmlns="http://www.w3.org/1999/xhtml"><div lang="en" xml:lang="en">'
    )
    assert '</div><div lang="es" xml:lang="es">' in made
    assert "What you allow" in made
    assert "Lo que usted permite" in made


def test_a_consent_in_spanish_has_its_narrative_in_spanish():
    made = div({**sample("clinic without sleep"), "language": "es-MX"})

    assert made.startswith(
        '<div xmlns="http://www.w3.org/1999/xhtml" lang="es" xml:lang="es">'
    )
    assert "Lo que usted permite" in made
    assert "What you allow" not in made


def test_a_consent_in_a_third_language_has_both():
    made = div({**sample("clinic without sleep"), "language": "fr"})

    assert "Lo que usted permite" in made
    assert "What you allow" in made


HOSTILE = '</li><script>alert(1)</script>&amp;\x1b[31m\u202e\x00\ud800"' + "x" * 900


def test_names_and_displays_of_others_are_escaped_and_cut():
    consent = sample("clinic without sleep")
    consent["provision"]["code"] = [
        {"coding": [{"system": LOINC, "code": "1-1", "display": HOSTILE}]},
        {"text": HOSTILE},
    ]
    consent["provision"]["actor"] = [{"reference": {"display": HOSTILE}}]
    hostile = Sources(display=lambda *_: HOSTILE, name=lambda _: HOSTILE)

    made = div(consent) + div(consent, sources=hostile)

    assert narrative_problem(div(consent)) is None
    assert narrative_problem(div(consent, sources=hostile)) is None
    assert "<script" not in made
    assert "x" * 121 not in made
    assert not {"\x1b", "\u202e", "\x00", "\ud800"} & set(made)


def test_a_quoted_text_is_one_line():
    assert harmless("a\n b\t\u2028c") == "a b c"


def test_a_code_that_nobody_knows_is_quoted_with_its_code():
    consent = sample("clinic without sleep")
    consent["provision"]["code"] = [
        {"coding": [{"system": LOINC, "code": "1-1", "display": "Bone mass"}]},
        {"coding": [{"system": LOINC, "code": "2-2"}]},
        {"coding": [{"system": LOINC, "display": "Mood"}]},
    ]

    entries = found_below(rules(consent), "Which kinds of data?")

    assert entries[:3] == [
        "“Bone mass” (1-1)",
        "“http://loinc.org|2-2”",
        "“Mood”. We do not know what this means, so it opens nothing.",
    ]


def test_a_stored_name_stands_before_the_display_of_the_consent():
    consent = sample("clinic without sleep")
    consent["provision"]["actor"] = [
        {"reference": {"reference": "Organization/clinic", "display": "My friends"}},
        {"reference": {"reference": "Practitioner/x", "display": "Dr X"}},
    ]

    entries = found_below(rules(consent), "Who may do it?")

    assert entries[:2] == ["“Harbor Clinic”", "“Dr X” (Practitioner/x)"]


def test_an_actor_with_a_reference_and_an_identifier_is_told_by_both():
    consent = sample("clinic without sleep")
    both = {
        "reference": "Organization/clinic",
        "identifier": {"system": "http://ids", "value": "7"},
    }
    consent["provision"]["actor"] = [{"reference": both}]

    assert found_below(rules(consent), "Who may do it?")[:1] == [
        "“Harbor Clinic”, or who is known as “http://ids|7”"
    ]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("draft", "This is only a draft. Its rules do not count yet."),
        ("proposed", "This has only been proposed. Its rules do not count yet."),
        ("rejected", "You said no to this. Its rules do not count."),
        ("inactive", "This has ended. Its rules no longer count."),
        (
            "entered-in-error",
            "This was filed by mistake. Its rules do not count.",
        ),
        (None, "We do not know if this counts. So far its rules do not."),
    ],
)
def test_what_is_not_in_force_says_so_and_cannot_be_taken_back(status, sentence):
    made = as_lines({**sample("clinic without sleep"), "status": status})

    assert f"  {sentence}" in made
    assert "How to take it back" not in made


def test_a_consent_to_research_speaks_only_about_research():
    consent = sample("clinic without sleep")
    consent["scope"]["coding"][0]["code"] = "research"

    assert "  It speaks only about research." in as_lines(consent)


def test_a_consent_of_a_scope_that_decides_nothing_says_so():
    consent = sample("clinic without sleep")
    consent["scope"]["coding"][0]["code"] = "adr"

    made = as_lines(consent)

    assert "  It does not decide who may see your data." in made
    assert "How to take it back" not in made


def test_a_consent_without_patient_says_that_it_does_nothing():
    consent = sample("clinic without sleep")
    del consent["patient"]

    assert "  It does not say whose data it is about. So it does nothing." in as_lines(
        consent
    )


def test_a_consent_with_a_fault_is_told_as_a_denial_with_the_place():
    consent = sample("clinic without sleep")
    consent["provision"]["provision"][0]["type"] = "DENY"

    block = rules(consent)

    assert list(lines([block])) == [
        FAULT,
        "  The fault is here:",
        "    “Consent.provision.provision[0].type”",
    ]


def test_a_rule_that_is_not_enforced_is_told_as_a_denial():
    one_level = Enforced(elements=EVERYTHING.elements, depth=1)

    block = rules(sample("clinic without sleep"), enforced=one_level)

    assert list(lines([block])) == [
        FAULT,
        "  It holds a kind of rule that we can not keep yet.",
    ]


def test_a_root_without_type_says_neither_yes_nor_no():
    consent = sample("clinic without sleep")
    del consent["provision"]["type"]
    empty = {**consent, "provision": {}}

    assert as_lines(consent)[4:6] == [
        "Your rules",
        "  By itself this says neither yes nor no. Only the rules inside it count.",
    ]
    assert rules(empty).items[0].text == "It holds no rule. So it changes nothing."


def test_a_permit_inside_a_denial_of_all_opens_what_is_kept_out():
    consent = sample("clinic without sleep")
    consent["provision"] = {"type": "deny", "provision": [{"type": "permit"}]}

    nested = rules(consent).items[-1]

    assert list(lines([nested])) == [
        "Except for this, which is allowed:",
        "  Which data?",
        "    all that is kept out above",
    ]


def test_a_level_or_a_topic_is_enough_for_a_denial():
    consent = sample("clinic without sleep")
    consent["provision"] = {
        "type": "deny",
        "securityLabel": [
            {"system": T + "v3-Confidentiality", "code": "R"},
            {"system": T + "v3-ActCode", "code": "MH"},
            {"system": "http://local", "code": "z"},
        ],
    }

    [either, *_] = rules(consent).items

    assert either.text == "The level, the topic or the mark is enough."
    assert [
        (each.text.partition("?")[0], each.items[0].text) for each in either.items
    ] == [
        ("How private", "very private data, and all that is more private"),
        ("On which private topics", "mental health"),
        ("With which other marks", f"“http://local|z”. {MAY_KEEP_OUT_MORE}"),
    ]
    assert either.items[2].text == "With which other marks?"


def test_the_label_system_in_the_wild_is_read_as_the_code_system():
    consent = sample("clinic without sleep")
    consent["provision"]["securityLabel"] = [
        {
            "system": "http://terminology.hl7.org/ValueSet/v3-Confidentiality",
            "code": "N",
        }
    ]

    assert found_below(rules(consent), "How private?")[0] == (
        "normal health data, and all that is less private"
    )


DATA = {
    ("instance", "Device/ring", "permit"): "only “Device/ring”",
    ("instance", "Device/ring", "deny"): "only “Device/ring”",
    ("related", "Device/ring", "permit"): "“Device/ring”, and all that it names",
    ("related", "Encounter/e", "permit"): (
        "“Encounter/e”, all that it names, and all that was noted in it"
    ),
    ("related", "Encounter/e", "deny"): ("“Encounter/e”, and all that is linked to it"),
    ("dependents", "Device/ring", "permit"): "“Device/ring”, and what it measured",
    ("dependents", "DeviceMetric/m", "deny"): (
        "“DeviceMetric/m”, what it measured, and all that names it"
    ),
    ("dependents", "Encounter/e", "permit"): "“Encounter/e”, and all that names it",
    ("dependents", "Encounter/e", "deny"): "“Encounter/e”, and all that names it",
    ("instance", "Patient/p", "permit"): "only the record of who you are",
    ("authoredby", "Practitioner/dr", "deny"): "what was made by “Practitioner/dr”",
    ("else", "Device/ring", "permit"): (
        "“else” “Device/ring”. We do not know what this means, so it opens nothing."
    ),
}


@pytest.mark.parametrize(("meaning", "reference", "kind"), DATA)
def test_named_data_is_told_by_what_belongs_to_it(meaning, reference, kind):
    datum = {"meaning": meaning, "reference": {"reference": reference}}
    consent = {
        **sample("clinic without sleep"),
        "provision": {"type": kind, "data": [datum]},
    }

    entries = found_below(rules(consent, sources=NO_NAMES), "Which records?")

    assert entries == [DATA[meaning, reference, kind]]


def test_a_moment_is_told_in_the_zone_of_the_deployment():
    consent = sample("clinic without sleep")
    consent["provision"]["period"] = {
        "start": "2026-03-29T00:59:59.5Z",
        "end": "2026-03-29T01:00:00Z",
    }

    assert found_below(rules(consent), "From when, and until when?") == [
        "from 29 March 2026, 01:59:59.5",
        "until 29 March 2026, 03:00",
    ]


def test_what_is_no_moment_is_not_told_as_one():
    with pytest.raises(ValueError, match="no FHIR instant"):
        moment_words("2026-03-29T25:00:00Z", "en", BERLIN.zone)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_time_can_be_told(moment):
    consent = sample("clinic without sleep")
    consent["provision"]["period"] = {"start": moment}
    far = Deployment(zone=ZoneInfo("Pacific/Kiritimati"))
    west = Deployment(zone=ZoneInfo("Pacific/Pago_Pago"))

    for place in (far, west):
        [entry] = found_below(rules(consent, place=place), "From when")
        assert entry.startswith("from ")


def test_a_denial_of_a_person_says_what_holds_for_who_cannot_be_told():
    consent = sample("clinic without sleep")
    consent["provision"] = {
        "type": "deny",
        "actor": [{"reference": {"reference": "Practitioner/dr"}}],
    }
    of_a_clinic = {
        **consent,
        "provision": {
            "type": "deny",
            "actor": [{"reference": {"reference": "Organization/clinic"}}],
        },
    }
    sentence = "If we can not tell who asks, the answer is no."

    assert any(sentence in each.text for each in walk(rules(consent)))
    assert not any(sentence in each.text for each in walk(rules(of_a_clinic)))
