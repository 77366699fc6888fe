"""The time-series index against a model that looks at every resource."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import LOINC, furnish, observation, opened_world

from conformance.date_range import date_range
from fhir_service.auth.scopes import parse_scopes
from fhir_service.storage import patients, types
from fhir_service.storage.tokens import UNDATED, effective_range

CODES = ("40443-4", "55423-8", "11111-1", "22222-2")
CATEGORIES = ("survey", "exam", "activity")
SYSTEM = "http://terminology.hl7.org/CodeSystem/observation-category"
PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
"""`ap` hangs on the time of asking; tests/search_oracle has it."""
FIRST = datetime(2026, 3, 1, tzinfo=UTC)

moments = st.integers(0, 40 * 24 * 60).map(lambda m: FIRST + timedelta(minutes=m))
zones = st.sampled_from(["Z", "+01:00", "-05:30"])
precisions = st.sampled_from(["day", "month", "year", "second", "milli", "micro"])

_WRITTEN = {
    "year": "%Y",
    "month": "%Y-%m",
    "day": "%Y-%m-%d",
    "second": "%Y-%m-%dT%H:%M:%S",
    "milli": "%Y-%m-%dT%H:%M:%S.250",
    "micro": "%Y-%m-%dT%H:%M:%S.250001",
}


@st.composite
def written(draw, kinds=precisions):
    precision = draw(kinds)
    text = f"{draw(moments):{_WRITTEN[precision]}}"
    return text + draw(zones) if "T" in text else text


@st.composite
def times(draw):
    """Return the effective[x] of an Observation: an instant, a period, or nothing."""
    shape = draw(
        st.sampled_from(["instant", "instant", "period", "from", "to", "none"])
    )
    if shape == "instant":
        return {"effectiveDateTime": draw(written())}
    if shape == "none":
        return {}
    start, length = draw(moments), draw(st.integers(0, 30 * 24 * 60))
    end = start + timedelta(minutes=length)
    period = {
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }
    period = {
        "period": period,
        "from": {"start": period["start"]},
        "to": {"end": period["end"]},
    }[shape]
    return {"effectivePeriod": period}


@st.composite
def resources(draw):
    codes = draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=2, unique=True))
    categories = draw(st.lists(st.sampled_from(CATEGORIES), max_size=2, unique=True))
    resource = {
        **draw(times()),
        "code": {"coding": [{"system": LOINC, "code": code} for code in codes]},
    }
    if categories:
        resource["category"] = [
            {"coding": [{"system": SYSTEM, "code": code}]} for code in categories
        ]
    return resource


tokens = st.builds(
    lambda system, code: f"{system}{code}",
    st.sampled_from(["", f"{LOINC}|", "urn:other|"]),
    st.sampled_from(CODES),
)
any_tokens = st.lists(tokens, min_size=1, max_size=3).map(",".join)
any_categories = st.lists(
    st.sampled_from(CATEGORIES), min_size=1, max_size=2, unique=True
).map(",".join)
dates = st.builds(lambda p, w: p + w, st.sampled_from(PREFIXES), written())
any_dates = st.lists(dates, min_size=1, max_size=2).map(",".join)


@st.composite
def searches(draw):
    pairs = [("date", one) for one in draw(st.lists(any_dates, max_size=3))]
    pairs += [("code", one) for one in draw(st.lists(any_tokens, max_size=2))]
    pairs += [("category", one) for one in draw(st.lists(any_categories, max_size=1))]
    sort = draw(st.sampled_from([None, "date", "-date"]))
    if sort:
        pairs.append(("_sort", sort))
    return pairs, draw(st.integers(1, 7)), sort != "date"


ZONE = UTC


def is_match(resource, pairs):
    start, end = effective_range(resource, ZONE)
    for name, value in pairs:
        if name == "_sort":
            continue
        alternatives = value.split(",")
        if name == "date":
            if start == UNDATED or not any(
                covers(one, start, end) for one in alternatives
            ):
                return False
        elif not any(has(resource, name, one) for one in alternatives):
            return False
    return True


def covers(text, low, high):
    """Say FHIR's rules in the words of its table (§3.1.1.4.4), on sets of moments."""
    prefix = text[:2] if text[:2] in PREFIXES else "eq"
    start, end = date_range(text.removeprefix(prefix), ZONE)
    within = low >= start and high <= end
    return {
        "eq": within,
        "ne": not within,
        "gt": high > end,
        "lt": low < start,
        "ge": high > end or within,
        "le": low < start or within,
        "sa": low > end,
        "eb": high < start,
    }[prefix]


def has(resource, name, token):
    system, bar, code = token.rpartition("|")
    concepts = [resource["code"]] if name == "code" else resource.get("category", [])
    return any(
        coding["code"] == code and (not bar or coding["system"] == system)
        for concept in concepts
        for coding in concept["coding"]
    )


def check(clinic, patient_id, made, question):
    pairs, count, descending = question
    query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in pairs)
    expected = sorted(
        (
            (effective_range(resource, ZONE)[0], resource["id"])
            for resource in made
            if is_match(resource, pairs)
        ),
        reverse=descending,
    )
    # What has no time comes last, either way.
    expected.sort(key=lambda one: one[0] == UNDATED)

    path = f"Observation?patient={patient_id}&{query}"
    found = clinic.all_found(f"{path}&_count={count}")
    total = clinic.search(f"{path}&_count=0")["total"]

    ids = [resource["id"] for resource in found]
    assert ids == [id_ for _, id_ in expected], query
    assert total == len(expected)


