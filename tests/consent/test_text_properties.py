"""Nothing that a consent says is left out of its text, whatever it says."""

from consent_samples import EVERYTHING
from consent_worlds import scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from text_reader import Reader, kind_of_root

from conformance.narrative import narrative_problem
from consent.clauses import root
from consent.named import Sources
from consent.provisions import read
from consent.references import Deployment
from consent.text import narrative, text

SEEDS = st.integers(min_value=0, max_value=10**9)

SOURCES = Sources(
    display=lambda _, code, __: {"8867-4": "heart rate", "55423-8": "steps"}.get(code),
    name=lambda _: None,
)


def consents_of(seed):
    """Yield random consents, each with the place where it is evaluated."""
    scene = scenario(seed)
    place = Deployment(zone=scene.world.zone, own_bases=scene.world.own_bases)
    for consent in scene.consents:
        yield consent, place


def rules(consent, place):
    return text(
        consent,
        language="en",
        deployment=place,
        sources=SOURCES,
        enforced=EVERYTHING,
    )[1]


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_every_part_of_a_consent_is_told_in_its_place(seed):
    for consent, place in consents_of(seed):
        if read(consent, deployment=place).root is not None:
            Reader(place.zone, consent["patient"]["reference"]).read(
                rules(consent, place), consent["provision"], kind_of_root(consent)
            )


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_a_consent_that_denies_for_a_fault_is_told_as_that_with_each_place(seed):
    for consent, place in consents_of(seed):
        parsed = read(consent, deployment=place)
        if parsed.root is None:
            block = rules(consent, place)
            [places] = block.items

            assert block.text.startswith("We can not carry this out as it stands.")
            assert {f"“{each.expression}”" for each in parsed.faults} == {
                each.text for each in places.items
            }


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_the_narrative_of_any_consent_is_such_as_fhir_allows(seed):
    for consent, place in consents_of(seed):
        made = narrative(
            consent, deployment=place, sources=SOURCES, enforced=EVERYTHING
        )

        assert narrative_problem(made["div"]) is None


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_a_clause_means_the_same_data_as_the_rule_that_is_enforced(seed):
    for consent, place in consents_of(seed):
        parsed = read(consent, deployment=place)
        pairs = [] if parsed.root is None else [(root(consent), parsed.root)]
        for clause, rule in pairs:
            assert (clause.path, clause.kind) == (rule.path, rule.kind)
            assert len(clause.data) == len(rule.selectors)
            pairs.extend(zip(clause.nested, rule.children, strict=True))
