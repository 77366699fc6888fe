"""The compliance officer's console: who enters, what is found, what a row says."""

import re

import pytest
from people import Browser, enrol, entered, text_of, with_quick_passwords
from worlds import heart_rate, patient

from consent.audit.entry import Interaction, Outcome
from fhir_service.auth.users import Role

TODAY = "2026-11-20"
AGENT = "=cmd|' /C calc'!A0<script>\u202e\x1b[31m"


@pytest.fixture
def watched(clinic):
    """Return a clinic in which things were done by a client, and its officer."""
    world = with_quick_passwords(clinic.world)
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.found(f"Observation?patient={clinic.patient}&code=8867-4")
    world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr)
    world.get("/fhir/Patient/nobody", clinic.ehr)
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=clinic.organization)
    enrol(world, "stranger", Role.COMPLIANCE_OFFICER, organization="Organization/other")
    enrol(world, "unbound", Role.COMPLIANCE_OFFICER)
    enrol(world, "admin", Role.ADMINISTRATOR, organization=clinic.organization)
    return clinic


@pytest.fixture
def officer(watched):
    return entered(watched.world, "officer")


def rows_of(page):
    """Return the cells of the rows that the result table of a page has."""
    [table] = re.findall(
        r"<caption>(?:Rows|Older rows)[^<]*newest first</caption>.*?</table>",
        page.text,
        re.DOTALL,
    )
    rows = [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(CELL, row)]
        for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)[1:]
    ]
    return [] if rows == [["No rows."]] else rows


CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


def actions_of(page):
    return [row[3] for row in rows_of(page)]


def row_of(watched, interaction, outcome=Outcome.ALLOWED):
    """Return the number of the last row of an interaction."""
    records = watched.world.audited()
    return max(
        number
        for number, one in enumerate(records)
        if (one.interaction, one.outcome) == (interaction, outcome)
    )


def test_who_is_not_logged_in_is_led_to_the_login(watched):
    answer = Browser(watched.world).get("/compliance")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("username", ["admin", "unbound"])
def test_nobody_but_an_officer_of_an_organization_is_admitted(watched, username):
    browser = entered(watched.world, username)

    answer = browser.get("/compliance/integrity")

    assert answer.status_code == 403
    last = watched.world.audited()[-1]
    assert (last.interaction, last.outcome, last.request) == (
        Interaction.AUDIT_READ,
        Outcome.DENIED,
        "GET /compliance/integrity",
    )


def test_the_search_shows_what_was_done_today_newest_first(officer):
    page = officer.get("/compliance?action=search")

    assert page.status_code == 200
    [row] = rows_of(page)
    assert row[1] == "2026-11-20 12:00:00+00:00"
    assert (row[2], row[3], row[5], row[6]) == (
        "allowed",
        "search",
        "ehr",
        "Observation",
    )


def test_every_question_is_recorded_before_its_answer(watched, officer):
    officer.get(f"/compliance?patient={watched.patient}")

    last = watched.world.audited()[-1]

    assert (last.interaction, last.outcome, last.status) == (
        Interaction.AUDIT_READ,
        Outcome.ALLOWED,
        200,
    )
    assert last.request == f"GET /compliance?patient={watched.patient}"
    assert last.patients == (
        watched.world.deployment.services.pseudonym(watched.patient),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("user=nobody", []),
        ("client=ehr&outcome=denied", ["read"]),
        ("client=gateway", ["ingest"]),
        ("what=ehr&action=search", ["search"]),
        ("type=Observation&action=search&purpose=TREAT", ["search"]),
        ("purpose=HMARKT", []),
        ("since=2026-11-20T12:00&until=2026-11-20T12:00&client=gateway", ["ingest"]),
        ("since=2026-11-20T12:01&client=gateway", []),
        ("until=2025&client=gateway", []),
        ("unexplained=yes&client=gateway", []),
    ],
)
def test_filters_narrow_the_search(officer, query, found):
    page = officer.get(f"/compliance?{query}")

    assert actions_of(page) == found


def test_a_row_is_found_by_its_number_a_patient_by_the_bar(watched, officer):
    number = row_of(watched, Interaction.INGEST)

    by_number = officer.get(f"/compliance?what={number}")
    by_patient = officer.get(f"/compliance?what=Patient/{watched.patient}&client=ehr")

    assert [row[0] for row in rows_of(by_number)] == [str(number)]
    assert actions_of(by_patient) == ["read", "search"]


def test_a_basis_is_a_consent_or_one_version_of_it(watched, officer):
    [consent] = watched.found(f"Consent?patient={watched.patient}", watched.admin)

    for basis in (f"Consent/{consent['id']}", f"Consent/{consent['id']}/_history/1"):
        page = officer.get(f"/compliance?basis={basis}&action=search&client=ehr")
        assert actions_of(page) == ["search"]
    other = officer.get(f"/compliance?basis=Consent/{consent['id']}/_history/2")
    assert rows_of(other) == []


