"""The engine, asked the way the oracle is asked: both routes, compared."""

from consent_oracle import Oracle, references

from consent.engine import prepare
from consent.explain import decide_resource
from consent.formula import Row, evaluate
from consent.in_force import Policy, Subject
from consent.labels import stated_labels
from consent.provisions import read
from consent.references import Deployment, local
from consent.signature import describe
from consent.topology import Topology


def engine_permits(scene, resource):
    """Return the engine's answer, by formula and by resource; they must agree."""
    formula, decision, row = engine_answers(scene, resource)
    released = evaluate(formula, row)
    assert decision.is_permitted == released
    assert decision.reasons
    return released


def oracle_permits(scene, resource, *faults):
    """Return the oracle's answer, mistakes seeded."""
    oracle = Oracle(scene.world, faults)
    return oracle.permits(scene.consents, scene.request, resource, scene.default)


def engine_answers(scene, resource):
    """Return the signature's formula, the decision of the resource, and its row."""
    described = description(scene, resource)
    prepared = preparation(scene, described.patient)
    row = row_of(scene, resource)
    formula = prepared.formula(described.facets)
    return formula, decide_resource(prepared, described.facets, row), row


def description(scene, resource):
    deployment = Deployment(zone=scene.world.zone, own_bases=scene.world.own_bases)
    return describe(resource, labels=stated_labels(resource), deployment=deployment)


def preparation(scene, patient):
    world = scene.world
    deployment = Deployment(zone=world.zone, own_bases=world.own_bases)
    topology = Topology(parents={c: (p,) for c, p in world.device_parents.items()})
    return prepare(
        [read(consent, deployment=deployment) for consent in scene.consents],
        scene.request,
        Subject(patient=patient, topology=topology),
        Policy(default=scene.default),
    )


def row_of(scene, resource):
    described = description(scene, resource)
    me = f"{resource['resourceType']}/{resource['id']}"
    return Row(
        reference=me,
        start_us=described.start_us,
        end_us=described.end_us,
        mentions=described.mentions,
        referred_by=frozenset(
            f"{other['resourceType']}/{other['id']}"
            for other in scene.world.resources
            if me in {local(text, scene.world.own_bases) for text in references(other)}
        ),
        codings=described.codings,
    )
