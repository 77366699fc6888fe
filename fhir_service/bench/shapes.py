"""What other searches cost beside the plain one, in a small and a large database.

Each kind in each database has its turn, so that what else happens on the machine
meets all alike; every page is rendered anew.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from random import Random

from conformance import fhir_json
from fhir_service.bench.figures import Measured
from fhir_service.bench.filled import Filled
from fhir_service.bench.in_process import OBSERVATIONS, PAGE, Timed, in_turn, timed
from fhir_service.bench.observations import LABORATORY, laboratory, transaction
from fhir_service.bench.payloads import window
from fhir_service.bench.plan import Plan
from fhir_service.bench.resources import TERMINOLOGY
from fhir_service.bench.span import Span, span
from fhir_service.bench.stage import BenchError, Stage, reopened

PATIENTS = 40
"""Patients who have laboratory results, and so 20 codes."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """An open deployment, and what may be asked of it.

    Attributes:
        stage: The deployment.
        plan: Of the bench.
        patients: Ids of patients with 20 codes.
        stored: When its Observations were.
        rows: How many there are.

    """

    stage: Stage
    plan: Plan
    patients: Sequence[str]
    stored: Span
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A kind of search.

    Attributes:
        name: In the keys of its figures.
        path: What is asked.
        entries: How many resources each answer shows.
        query: Returns one of its queries.

    """

    name: str
    path: str
    entries: int
    query: Callable[[Ground, Random], str]


def _of_patient(asked: str) -> Callable[[Ground, Random], str]:
    def query(ground: Ground, random: Random) -> str:
        dates = window(ground.plan, random)
        return f"patient={random.choice(ground.patients)}&{asked}&{dates}"

    return query


def _updated(ground: Ground, random: Random) -> str:
    return ground.stored.page(random)


def _lastn(ground: Ground, random: Random) -> str:
    return f"patient={random.choice(ground.patients)}"


_CATEGORY = f"category={TERMINOLOGY}/observation-category|vital-signs"

SHAPES = (
    Shape(
        name="plain",
        path=OBSERVATIONS,
        entries=PAGE,
        query=_of_patient("code=8867-4"),
    ),
    Shape(
        name="category",
        path=OBSERVATIONS,
        entries=PAGE,
        query=_of_patient(_CATEGORY),
    ),
    Shape(
        name="codes",
        path=OBSERVATIONS,
        entries=PAGE,
        query=_of_patient("code=8867-4,9279-1,8310-5"),
    ),
    Shape(name="updated", path=OBSERVATIONS, entries=PAGE, query=_updated),
    Shape(name="lastn", path=f"{OBSERVATIONS}/$lastn", entries=20, query=_lastn),
)
"""The plain search is the first; docs/performance.md describes each."""


def shapes(group: str, small: Filled, large: Filled, plan: Plan) -> Iterator[Measured]:
    """Yield the figures of a group.

    Args:
        group: `shapes-sqlite` or `shapes-postgresql`.
        small: The small database, closed.
        large: The large one, on the same engine, closed.
        plan: Of the bench.

    """
    with reopened(small.stage) as few, reopened(large.stage) as many:
        of = _medians(_ground(small, few, plan), _ground(large, many, plan))
    yield from _figures(group, of, small.ingested.rows, large.ingested.rows)


def _ground(filled: Filled, opened: Stage, plan: Plan) -> Ground:
    """Return a deployment as it is asked, after some patients got further codes."""
    stored, patients = span(opened), filled.ingested.patients[:PATIENTS]
    for id_ in patients:
        body = fhir_json.dumps(transaction(laboratory(id_, row) for row in LABORATORY))
        opened.ask("POST", "/fhir", opened.administrator, body=body)
    return Ground(
        stage=opened,
        plan=plan,
        patients=patients,
        stored=stored,
        rows=filled.ingested.rows,
    )


def _medians(small: Ground, large: Ground) -> dict[tuple[str, int], float]:
    """Return the median time of each kind of search in each database."""
    random = Random(1)  # noqa: S311 - no secret
    asked = {
        (shape.name, one.rows): partial(_answer, shape, one, random)
        for shape, one in product(SHAPES, (small, large))
    }
    return in_turn(asked, large.plan.shape_timed)


def _answer(shape: Shape, ground: Ground, random: Random) -> Timed:
    """Return one answer.

    Raises:
        BenchError: where it does not show as many resources as it has to.

    """
    found = timed(ground.stage, shape.path, shape.query(ground, random))
    if found.entries != shape.entries:
        raise BenchError(f"{shape.name}: an answer shows {found.entries} resources.")
    return found


def _figures(
    group: str, of: dict[tuple[str, int], float], small: int, large: int
) -> Iterator[Measured]:
    note = f"{large} rows"
    plain = of["plain", large]
    yield Measured(key=f"{group}.plain", value=plain, note=note)
    for shape in SHAPES[1:]:
        key, us = f"{group}.{shape.name}", of[shape.name, large]
        yield Measured(key=f"{key}-cost", value=us / plain, note=note)
        yield Measured(
            key=f"{key}-growth",
            value=us / of[shape.name, small],
            note=f"{note} against {small}",
        )
        yield Measured(key=key, value=us, note=note)