@pytest.mark.parametrize(
    ("query", "shown", "wider"),
    [
        ("client=ehr&outcome=allowed", "?agent=ehr&outcome=0", None),
        ("outcome=denied", "?outcome=8", "Outcome"),
        ("type=Patient", "AuditEvent<", "Resource type"),
        (
            "since=2026-11-20&until=2026-11-20",
            "?date=ge2026-11-20T00:00:00Z&date=lt2026-11-21T00:00:00Z",
            None,
        ),
        ("action=audit-read", "|110101", None),
        ("action=erasure", "|destroy", "Action"),
        ("user=a&client=b", "?agent=a&agent=b<", None),
        ("what=Consent/a&basis=Consent/b", "?entity=Consent/a<", "Basis"),
    ],
)
def test_the_fhir_query_is_shown_and_where_it_finds_more(officer, query, shown, wider):
    page = officer.get(f"/compliance?{query}")

    [code] = re.findall(r"FHIR query: (<code>.*?)/code>", page.text)
    assert shown in code.replace("&amp;", "&")
    told = re.findall(r"It finds more than is shown here: (.*?) cannot", page.text)
    assert told == ([] if wider is None else [wider])


def test_the_fhir_query_finds_the_same_rows(watched, officer):
    headers = watched.world.person(
        "reader",
        "user/AuditEvent.rs",
        role="compliance-officer",
        organization=watched.organization,
    )
    page = officer.get(f"/compliance?patient={watched.patient}&client=ehr")
    [shown] = re.findall(r"FHIR query: <code>.*?/fhir/(.*?)</code>", page.text)

    events = watched.found(shown.replace("&amp;", "&"), headers)

    numbers = [one["id"].partition("-")[0] for one in events]
    assert numbers == [row[0] for row in rows_of(page)]
    assert numbers


def test_denied_requests_have_a_tab_with_their_number(officer):
    page = officer.get("/compliance?client=ehr")

    assert "Denied 1" in text_of(page)
    assert "Allowed 2" in text_of(page)
    [link] = re.findall(r'<a href="([^"]*outcome=denied[^"]*)"', page.text)
    denied = officer.get(link.replace("&amp;", "&"))
    assert [(row[2].split()[0], row[3]) for row in rows_of(denied)] == [
        ("denied", "read")
    ]


def test_the_chart_leads_from_the_year_to_the_minute(officer):
    query = "/compliance?client=ehr&since=2026&until=2026&zone=Asia/Kolkata"
    seen = []
    for _ in range(4):
        page = officer.get(query)
        [unit] = re.findall(r"Rows by (\w+):", page.text)
        seen.append(unit)
        [link] = re.findall(r'<a href="([^"]*)" aria-label', page.text)
        query = link.replace("&amp;", "&")
    last = officer.get(query)

    assert seen == ["month", "day", "hour", "minute"]
    assert "since=2026-11-20T17%3A30%2B05%3A30" in query
    assert len(rows_of(last)) == 3
    assert rows_of(last)[0][1] == "2026-11-20 17:30:00+05:30"


def test_the_chart_has_the_same_numbers_as_a_table(officer):
    page = officer.get(f"/compliance?client=ehr&since={TODAY}&until={TODAY}")

    [table] = re.findall(
        r"<caption>Rows by hour</caption>.*?</table>", page.text, re.DOTALL
    )
    cells = [re.sub(r"<[^>]*>", "", one) for one in re.findall(CELL, table)]
    assert cells[4:] == ["2026-11-20T12:00+00:00", "2", "1", "0"]


def test_older_rows_follow_without_a_gap(watched, officer):
    for _ in range(60):
        watched.world.get("/fhir/Patient/nobody", watched.ehr)
    first = officer.get("/compliance?client=ehr&time=all")
    [link] = re.findall(r'<a href="([^"]*)" rel="next"', first.text)

    second = officer.get(link.replace("&amp;", "&"))

    numbers = [int(row[0]) for row in [*rows_of(first), *rows_of(second)]]
    records = watched.world.audited()
    expected = [n for n, one in enumerate(records) if one.client == "ehr"]
    assert numbers == expected[::-1]
    assert len(rows_of(first)) == 50


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-13",
        "since=2026-11-20&until=2026-11-19",
        "since=2026-11-20T25:00",
        "zone=Mars/Olympus",
        "zone=../../etc/passwd",
        "action=everything",
        "outcome=perhaps",
        "before=-1",
        "before=" + "9" * 30,
        "user=a%0Ab",
        "user=%1b[31m",
        "client=%E2%80%AEreversed",
        "user=" + "a" * 257,
        "patient=" + "a" * 1_000_000,
    ],
)
def test_what_cannot_be_understood_is_told_on_a_page(officer, query):
    page = officer.get(f"/compliance?{query}")

    assert page.status_code == 400, page.text[:500]
    assert page.mimetype == "text/html"
    assert "This cannot be answered" in text_of(page)


def test_what_a_client_calls_itself_is_text_on_every_page(watched, officer):
    watched.world.get(
        "/fhir/Patient/nobody?x=%0d%0aSet-Cookie:a",
        watched.ehr,
        **{"User-Agent": AGENT},
    )
    number = len(watched.world.audited()) - 1

    page = officer.get(f"/compliance/rows/{number}")

    assert "<script" not in page.text
    assert "&lt;script&gt;⟨U+202E⟩⟨U+001B⟩[31m" in page.text


