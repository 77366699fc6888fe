"""Scopes in plain words: complete, and the same in each language."""

from collections.abc import Iterator

import pytest

from conformance.classes import DERIVED, PATIENT_DATA, SHARED
from fhir_service.auth.grantable import WORDS
from fhir_service.auth.role_scopes import ROLE_SCOPES
from fhir_service.auth.scope_parts import CATEGORIES, TYPES, parts
from fhir_service.auth.scopes import parse_scope, read_scopes
from fhir_service.pages.scope_texts import KNOWN, part_words, sentence
from fhir_service.pages.texts import LANGUAGES, duration, said, texts

SERVED = sorted({*PATIENT_DATA, *SHARED, *DERIVED})
VITAL = (
    "category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
)


def told(scope: str, language: str = "en") -> str:
    return sentence(scope, language, patient="Ada Example", offline="90 days")


def every_scope() -> Iterator[str]:
    yield from WORDS
    for text in ROLE_SCOPES.values():
        yield from map(str, read_scopes(text))
    for type_ in ("*", *SERVED):
        for level in ("patient", "user"):
            for letters in ("rs", "cruds", "c", "d", "read", "*"):
                yield f"{level}/{type_}.{letters}"
    for type_, categories in CATEGORIES.items():
        for system, code in categories:
            yield f"patient/{type_}.rs?category={system}|{code}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_scope_that_is_served_has_its_sentence(language: str) -> None:
    sentences = {scope: told(scope, language) for scope in every_scope()}

    for scope, text in sentences.items():
        assert text.endswith("."), scope
        assert text[0].isupper(), scope
        assert "{" not in text, scope
        assert "  " not in text, scope


def test_no_two_types_are_called_the_same() -> None:
    for language in LANGUAGES:
        words = [said(f"type.{type_}", language) for type_ in ("*", *SERVED)]
        assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("scope", "english", "spanish"),
    [
        (
            "patient/Observation.rs",
            "See measurements and test results in the record of Ada Example.",
            "Ver mediciones y resultados en la historia de Ada Example.",
        ),
        (
            "user/Goal.cruds",
            (
                "See, add, change and delete goals of care in every record that you "
                "may use here."
            ),
            (
                "Ver, añadir, cambiar y borrar objetivos de la atención en todas las "
                "historias que usted puede usar aquí."
            ),
        ),
        (
            "patient/Practitioner.r",
            "See care professionals.",
            "Ver profesionales de la salud.",
        ),
        (
            f"patient/Observation.s?{VITAL}",
            (
                "See measurements and test results (only vital signs, such as heart "
                "rate and blood pressure) in the record of Ada Example."
            ),
            (
                "Ver mediciones y resultados (solo signos vitales, como el pulso y la "
                "presión) en la historia de Ada Example."
            ),
        ),
        (
            "patient/Observation.rs?category=urn:x|mine",
            (
                "See measurements and test results (only those marked “mine”) in the "
                "record of Ada Example."
            ),
            (
                "Ver mediciones y resultados (solo lo marcado como «mine») en la "
                "historia de Ada Example."
            ),
        ),
        (
            "patient/Flag.cu",
            "Add and change warnings in the record of Ada Example.",
            "Añadir y cambiar advertencias en la historia de Ada Example.",
        ),
        (
            "offline_access",
            "Go on while you are not here, for up to 90 days.",
            "Seguir cuando usted no está, hasta 90 days.",
        ),
    ],
)
def test_a_scope_is_a_plain_sentence(scope: str, english: str, spanish: str) -> None:
    assert told(scope) == english
    assert told(scope, "es") == spanish


def test_a_code_of_a_foreign_system_does_not_borrow_words() -> None:
    text = told("patient/Observation.rs?category=urn:x|vital-signs")

    assert "those marked “vital-signs”" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_has_its_words(language: str) -> None:
    for scope in ("patient/Observation.rs", "user/Condition.r", "patient/*.rs"):
        words = [part_words(part, language) for part in parts(parse_scope(scope))]
        assert len(set(words)) == len(words) > 1


def test_every_known_category_and_type_has_words() -> None:
    for _, code in KNOWN:
        assert f"category.{code}" in texts()
    assert set(TYPES) <= set(SERVED)
    named = {key.removeprefix("type.") for key in texts() if key.startswith("type.")}
    assert named == {"*", *SERVED}


def test_every_text_is_there_in_each_language_with_the_same_places() -> None:
    for key, row in texts().items():
        places = [
            {part.split("}")[0] for part in row[language].split("{")[1:]}
            for language in LANGUAGES
        ]
        assert all(row[language] for language in LANGUAGES), key
        assert places[0] == places[1], key


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (60, "1 minute", "1 minuto"),
        (300, "5 minutes", "5 minutos"),
        (3600, "1 hour", "1 hora"),
        (5400, "90 minutes", "90 minutos"),
        (86_400, "1 day", "1 día"),
        (90 * 86_400, "90 days", "90 días"),
        (10, "1 minute", "1 minuto"),
    ],
)
def test_a_duration_is_told_in_whole_units(
    seconds: int, english: str, spanish: str
) -> None:
    assert duration(seconds, "en") == english
    assert duration(seconds, "es") == spanish
