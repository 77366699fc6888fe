from decimal import Decimal

import pytest

from consent.readability import (
    MEASURES,
    Counts,
    counts,
    fernandez_huerta,
    flesch_kincaid,
)
from consent.syllables import english
from consent.words import LANGUAGES


def test_a_block_ends_a_sentence_and_so_does_a_full_stop():
    found = counts(["Who may do it?", "you", "No. It is 12.5 kg"], english)

    assert found == Counts(sentences=4, words=9, syllables=9)


def test_figures_and_signs_are_no_words():
    assert counts(["2026-03-01", "12 (3)", "…"], english) == Counts(0, 0, 0)


def test_a_quoted_sentence_ends_with_its_quotes():
    assert counts(["“It is so.” We go."], english).sentences == 2


# By hand: 10 words, 1 sentence, 12 syllables;
# 0.39 * 10 + 11.8 * 1.2 - 15.59 = 2.47.
def test_the_grade_of_an_english_sentence_is_that_of_flesch_and_kincaid():
    text = ["The doctor may look at your heart rate every day."]

    assert flesch_kincaid(text) == Decimal("2.5")


# By hand: 8 words, 1 sentence, 15 syllables;
# 206.84 - 60 * 1.875 - 1.02 * 8 = 86.18.
def test_the_ease_of_a_spanish_sentence_is_that_of_fernandez_huerta():
    text = ["El médico puede ver su ritmo cardíaco hoy."]

    assert fernandez_huerta(text) == Decimal("86.2")


def test_a_text_of_officials_misses_both_targets():
    officials = {
        "en": ["Authorization encompasses disclosure of identifiable information."],
        "es": ["La autorización comprende la divulgación de información privada."],
    }

    for language, text in officials.items():
        measure = MEASURES[language]
        assert not measure.meets(measure.of(text))


@pytest.mark.parametrize(
    ("language", "met", "missed"),
    [
        ("en", "8.0", "8.1"),
        ("es", "70.0", "69.9"),
    ],
)
def test_the_target_itself_is_met(language, met, missed):
    meets = MEASURES[language].meets

    assert meets(Decimal(met))
    assert not meets(Decimal(missed))


def test_every_language_has_a_measure():
    assert tuple(MEASURES) == LANGUAGES


def test_a_text_without_words_is_easy():
    assert all(measure.meets(measure.of(["12"])) for measure in MEASURES.values())
