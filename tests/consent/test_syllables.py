"""The counters against words whose syllables are known.

English counts are those of the CMU Pronouncing Dictionary; Spanish ones follow the
Ortografía de la lengua española (2010).
"""

import pytest

from consent.syllables import english, spanish

ENGLISH = {
    1: "the what who use made times seen fast asked health through closed breathe AIDS "
    "friends",
    2: "data reason people table wanted heartbeat being create quiet science every "
    "themselves business private little sickle measured movement someone tired going "
    "well-known self-harm boxes",
    3: "battery radio video decided area oxygen family hospital idea computer suicide "
    "sexual devices example medium various annual alcohol systolic everyone HIV",
    4: "temperature January emergency opioid psychiatry anxiety anemia diastolic",
    5: "immediately refrigerator university",
}

SPANISH = {
    1: "de que quien muy ley buey soy pie bien Dios guion y",
    2: "datos ritmo presión aún día río guerra ciudad causa ahí país baúl leer cuidar "
    "viudo siete huevo deuda búho ayer agua prohibir",
    3: "corazón permite médico ahora poeta caídas había reúne caminar "
    "construía respuesta pingüino aceite leía cuídate caliente",
    4: "cardíaco oxígeno aparato energía almohada paranoia vehículo decidía diabético",
    5: "temperatura respiratorio VIH",
}


@pytest.mark.parametrize(
    ("word", "count"),
    [(word, count) for count, words in ENGLISH.items() for word in words.split()],
)
def test_an_english_word_has_its_syllables(word, count):
    assert english(word) == count


@pytest.mark.parametrize(
    ("word", "count"),
    [(word, count) for count, words in SPANISH.items() for word in words.split()],
)
def test_a_spanish_word_has_its_syllables(word, count):
    assert spanish(word) == count


def test_an_apostrophe_makes_no_syllable():
    assert english("don't") == english("don\u2019t") == 1


def test_accents_in_either_normal_form_are_one():
    assert spanish("di\u0301a") == spanish("d\u00eda") == 2
