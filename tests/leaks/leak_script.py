"""The script that fills both worlds, step by step; hidden steps happen in one alone.

Alice is seen by everybody, Carol in part. Dora has withdrawn what her ring brought,
and Zoe has never said anything. Bob is wholly denied: he is the patient of another
organization, to which alone his consent speaks. Ann permits everything, until she
withdraws that.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from leak_resources import (
    ACT_CODE,
    CATEGORY,
    DIASTOLIC,
    GLUCOSE,
    SUGAR,
    SYSTOLIC,
    about,
    condition,
    device,
    encounter,
    group,
    label,
    measured,
    metric,
    organization,
    panel,
    permitting,
    person,
    report,
    worn,
)
from leak_worlds import Ask, Side, id_at
from worlds import (
    HEART_RATE,
    RESTING,
    SPO2,
    STEPS,
    Json,
    actor,
    classes,
    codes,
    consent,
    heart_rate,
    permit,
    purposes,
    steps,
)

ROWS, PATIENT, WITHDRAWN = "rows", "patient", "withdrawn"
"""What is hidden: many rows of one patient; or all of one patient, and a single
Observation of another; or what a third one permits now, once she has withdrawn it."""


@dataclass(frozen=True)
class Step:
    """One write of the script.

    Attributes:
        name: Under which its id is known later; that of an earlier step for a later
            version.
        body: The resource, or the payload of a delivery; of a deletion its type.
        by: The client that writes.
        method: POST, PUT or DELETE; DELIVER for the device door.
        hidden: The varieties of worlds in which consent hides it; none where all may
            see it.

    """

    name: str
    body: Any
    _: KW_ONLY
    by: str = "admin"
    method: str = "POST"
    hidden: tuple[str, ...] = ()

    @property
    def ask(self) -> Ask:
        """The request that does it."""
        if self.method == "DELIVER":
            return Ask(path="/device-data/open-mhealth", method="POST", body=self.body)
        type_ = self.body["resourceType"]
        path = type_ if self.method == "POST" else f"{type_}/{{{self.name}}}"
        return Ask(path=path, method=self.method, body=self._sent)

    @property
    def _sent(self) -> Any:
        named = {**self.body, "id": f"{{{self.name}}}"}
        return {"POST": self.body, "PUT": named, "DELETE": None}[self.method]


def changed(name: str, body: Json) -> Step:
    return Step(name, body, method="PUT")


def deleted(name: str, type_: str) -> Step:
    return Step(name, {"resourceType": type_}, method="DELETE")


def delivered(name: str, *points: Json) -> Step:
    return Step(name, list(points), by="gateway", method="DELIVER")


def derived(name: str, type_: str) -> tuple[Step, ...]:
    """Return the steps that store what names one resource."""
    return tuple(
        Step(f"{name}-{kind}", body) for kind, body in about(type_, name).items()
    )


def hide(steps_: Iterable[Step], *varieties: str) -> tuple[Step, ...]:
    return tuple(replace(one, hidden=varieties) for one in steps_)


def series(name: str, who: str, first: int, *kinds: str) -> tuple[Step, ...]:
    """Return the steps that store an Observation a day, of these codes."""
    return tuple(
        Step(f"{name}-{letter}", measured(who, code, first + day, 90 + day))
        for day, (letter, code) in enumerate(zip("abcdefgh", kinds, strict=False))
    )


DENIALS: tuple[Json, ...] = (
    {"class": classes("Condition", "Encounter", "Device", "DiagnosticReport")},
    {"code": codes(STEPS, DIASTOLIC, GLUCOSE)},
    {"class": classes("Observation"), "dataPeriod": {"start": "2026-11-18"}},
    {"securityLabel": [{"system": ACT_CODE, "code": "SEX"}]},
    {
        "data": [
            {"meaning": "instance", "reference": {"reference": "Observation/{pinned}"}}
        ]
    },
)
"""What Carol denies to everybody: by class, code, component, time, label and id."""

_PEOPLE = (
    Step("doctor", {"resourceType": "Practitioner", "name": [{"family": "D"}]}),
    Step("alice", person("alice")),
    Step("alice-consent", permitting("alice")),
    Step("carol", person("carol")),
    Step("carol-consent", permitting("carol")),
    Step("dora", person("dora")),
    Step("dora-consent", permitting("dora")),
    Step("ann", person("ann")),
    Step("ann-consent", permitting("ann")),
    Step("zoe", person("zoe")),
)

_VISIBLE = (
    Step("ring", device("alice", "ring-1")),
    Step("visit", encounter("alice", "visit-1")),
    Step("flu", condition("alice", "6142004", "visit")),
    Step("pulse", worn("alice", HEART_RATE, 3, "ring")),
    Step("ring-metric", metric("ring")),
    *derived("pulse", "Observation"),
    Step("alices-group", group("alice")),
    Step("alices-report", report("alice", "pulse")),
    Step("walk", measured("alice", STEPS, 4, 900)),
    delivered("alices-data", heart_rate(1, "alice-user"), steps(2, "alice-user")),
    Step("gone", measured("alice", SPO2, 5, 97)),
    deleted("gone", "Observation"),
)

_SINGLE = (
    Step("rest-a", measured("carol", RESTING, 2, 61)),
    *hide([Step("secret", measured("carol", GLUCOSE, 6, 99))], ROWS, PATIENT),
    Step("rest-b", measured("carol", RESTING, 7, 62)),
)
"""Among Carol's rows there is a single one that she denies."""

