"""What leaves the console as a file, and searches that are kept."""

import csv
import io
import re

import pytest
from people import Browser, enrol, entered, text_of, with_quick_passwords
from worlds import heart_rate

from conformance.validation import validate
from consent.audit import verify_proof
from consent.audit.entry import Interaction
from fhir_service.auth.users import Role
from fhir_service.compliance import exports

FORMULA = "-1+1-formula"


@pytest.fixture
def watched(clinic):
    with_quick_passwords(clinic.world)
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.found(f"Observation?patient={clinic.patient}")
    for name in ("officer", "other"):
        enrol(
            clinic.world,
            name,
            Role.COMPLIANCE_OFFICER,
            organization=clinic.organization,
        )
    return clinic


@pytest.fixture
def officer(watched):
    return entered(watched.world, "officer")


def table_of(answer):
    return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_the_table_says_zone_filter_and_checkpoint(watched, officer):
    size = len(watched.world.audited())

    answer = officer.get("/compliance/export.csv?client=ehr&zone=Europe/Zurich")

    head, columns, *rows = table_of(answer)
    assert head[:6] == [
        *("zone", "Europe/Zurich", "filter", "client=ehr", "checkpoint"),
        f"{size} rows",
    ]
    assert re.fullmatch("[0-9a-f]{64}", head[6])
    [row] = [dict(zip(columns, row, strict=True)) for row in rows]
    assert (row["time"], row["client"], row["action"], row["patients"]) == (
        "2026-11-20 13:00:00+01:00",
        "ehr",
        "search",
        watched.patient,
    )
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_would_be_a_formula_is_text(first):
    assert exports.cell(f"{first}1+1") == f"'{first}1+1"


def test_other_cells_stay_as_they_are():
    assert exports.cell("a=b") == "a=b"
    assert exports.cell(-1) == "'-1"


def test_a_client_named_like_a_formula_is_text_in_the_table(watched, officer):
    headers = watched.world.client(
        FORMULA, "system/*.rs", organization=watched.organization
    )
    watched.world.get("/fhir/Patient/nobody", headers)

    answer = officer.get(f"/compliance/export.csv?client={FORMULA.replace('+', '%2B')}")

    [row] = table_of(answer)[2:]
    assert row[3] == f"'{FORMULA}"


def test_the_bundle_holds_events(officer):
    bundle = officer.get("/compliance/export.json?client=ehr").get_json()

    assert [issue for issue in validate(bundle) if issue.severity == "error"] == []
    [event] = [one["resource"] for one in bundle["entry"]]
    assert event["subtype"][0]["code"] == "search"
    assert bundle["entry"][0]["fullUrl"].endswith(f"/fhir/AuditEvent/{event['id']}")


def test_the_proof_of_a_search_holds(officer):
    proof = officer.get("/compliance/proof.json?client=ehr").get_json()

    told = verify_proof.check(proof)

    assert [row["client"] for row in told["rows"]] == ["ehr"]


@pytest.mark.parametrize("file", ["export.csv", "export.json", "proof.json"])
def test_an_export_is_recorded_as_one(watched, officer, file):
    officer.get(f"/compliance/{file}?patient={watched.patient}")

    last = watched.world.audited()[-1]

    assert last.interaction is Interaction.EXPORT
    assert last.request == f"GET /compliance/{file}?patient={watched.patient}"
    assert last.patients == (
        watched.world.deployment.services.pseudonym(watched.patient),
    )


def test_a_file_is_refused_that_would_be_too_long(officer, monkeypatch):
    monkeypatch.setattr(exports, "MAX_PROVED", 0)

    page = officer.get("/compliance/proof.json?client=ehr")

    assert page.status_code != 200
    assert "ask for a shorter time" in text_of(page)


def test_a_search_is_kept_found_again_and_forgotten(watched, officer):
    officer.get("/compliance?client=ehr")
    officer.post("/compliance/searches", name="<b>Mine</b>", client="ehr", zone="UTC")

    page = officer.get("/compliance")

    assert "<b>Mine" not in page.text
    assert (
        '<a href="/compliance?client=ehr&amp;zone=UTC">&lt;b&gt;Mine&lt;/b&gt;</a>'
        in page.text
    )
    assert b"client=ehr" not in stored_queries(watched)
    [number] = re.findall(r'name="search" value="(\d+)"', page.text)
    other = entered(watched.world, "other")
    assert "Mine" not in other.get("/compliance").text
    assert other.post("/compliance/searches/forget", search=number).status_code == 404
    officer.post("/compliance/searches/forget", search=number)
    assert "Mine" not in officer.get("/compliance").text


def stored_queries(watched):
    with watched.world.deployment.database.read() as snapshot:
        rows = snapshot.sql("SELECT query FROM saved_search", ())
    assert rows
    return b"".join(bytes(query) for [query] in rows)


@pytest.mark.parametrize("name", ["", "a" * 81, "a\nb"])
def test_a_search_has_a_short_name(officer, name):
    officer.get("/compliance?client=ehr")

    answer = officer.post("/compliance/searches", name=name, client="ehr")

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/compliance/searches",
        "/compliance/searches/forget",
        "/compliance/integrity",
        "/compliance/reviews/1",
    ],
)
def test_a_form_of_another_site_does_nothing(officer, path):
    answer = officer.post(
        path,
        form_token="forged",  # noqa: S106 - of nobody
        search="1",
    )

    assert answer.status_code == 403


def test_a_form_of_a_megabyte_is_not_read(officer):
    officer.get("/compliance?client=ehr")

    answer = officer.post("/compliance/searches", name="a" * 1_000_000)

    assert answer.status_code == 413


def test_a_form_without_a_login_leads_to_one(watched):
    browser = Browser(watched.world)

    answer = browser.http.post("/compliance/integrity", data={"form_token": "a"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
