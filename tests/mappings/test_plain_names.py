"""Every kind has a name that people understand, in English and in Spanish."""

import pytest

from mappings.kinds import SYSTEMS, kinds
from mappings.plain_names import plain_name, plain_names

LANGUAGES = ("en", "es")


def test_every_kind_has_names_and_nothing_else_has():
    assert list(plain_names()) == list(kinds())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_is_empty_and_no_two_kinds_share_one(language):
    names = [row[language] for row in plain_names().values()]

    assert all(name and name == name.strip() for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_coding_of_a_kind_is_named(language):
    for kind in kinds().values():
        for coding in kind.codings:
            assert plain_name(coding.system, coding.code, language)


@pytest.mark.parametrize(
    ("system", "code", "language", "name"),
    [
        ("loinc", "8867-4", "en", "heart rate"),
        ("loinc", "8867-4", "es", "ritmo cardíaco"),
        ("mdc", "150456", "es", "oxígeno en la sangre"),
        ("local", "falls", "es", "caídas"),
        ("mdc", "8454247", "en", "how far you went"),
        ("loinc", "8867-4", "fr", None),
        ("loinc", "8867", "en", None),
        ("mdc", "8867-4", "en", None),
    ],
)
def test_a_name_is_found_by_its_exact_coding(system, code, language, name):
    assert plain_name(SYSTEMS[system], code, language) == name