def test_a_typed_filter_is_text_on_the_page(officer):
    page = officer.get("/compliance?user=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

    assert page.status_code == 200
    assert "<script" not in page.text


def test_a_row_tells_who_what_why_and_the_sentence_of_the_consent(watched, officer):
    number = row_of(watched, Interaction.SEARCH)

    page = officer.get(f"/compliance/rows/{number}")

    told = text_of(page)
    assert "Client ehr" in told
    assert "Purpose: TREAT." in told
    assert f"GET /fhir/Observation?patient={watched.patient}&code=8867-4" in told
    assert "/_history/1 , provision" in told
    assert "The provision that decided says, to the patient:" in told
    assert "What you allow Which data? all your data" in told
    assert "to treat you Who may do it?" in told
    assert re.search(r"Disclosed: 1 version\. Observation/[^ ]+/_history/1", told)
    assert "Verified now: the log of" in told
    assert '"resourceType": "AuditEvent"' in told


def test_the_proof_of_a_row_is_judged_by_the_verifier_that_is_handed_out(
    watched, officer
):
    number = row_of(watched, Interaction.SEARCH)

    proof = officer.get(f"/compliance/rows/{number}/proof.json")
    program = officer.get("/compliance/verify_proof.py")

    names: dict = {"__name__": "verifier"}
    exec(compile(program.text, "verify_proof.py", "exec"), names)  # noqa: S102 - it is what is tested
    told = names["check"](proof.get_json())
    assert [row["index"] for row in told["rows"]] == [number]
    changed = proof.get_json()
    changed["rows"][0]["index"] = number - 1
    with pytest.raises(names["Wrong"]):
        names["check"](changed)


def test_a_row_of_another_organization_is_not_there(watched):
    browser = entered(watched.world, "stranger")
    number = row_of(watched, Interaction.SEARCH)

    page = browser.get(f"/compliance/rows/{number}")

    assert page.status_code == 404
    last = watched.world.audited()[-1]
    assert (last.interaction, last.outcome) == (Interaction.AUDIT_READ, Outcome.DENIED)
    for path in (
        f"/compliance/rows/{number}/proof.json",
        "/compliance/rows/999999999999999999999999",
        f"/compliance/patients/{watched.patient}",
        f"/compliance/patients/{watched.patient}/shareable?with=ehr&on=2026-11-20",
        "/compliance/patients/nobody",
    ):
        assert browser.get(path).status_code == 404, path
    assert rows_of(browser.get(f"/compliance?patient={watched.patient}")) == []


def test_a_patient_has_a_timeline_of_consents_and_accesses(watched, officer):
    [consent] = watched.found(f"Consent?patient={watched.patient}", watched.admin)
    watched.world.clock.pass_s(60)
    watched.world.update({**consent, "status": "inactive"}, watched.admin)

    page = officer.get(f"/compliance/patients/{watched.patient}")

    told = text_of(page)
    name = f"Consent/{consent['id']}/_history"
    assert f"{name}/2 2026-11-20 12:01:00+00:00 inactive patient-privacy permit" in told
    assert f"{name}/1 2026-11-20 12:00:00+00:00 active patient-privacy permit" in told
    assert re.search(r"Row \d+ search Observation allowed by ehr, 1 disclosed", told)
    assert watched.world.audited()[-1].patients == (
        watched.world.deployment.services.pseudonym(watched.patient),
    )


def test_what_was_shareable_on_a_day_and_what_was_shared(watched):
    [consent] = watched.found(f"Consent?patient={watched.patient}", watched.admin)
    watched.world.clock.pass_s(86_400)
    watched.world.update({**consent, "status": "inactive"}, watched.admin)
    watched.world.clock.pass_s(86_400)
    officer = entered(watched.world, "officer")
    path = f"/compliance/patients/{watched.patient}/shareable?with=ehr"

    then = officer.get(f"{path}&on=2026-11-20")
    later = officer.get(f"{path}&on=2026-11-22")

    assert "CONSENT_PERMIT" in text_of(then)
    assert (
        "Observation Heart rate 1 1 permit "
        f"Consent/{consent['id']}/_history/1 provision"
    ) in text_of(then)
    assert actions_of(then) == ["read", "search"]
    assert "CONSENT_PERMIT" not in text_of(later)
    assert rows_of(later) == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("on=2026-11-20", 400),
        ("with=ehr", 400),
        ("with=ehr&on=tomorrow", 400),
        ("with=nobody&on=2026-11-20", 404),
        ("with=%0a&on=2026-11-20", 400),
    ],
)
def test_a_question_without_sense_is_told(watched, officer, query, status):
    page = officer.get(f"/compliance/patients/{watched.patient}/shareable?{query}")

    assert page.status_code == status
    assert "This cannot be answered" in text_of(page)


def test_a_patient_without_rows_has_a_page(watched, officer):
    made = watched.world.create(patient(watched.organization), watched.admin)

    page = officer.get(f"/compliance/patients/{made['id']}")

    assert page.status_code == 200
    assert "There are no consents." in text_of(page)
