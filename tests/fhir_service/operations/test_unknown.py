"""Operations that are not answered are refused by their names, at every level."""

import pytest
from outcomes import outcome_of

LEVELS = ("", "Patient/", "Patient/absent/")

COMING = (
    "$export",
    "$expand",
    "$lookup",
    "$validate-code",
    "$subsumes",
    "$translate",
    "$stats",
    "$graphql",
    "$convert",
    "$document",
    "$import",
    "$match",
    "$closure",
    "$find-matches",
    "$apply",
    "$process-message",
)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("$export", "$export is not offered yet."),
        ("$make-tea", "$make-tea is no operation of this server."),
        ("$x_2", "$x_2 is no operation of this server."),
        ("$meta-add", "$meta-add is not offered here"),
    ],
)
def test_an_operation_is_refused_by_name_at_every_level(
    clinic, method, level, name, sentence
):
    answer = clinic.world.http.open(
        f"/fhir/{level}{name}", method=method, headers=clinic.ehr
    )

    [issue] = outcome_of(answer)
    assert (answer.status_code, issue["code"]) == (400, "not-supported")
    assert issue["diagnostics"].startswith(sentence)


@pytest.mark.parametrize("name", COMING)
def test_an_operation_of_the_standard_is_not_offered_yet(clinic, name):
    answer = clinic.world.get(f"/fhir/{name}", clinic.ehr)

    [issue] = outcome_of(answer)
    assert issue["diagnostics"] == f"{name} is not offered yet."


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("Patient/$everything", "Patient/[id]/$everything"),
        ("Encounter/absent/$everything", "Patient/[id]/$everything"),
        ("Patient/$lastn", "Observation/$lastn"),
        ("$validate", "[type]/$validate"),
        ("Patient/$validate", "[type]/$validate"),
        ("Patient/$versions", "$versions"),
    ],
)
def test_an_operation_at_another_place_is_told_where_it_is(clinic, path, instead):
    answer = clinic.world.get(f"/fhir/{path}", clinic.ehr)

    [issue] = outcome_of(answer)
    assert (answer.status_code, issue["code"]) == (400, "not-supported")
    assert instead in issue["diagnostics"]


@pytest.mark.parametrize("level", LEVELS)
def test_without_a_token_no_name_is_looked_at(clinic, level):
    answer = clinic.world.get(f"/fhir/{level}$export", {})

    assert answer.status_code == 401


@pytest.mark.parametrize("name", ["$", "$" + "x" * 41, "$a.b", "$a%2Fb", "$%C3%A4"])
def test_what_is_no_name_is_no_path(clinic, name):
    answer = clinic.world.get(f"/fhir/Patient/{name}", clinic.ehr)

    assert answer.status_code == 404


def test_another_method_is_not_allowed(clinic):
    answer = clinic.world.http.delete("/fhir/Patient/$export", headers=clinic.ehr)

    assert answer.status_code == 405
