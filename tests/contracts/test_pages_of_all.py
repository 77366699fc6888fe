"""Pages over all patients: full, in order, and of what may be seen alone.

The walk over the index is made in stretches of a few rows, so that pages end within
them, whole stretches are hidden, and some walks are given up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from worlds import (
    RESTING,
    START,
    STEPS,
    codes,
    consent,
    furnish,
    link,
    matches,
    observation,
    opened_world,
    patient,
    permit,
)

from fhir_service.storage import patients, walk
from fhir_service.storage.engine import Snapshot

COUNTS = (1, 2, 3, 50)


@pytest.fixture(params=[(1, 2), (3, 6)], ids=["tiny", "short"])
def clinic(any_world, request, monkeypatch):
    """Return a clinic whose index is walked in stretches of different lengths."""
    least, most = request.param
    monkeypatch.setattr(walk, "LEAST", least)
    monkeypatch.setattr(walk, "MOST", most)
    return furnish(any_world)


@dataclass(frozen=True, kw_only=True)
class Row:
    """An Observation: its id, when it was stored and made, whether it may be seen."""

    number: int
    id: str
    stored: datetime
    made: datetime | None
    is_seen: bool


DAY = timedelta(days=1)

RUNS = (
    *("open", "open", "partly", "closed", "open"),
    *["closed"] * 9,
    *("partly", "partly", "partly", "open"),
    *["partly-steps"] * 3,
    *("undated", "closed-undated", "undated", "open", "closed"),
    *["open"] * 4,
    *["closed"] * 5,
)
"""Whose Observations are stored one after the other; the last ones are hidden."""

SEEN = {"open", "partly", "undated"}


def persons(clinic):
    """Return the patients by what they let the clinic see."""
    denied = [
        {"type": "deny", "code": codes(STEPS)},
        {"type": "deny", "dataPeriod": {"end": "2026-01-31"}},
    ]
    open_, partly, closed = (clinic.another_patient() for _ in range(3))
    clinic.consented(patient_id=open_)
    clinic.consented(patient_id=partly, provision=denied)
    return {"open": open_, "undated": open_, "partly": partly, "closed": closed}


def filled(clinic):
    """Store Observations, three at each instant, two of them of one day."""
    of, rows = persons(clinic), []
    for number, kind in enumerate(RUNS):
        whose, _, more = kind.partition("-")
        if number % 3 == 0:
            clinic.world.clock.pass_s(60)
        # Every fourth of those seen in part was made when nothing may be seen.
        is_old = whose == "partly" and number % 4 == 2
        made = datetime(
            2026, 1 if is_old else 3, 1 + number // 2 % 20, tzinfo=START.tzinfo
        )
        is_dated = "undated" not in kind
        times = {"effectiveDateTime": f"{made:%Y-%m-%dT%H:%M:%SZ}"} if is_dated else {}
        code = STEPS if more == "steps" else RESTING
        one = observation(of[whose], code, **times)
        rows.append(
            Row(
                number=number,
                id=clinic.world.create(one, clinic.admin)["id"],
                stored=START + timedelta(seconds=60 * (1 + number // 3)),
                made=made if is_dated else None,
                is_seen=kind in SEEN and not is_old,
            )
        )
    return rows


def pages(clinic, query):
    """Return the ids on each page, followed to the last one."""
    found = []
    while query is not None:
        bundle = clinic.search(query)
        found.append([one["id"] for one in matches(bundle)])
        following = link(bundle, "next")
        query = following and following.partition("/fhir/")[2]
    return found


def expected(rows, key, *, reverse=False, where=lambda _: True):
    """Return the ids of what may be seen, in order."""
    seen = [row for row in rows if row.is_seen and where(row)]
    return [row.id for row in sorted(seen, key=key, reverse=reverse)]


def by_stored(row):
    return (row.stored, row.number)


def by_made(row):
    return (row.made or datetime.min.replace(tzinfo=START.tzinfo), row.number)


def undated_last(row):
    return (row.made is None, *by_made(row))


def assert_pages(clinic, query, ids):
    """Assert that every page but the last is full, and what they show together."""
    for count in COUNTS:
        found = pages(clinic, f"{query}&_count={count}")

        assert [id_ for page in found for id_ in page] == ids, count
        assert all(len(page) == count for page in found[:-1])
        assert found[-1] or not ids


def test_pages_in_every_order_are_full_and_show_what_may_be_seen(clinic):
    rows = filled(clinic)

    ids = {row.id for row in rows if row.is_seen}
    assert 0 < len(ids) < len(rows)
    for order, found in (
        ("_lastUpdated", expected(rows, by_stored)),
        ("-_lastUpdated", expected(rows, by_stored, reverse=True)),
        ("date", expected(rows, undated_last)),
        ("-date", expected(rows, by_made, reverse=True)),
    ):
        assert_pages(clinic, f"Observation?_sort={order}", found)
    assert_pages(clinic, "Observation?", expected(rows, lambda row: row.number))


MINUTE = timedelta(minutes=1)

_OF_BOUND = {
    "": lambda at, bound: at == bound,
    "ne": lambda at, bound: at != bound,
    "gt": lambda at, bound: at > bound,
    "ge": lambda at, bound: at >= bound,
    "sa": lambda at, bound: at > bound,
    "lt": lambda at, bound: at < bound,
    "le": lambda at, bound: at <= bound,
    "eb": lambda at, bound: at < bound,
}


def test_pages_of_a_range_of_updates_are_full(clinic):
    rows, bound = filled(clinic), START + 6 * MINUTE
    instant = f"{bound:%Y-%m-%dT%H:%M:%S.000Z}"

    for prefix, holds in _OF_BOUND.items():
        for way in ("", "-"):
            ids = expected(
                rows,
                by_stored,
                reverse=bool(way),
                where=lambda row, holds=holds: holds(row.stored, bound),
            )
            query = f"_lastUpdated={prefix}{instant}&_sort={way}_lastUpdated"
            assert_pages(clinic, f"Observation?{query}", ids)


def test_several_ranges_bound_a_page_together(clinic):
    rows = filled(clinic)
    first, last, other = (f"{START + n * MINUTE:%H:%M:%S.000Z}" for n in (2, 8, 10))
    on = f"{START:%Y-%m-%d}T"

    both = f"_lastUpdated=ge{on}{first}&_lastUpdated=lt{on}{last}"
    either = f"_lastUpdated=lt{on}{first},ge{on}{other}"

    inside = expected(
        rows,
        by_stored,
        where=lambda row: START + 2 * MINUTE <= row.stored < START + 8 * MINUTE,
    )
    outside = expected(
        rows,
        by_stored,
        where=lambda row: not START + 2 * MINUTE <= row.stored < START + 10 * MINUTE,
    )
    assert_pages(clinic, f"Observation?{both}", inside)
    assert_pages(clinic, f"Observation?{either}", outside)


def test_pages_of_a_range_of_times_are_full(clinic):
    rows, bound = filled(clinic), datetime(2026, 3, 5, tzinfo=START.tzinfo)

    for prefix, holds in _OF_BOUND.items():
        ids = expected(
            rows,
            by_made,
            reverse=True,
            where=lambda row, holds=holds: row.made and holds(row.made, bound),
        )
        assert_pages(clinic, f"Observation?date={prefix}2026-03-05", ids)


def test_a_period_that_began_long_before_is_found_in_a_range_of_times(clinic):
    clinic.consented()
    made = [
        clinic.world.create(
            observation(clinic.patient, effectivePeriod=period), clinic.admin
        )["id"]
        for period in (
            {"start": "2020-01-01", "end": "2026-06-01"},
            {"start": "2020-01-01", "end": "2021-01-01"},
        )
    ]

    assert pages(clinic, "Observation?date=ge2026-05-01") == [made[:1]]
    assert pages(clinic, "Observation?date=lt2020-06-01") == [made[::-1]]


def test_totals_are_those_of_the_pages(clinic):
    rows = filled(clinic)
    query = "Observation?_sort=_lastUpdated&_count=2"

    total = clinic.search(f"{query}&_total=accurate")["total"]
    pages_after_it = pages(clinic, query)

    assert total == sum(row.is_seen for row in rows)
    assert total == sum(len(page) for page in pages_after_it)
    assert clinic.search("Observation?_summary=count")["total"] == total


@pytest.mark.parametrize("order", ["_lastUpdated", "date"])
def test_what_is_stored_between_two_pages_is_decided_on_anew(clinic, order):
    rows = filled(clinic)
    first = clinic.search(f"Observation?_sort={order}&_count=4")
    known = {one["id"] for one in matches(first)}
    clinic.world.clock.pass_s(3600)
    opened, closed = clinic.another_patient(), clinic.another_patient()
    clinic.consented(patient_id=opened)
    at = {"effectiveDateTime": "2026-11-01T00:00:00Z"}
    [shown, *_] = [
        clinic.world.create(observation(whose, "1-8", **at), clinic.admin)["id"]
        for whose in (opened, closed)
    ]

    rest = pages(clinic, link(first, "next").partition("/fhir/")[2])

    found = [id_ for page in rest for id_ in page]
    before = {row.id for row in rows if row.is_seen}
    assert set(found) == (before | {shown}) - known
    assert len(found) == len(set(found))


def test_a_withdrawal_between_two_pages_is_heeded(clinic):
    rows = filled(clinic)
    given = clinic.found("Consent?_count=50", clinic.admin)
    first = clinic.search("Observation?_sort=_lastUpdated&_count=4")

    for one in given:
        clinic.world.update({**one, "status": "inactive"}, clinic.admin)

    assert any(row.is_seen for row in rows[12:])
    assert pages(clinic, link(first, "next").partition("/fhir/")[2]) == [[]]


def test_a_page_asks_only_about_the_patients_whom_it_meets(any_world, monkeypatch):
    monkeypatch.setattr(walk, "LEAST", 4)
    clinic = furnish(any_world)
    made = []
    for _ in range(20):
        person = any_world.create(patient(clinic.organization), clinic.admin)["id"]
        any_world.create(consent(person, permit()), clinic.admin)
        made.append(any_world.create(observation(person), clinic.admin)["id"])
    asked, by_keys = [], patients.by_keys
    monkeypatch.setattr(
        patients, "by_keys", lambda *told: asked.extend(told[1]) or by_keys(*told)
    )

    found = pages(clinic, "Observation?_sort=_lastUpdated&_count=1")

    assert found == [[id_] for id_ in made]
    assert len(asked) == len(set(asked)) == 20
    asked.clear()
    any_world.create(patient(clinic.organization), clinic.admin)
    clinic.search("Observation?_sort=_lastUpdated&_count=1")
    assert len(asked) == 4


def test_the_index_is_entered_where_a_page_begins(tmp_path, template, monkeypatch):
    with opened_world(tmp_path, template) as world:
        clinic = furnish(world)
        clinic.consented()
        for _ in range(6):
            clinic.world.create(observation(clinic.patient), clinic.admin)
        asked, sql = [], Snapshot.sql
        monkeypatch.setattr(
            Snapshot, "sql", lambda *told: asked.append(told[1:]) or sql(*told)
        )

        for way in ("", "-"):
            since = f"_lastUpdated=ge{START:%Y-%m-%dT%H:%M:%SZ}"
            pages(clinic, f"Observation?{since}&_sort={way}_lastUpdated&_count=2")

        walks = [one for one in asked if "ORDER BY last_updated" in one[0]]
        plans = [explained(world, *one) for one in walks]
    assert len(plans) == 6
    assert all("(type=? AND last_updated>" in plan for plan in plans), plans


def explained(world, text, values):
    with world.deployment.database.read() as snapshot:
        rows = snapshot.sql(f"EXPLAIN QUERY PLAN {text}", values)
    return "\n".join(row[-1] for row in rows)