_INTIMATE = label("SEX", ACT_CODE)

_MANY = (
    *hide(
        (
            Step("pinned", measured("carol", SUGAR, 8, 80)),
            Step("strap", device("carol", "strap-1")),
            Step("strap-metric", metric("strap")),
            Step("stay", encounter("carol", "stay-1")),
            Step("problem", condition("carol", "73211009", "stay")),
            Step("pressure", panel("carol", SYSTOLIC, DIASTOLIC)),
            Step("late", measured("carol", RESTING, 19, 63)),
            Step("worn", worn("carol", HEART_RATE, 19, "strap")),
            Step("intimate", measured("carol", RESTING, 10, 65, meta=_INTIMATE)),
        ),
        ROWS,
    ),
    Step("rest-c", measured("carol", RESTING, 11, 66)),
    *hide(
        (
            Step("carols-report", report("carol", "secret", "rest-a")),
            *series("steps", "carol", 12, STEPS, STEPS, STEPS, STEPS, STEPS),
            changed("steps-a", measured("carol", STEPS, 12, 801)),
        ),
        ROWS,
    ),
    Step("rest-d", measured("carol", RESTING, 13, 67)),
    *hide(
        (
            Step("erased", measured("carol", STEPS, 14, 700)),
            deleted("erased", "Observation"),
            *derived("steps-a", "Observation"),
            *derived("stay", "Encounter"),
            Step("zoes-pulse", measured("zoe", HEART_RATE, 9)),
            delivered(
                "doras-data",
                heart_rate(1, "dora-user"),
                steps(2, "dora-user"),
                heart_rate(3, "dora-user"),
            ),
        ),
        ROWS,
    ),
)
"""Rows hidden by each thing that a consent can say, among others that are not."""

_NAMING = (
    Step(
        "naming",
        measured(
            "carol",
            RESTING,
            14,
            68,
            derivedFrom=[{"reference": "Observation/{secret}"}],
            hasMember=[{"reference": "Observation/{steps-a}"}],
            focus=[{"reference": "Patient/{bob}"}],
        ),
    ),
    changed(
        "alice",
        person(
            "alice",
            link=[{"other": {"reference": "Patient/{bob}"}, "type": "seealso"}],
        ),
    ),
)
"""Visible resources that name hidden ones, or such as never existed."""

_ELSEWHERE_ALONE = permit(
    actor=actor("Organization/{elsewhere}"),
    purpose=purposes("TREAT"),
    provision=[permit(securityLabel=[{"system": ACT_CODE, "code": "HIV"}])],
)

_BOB = tuple(
    replace(one, by="keeper")
    for one in hide(
        (
            Step("bob", person("bob", "elsewhere")),
            Step("bob-consent", consent("{bob}", _ELSEWHERE_ALONE)),
            Step("bobs-ring", device("bob", "bobs-ring-1")),
            Step("bobs-metric", metric("bobs-ring")),
            Step("bobs-visit", encounter("bob", "bobs-visit-1")),
            Step("bobs-problem", condition("bob", "86406008", "bobs-visit")),
            *series("bobs", "bob", 3, HEART_RATE, RESTING, STEPS, RESTING),
            *derived("bobs-a", "Observation"),
            Step("bobs-group", group("bob")),
            changed("bobs-a", measured("bob", HEART_RATE, 3, 91)),
            deleted("bobs-d", "Observation"),
            delivered("bobs-data", heart_rate(1, "bob-user"), steps(2, "bob-user")),
        ),
        PATIENT,
    )
)