@pytest.fixture(scope="module")
def sqlite_clinic(tmp_path_factory, template):
    with opened_world(tmp_path_factory.mktemp("index"), template) as world:
        yield furnish(world)


def fill(clinic, made):
    """Return a patient of their own with these Observations, as they are stored."""
    patient_id = clinic.another_patient()
    clinic.consented(patient_id=patient_id)
    repository = clinic.world.deployment.services.repository
    key = key_of(clinic, patient_id)

    def work(transaction):
        return [
            repository.create(
                transaction,
                {**observation(patient_id), **resource},
                patient_key=key,
            )
            for resource in made
        ]

    written = clinic.world.deployment.database.write(work)
    return patient_id, [
        {**resource, "id": one.id} for resource, one in zip(made, written, strict=True)
    ]


def key_of(clinic, patient_id):
    with clinic.world.deployment.database.read() as snapshot:
        return patients.by_id(snapshot, types.number_of("Patient"), patient_id).key


SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(
    made=st.lists(resources(), max_size=14),
    questions=st.lists(searches(), min_size=4, max_size=8),
)
def test_pages_put_together_are_what_a_search_of_everything_finds(
    sqlite_clinic, made, questions
):
    patient_id, stored = fill(sqlite_clinic, made)

    for question in questions:
        check(sqlite_clinic, patient_id, stored, question)


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(
    made=st.lists(resources(), max_size=14),
    questions=st.lists(searches(), min_size=4, max_size=8),
)
def test_pages_on_postgresql_are_the_same(postgres_clinic, made, questions):
    patient_id, stored = fill(postgres_clinic, made)

    for question in questions:
        check(postgres_clinic, patient_id, stored, question)


@pytest.fixture(scope="module")
def postgres_clinic(tmp_path_factory, template, postgres_url):
    base, _, _ = postgres_url.rpartition("/")
    plain = postgres_url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE DATABASE observations_index")
    folder = tmp_path_factory.mktemp("index")
    url = f"{base}/observations_index"
    with opened_world(folder, template, database_url=url) as world:
        yield furnish(world)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP DATABASE observations_index WITH (FORCE)")


def test_an_update_moves_an_observation_in_the_index(any_world):
    clinic = furnish(any_world)
    clinic.consented()
    made = clinic.world.create(
        observation(clinic.patient, effectiveDateTime="2026-03-01"), clinic.admin
    )
    query = f"Observation?patient={clinic.patient}&_total=accurate"
    moved = {**made, "effectiveDateTime": "2026-05-01"}
    moved["code"] = {"coding": [{"system": LOINC, "code": "11111-1"}]}

    clinic.world.update(moved, clinic.admin)

    totals = [
        clinic.search(f"{query}&{more}")["total"]
        for more in (
            "date=2026-03-01",
            "date=2026-05-01",
            "code=40443-4",
            "code=11111-1",
        )
    ]
    assert totals == [0, 1, 0, 1]


def test_last_updated_is_a_search_of_versions(any_world):
    clinic = furnish(any_world)
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    any_world.clock.pass_s(3600)
    clinic.world.create(observation(clinic.patient), clinic.admin)
    query = f"Observation?patient={clinic.patient}&_total=accurate&_lastUpdated="

    totals = [
        clinic.search(f"{query}{value}")["total"]
        for value in (
            "lt2026-11-20T12:30:00Z",
            "ge2026-11-20T12:30:00Z",
            "2026-11-20",
            "2026-11-21",
            made["meta"]["lastUpdated"],
        )
    ]

    assert totals == [1, 1, 2, 0, 1]


def test_equal_moments_are_paged_without_loss_or_repeat(any_world):
    clinic = furnish(any_world)
    clinic.consented()
    same = observation(clinic.patient, effectiveDateTime="2026-03-01T00:00:00Z")
    made = {clinic.world.create(same, clinic.admin)["id"] for _ in range(7)}

    for sort in ("date", "-date"):
        query = f"Observation?patient={clinic.patient}&_count=2&_sort={sort}"
        found = [resource["id"] for resource in clinic.all_found(query)]

        assert len(found) == 7
        assert set(found) == made


def test_a_scope_of_one_category_sees_that_category_alone(any_world):
    clinic = furnish(any_world)
    clinic.consented()
    made = {}
    for category in CATEGORIES:
        resource = observation(
            clinic.patient,
            category=[{"coding": [{"system": SYSTEM, "code": category}]}],
        )
        made[category] = clinic.world.create(resource, clinic.admin)["id"]
    scope = f"system/Observation.rs?category={SYSTEM}|exam"
    assert parse_scopes(scope).items
    narrow = any_world.client("narrow", scope, organization=clinic.organization)
    query = f"Observation?patient={clinic.patient}&_total=accurate"

    assert clinic.search(query, narrow)["total"] == 1
    for category, id_ in made.items():
        answer = any_world.get(f"/fhir/Observation/{id_}", narrow)
        assert answer.status_code == (200 if category == "exam" else 404)
        by_id = clinic.found(f"Observation?_id={id_}", narrow)
        assert len(by_id) == (category == "exam")