_ANN = hide(
    (
        Step("anns-ring", device("ann", "anns-ring-1")),
        Step("anns-visit", encounter("ann", "anns-visit-1")),
        *series("anns", "ann", 3, HEART_RATE, RESTING, STEPS, RESTING, SPO2),
        *derived("anns-a", "Observation"),
        Step("anns-metric", metric("anns-ring")),
        delivered("anns-data", heart_rate(1, "ann-user"), steps(2, "ann-user")),
    ),
    WITHDRAWN,
)

_HIDING = (
    changed("carol-consent", permitting("carol", *DENIALS)),
    changed("dora-consent", {**permitting("dora"), "status": "inactive"}),
    Step("mixed-group", group("alice", "carol")),
    Step("last", measured("alice", RESTING, 15, 69)),
)
"""Only now is anything denied: what is hidden could be named before."""

WITHDRAWAL = changed("ann-consent", {**permitting("ann"), "status": "inactive"})

SCRIPT = (*_PEOPLE, *_VISIBLE, *_BOB, *_SINGLE, *_MANY, *_NAMING, *_ANN, *_HIDING)

ORGANIZATIONS = ("clinic", "laboratory", "elsewhere")

VITAL_SIGNS = f"system/Observation.rs?category={CATEGORY}|vital-signs"

CLIENTS: Mapping[str, tuple[str, str | None, tuple[str, ...]]] = {
    "admin": ("system/*.cruds", "clinic", ("TREAT",)),
    "keeper": ("system/*.cruds", "elsewhere", ("TREAT",)),
    "gateway": ("system/Observation.c", "clinic", ("TREAT",)),
    "ehr": ("system/*.rs", "clinic", ("TREAT",)),
    "lab": ("system/*.rs", "laboratory", ("TREAT",)),
    "narrow": (
        f"{VITAL_SIGNS} system/Patient.rs system/Provenance.rs",
        "laboratory",
        ("HRESCH", "TREAT"),
    ),
    "nobody": ("system/*.rs", None, ()),
    "writer": ("system/*.cruds", "clinic", ("TREAT",)),
    "stranger": ("system/*.cruds", "laboratory", ("TREAT",)),
}
"""Name → scopes, organization and purposes; `keeper` alone may see what is Bob's."""

SOURCES = ("open-mhealth",)


def furnished(side: Side) -> Side:
    """Register the clients, and store the organizations to which they belong."""
    world = side.world
    founder = world.client("founder", "system/Organization.c")
    for name in ORGANIZATIONS:
        world.clock.pass_s(1)
        side.ids[name] = world.clock()
        world.create(organization(name), founder)
    for name, (scopes, house, asked) in CLIENTS.items():
        side.clients[name] = world.client(
            name,
            scopes,
            organization=house and f"Organization/{id_at(side.ids[house])}",
            sources=SOURCES,
            purposes=asked,
        )
    return side


def filled(side: Side, hiding: tuple[str, ...]) -> Side:
    """Run the script; of the hidden steps only those of some varieties, or none.

    Args:
        side: An empty world.
        hiding: The varieties whose hidden steps are done.

    """
    _name(furnished(side))
    for number, step in enumerate(SCRIPT):
        side.world.clock.us = _moment(side, number)
        if not step.hidden or set(hiding) & set(step.hidden):
            _do(side, step)
    side.world.clock.us = _moment(side, len(SCRIPT))
    return side


def _name(side: Side) -> None:
    """Give every name its id beforehand: it is that of the moment of its step."""
    side.ids["start"] = side.world.clock()
    for number, step in enumerate(SCRIPT):
        side.ids.setdefault(step.name, _moment(side, number))


def _moment(side: Side, number: int) -> int:
    return side.ids["start"] + (number + 1) * 60_000_000


def _do(side: Side, step: Step) -> None:
    answer = side.send(step.ask, step.by)
    text = answer.get_data(as_text=True)
    assert answer.status_code < 300, (step.name, text)
    if step.method == "POST":
        assert json.loads(text)["id"] == id_at(side.ids[step.name])
    if step.method == "DELIVER":
        assert json.loads(text)["stored"] == len(step.body), text
