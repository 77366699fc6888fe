"""Hand cases beside the random worlds: single rules, one resource, one answer."""

from datetime import UTC

import pytest

from consent.codes import ACT_REASON
from consent.decision import Because, DefaultPolicy
from consent.engine import prepare
from consent.explain import decide_resource
from consent.formula import (
    AuthoredBy,
    EndGE,
    EndLE,
    HasCoding,
    Instance,
    Mentions,
    Not,
    Or,
    Row,
    StartGE,
    StartLE,
    conjunction,
)
from consent.in_force import Enforced, Policy, Subject, validity
from consent.labels import labels_of
from consent.moments import bounds
from consent.provisions import read
from consent.references import Deployment
from consent.request import AccessRequest
from consent.signature import describe
from consent.topology import Topology

T = "http://terminology.hl7.org/CodeSystem/"
DEPLOYMENT = Deployment(zone=UTC, own_bases=("https://fhir.example.org/r4",))
P1 = Subject(patient="Patient/p1")
DENYING = Policy()
NOON = bounds("2026-06-01T12:00:00Z", UTC)[0]
PULSE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
STEPS = {"coding": [{"system": "http://loinc.org", "code": "55423-8"}]}


def consent(provision, **elements):
    return read(
        {
            "resourceType": "Consent",
            "id": "c",
            "meta": {"versionId": "2"},
            "status": "active",
            "scope": {
                "coding": [{"system": T + "consentscope", "code": "patient-privacy"}]
            },
            "patient": {"reference": "Patient/p1"},
            "provision": provision,
            **elements,
        },
        deployment=DEPLOYMENT,
    )


def request(*purposes, **changes):
    return AccessRequest(
        **{
            "actors": frozenset({"Practitioner/dr"}),
            "individual_known": True,
            "purposes": tuple((ACT_REASON, code) for code in purposes or ("TREAT",)),
            "actions": ("access",),
            "btg_attested": False,
            "at_us": NOON,
            **changes,
        }
    )


def observation(**elements):
    return {
        "resourceType": "Observation",
        "id": "o",
        "code": PULSE,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-10T08:00:00Z",
        **elements,
    }


NORMAL = labels_of(3, (), is_labelled=True)


def facets(labels=NORMAL, **elements):
    return describe(
        observation(**elements), labels=labels, deployment=DEPLOYMENT
    ).facets


def formula(*provisions, subject=P1, policy=DENYING, asked=None, **elements):
    prepared = prepare(
        [consent(each) for each in provisions], asked or request(), subject, policy
    )
    return prepared.formula(facets(**elements))


def permit(**elements):
    return {"type": "permit", **elements}


def deny(**elements):
    return {"type": "deny", **elements}


def data(meaning, reference):
    return [{"meaning": meaning, "reference": {"reference": reference}}]


def test_no_consent_leaves_the_default():
    assert formula() is False
    assert formula(policy=Policy(default=DefaultPolicy.PERMIT)) is True
    assert formula(policy=Policy(default=DefaultPolicy.BASIC_NORMAL)) is True


def test_a_permit_of_everything_has_no_predicate():
    assert formula(permit()) is True


def test_a_window_of_clinical_time_is_contained_or_overlapped():
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-12-31T00:00:00Z"}
    first, last = bounds(window["start"], UTC)[0], bounds(window["end"], UTC)[0]

    assert formula(permit(dataPeriod=window)) == conjunction(
        (StartGE(first), EndLE(last))
    )
    assert formula(permit(), deny(dataPeriod=window)) == Not(
        conjunction((EndGE(first), StartLE(last)))
    )
    assert formula(permit(), deny(dataPeriod={"end": "2026-12-31T00:00:00Z"})) == (
        StartGE(last + 1)
    )


def test_undated_data_is_withheld_from_a_window_on_either_side():
    window = {"start": "2026"}

    assert formula(permit(dataPeriod=window), effectiveDateTime="soon") is False
    assert formula(permit(), deny(dataPeriod=window), effectiveDateTime="soon") is False


def test_a_denied_code_is_looked_for_in_the_index_only_where_it_can_be():
    answer = {"coding": [{"system": "http://snomed.info/sct", "code": "1"}]}
    rules = (permit(), deny(code=[STEPS, answer]))

    assert formula(*rules) is True
    assert formula(*rules, valueCodeableConcept=PULSE) is True
    assert formula(*rules, interpretation=[answer]) == Not(
        Or(
            (
                HasCoding("http://loinc.org", "55423-8"),
                HasCoding("http://snomed.info/sct", "1"),
            )
        )
    )
    assert formula(*rules, category=[STEPS]) is False
    assert formula(*rules, component=[{"code": STEPS}]) is False


def test_a_code_in_words_might_be_the_denied_one():
    assert formula(permit(), deny(code=[STEPS]), code={"text": "steps"}) is False
    assert formula(permit(), deny(code=[{"text": "steps"}])) is False
    assert formula(permit(code=[PULSE]), code={"text": "pulse"}) is False
    assert formula(permit(), deny(code=[STEPS]), component=[{"code": {}}]) is False


def test_a_panel_is_permitted_when_every_component_is():
    panel = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}
    both = [{"code": PULSE}, {"code": STEPS}]

    assert formula(permit(code=[PULSE, STEPS]), code=panel, component=both) is True
    assert formula(permit(code=[PULSE]), code=panel, component=both) is False


def test_a_named_instance_is_an_atom_for_its_own_type_only():
    rule = permit(data=data("instance", "Observation/o/_history/3"))

    assert formula(rule) == Instance("Observation/o")
    assert formula(rule, resourceType="Condition") is False


def test_what_the_signature_tells_needs_no_mention_atom():
    def mentions(reference, **elements):
        rule = deny(data=data("dependents", reference))
        return formula(permit(), rule, **elements)

    assert mentions("Encounter/e1") is True
    assert mentions("Encounter/e1", encounter={"reference": "Encounter/e2"}) == (
        Not(Mentions("Encounter/e1"))
    )
    assert mentions("Patient/p1") is False
    assert mentions("Practitioner/y", performer=[{"reference": "Practitioner/y"}]) is (
        False
    )


def test_a_device_covers_what_its_metrics_and_its_other_registrations_measured():
    subject = Subject(
        patient="Patient/p1",
        topology=Topology(
            parents={"DeviceMetric/m": ("Device/new",)},
            units={"Device/old": 7, "Device/new": 7},
        ),
    )
    rule = permit(data=data("dependents", "Device/old"))
    authored = permit(data=data("authoredby", "Device/old"))
    metric = {"reference": "DeviceMetric/m"}

    assert formula(rule, subject=subject, device=metric) is True
    assert formula(authored, subject=subject, device=metric) is True
    assert formula(authored, subject=subject) == AuthoredBy("Device/old")
    assert formula(rule, subject=subject, device={"reference": "Device/else"}) is False


def test_a_provenance_agent_is_an_author():
    described = describe(
        observation(),
        labels=NORMAL,
        deployment=DEPLOYMENT,
        agents=["Organization/clinic"],
    )
    rule = consent(permit(data=data("authoredby", "Organization/clinic")))

    prepared = prepare([rule], request(), P1, Policy())

    assert prepared.formula(described.facets) is True
    assert prepared.formula(facets()) == AuthoredBy("Organization/clinic")


def test_an_unknown_meaning_withholds():
    odd = [{"meaning": "else", "reference": {"reference": "Device/x"}}]

    assert formula(permit(data=odd)) is False
    assert formula(permit(), deny(data=odd)) is False


@pytest.mark.parametrize("purpose", ["treat", "TREATX"])
def test_an_unknown_purpose_of_the_code_system_may_be_the_one_asked_for(purpose):
    listed = [{"system": ACT_REASON, "code": purpose}]

    assert formula(permit(), deny(purpose=listed)) is False
    assert formula(permit(purpose=listed)) is False
    assert formula(permit(purpose=listed), asked=request(purpose)) is True
    assert formula(permit(), deny(purpose=listed), asked=request("HMARKT")) is False


def test_a_purpose_of_another_system_is_another_purpose():
    listed = [{"system": "http://local", "code": "TREAT"}]

    assert formula(permit(), deny(purpose=listed)) is True


def test_an_unknown_action_may_be_the_one_asked_for():
    odd = [{"text": "everything"}]

    assert formula(permit(), deny(action=odd)) is False
    assert formula(permit(action=odd)) is False


def test_a_request_without_action_is_refused_with_a_reason():
    prepared = prepare(
        [consent(permit())],
        request(actions=()),
        P1,
        Policy(default=DefaultPolicy.PERMIT),
    )

    decision = decide_resource(prepared, facets(), Row(reference="Observation/o"))

    assert prepared.formula(facets()) is False
    assert [reason.because for reason in decision.reasons] == [Because.NO_ACTION]


def test_rows_of_nobody_are_withheld_whatever_the_default():
    policy = Policy(default=DefaultPolicy.PERMIT)
    prepared = prepare([], request(), Subject(patient=None), policy)

    decision = decide_resource(prepared, facets(), Row(reference="Observation/o"))

    assert prepared.formula(facets()) is False
    assert [str(reason) for reason in decision.reasons] == ["unattributed"]


def test_an_unattested_break_glass_claim_is_refused_with_a_reason():
    claim = request("BTG", "TREAT")
    prepared = prepare([consent(permit())], claim, P1, Policy())

    decision = decide_resource(prepared, facets(), Row(reference="Observation/o"))

    assert prepared.formula(facets()) is False
    assert [str(reason) for reason in decision.reasons] == ["btg-not-attested"]


def test_a_research_consent_speaks_for_research_and_may_deny_what_may_be_research():
    scope = {"coding": [{"system": T + "consentscope", "code": "research"}]}
    open_policy = Policy(default=DefaultPolicy.PERMIT)

    def answer(provision, asked, policy=DENYING):
        prepared = prepare([consent(provision, scope=scope)], asked, P1, policy)
        return prepared.formula(facets())

    assert answer(permit(), request("BIORCH")) is True
    assert answer(permit(), request("TREAT")) is False
    assert answer(deny(), request("TREAT"), open_policy) is True
    assert answer(deny(), request("PurposeOfUse"), open_policy) is False
    assert answer(permit(), request("PurposeOfUse")) is False
    assert answer(deny(), request(purposes=()), open_policy) is False
    assert answer(permit(), request(purposes=())) is False


def test_what_the_store_does_not_enforce_is_indeterminate():
    labelled = permit(
        provision=[deny(securityLabel=[{"system": T + "v3-ActCode", "code": "MH"}])]
    )
    deep = permit(provision=[permit(provision=[permit()])])
    shallow = Policy(enforced=Enforced(elements=frozenset({"code"}), depth=1))

    assert formula(labelled) is True
    assert formula(labelled, policy=shallow) is False
    assert formula(deep) is True
    assert formula(deep, policy=shallow) is False
    assert formula(permit(code=[PULSE]), policy=shallow) is True


def test_an_indeterminate_consent_is_named():
    prepared = prepare([consent({"type": "PERMIT"})], request(), P1, Policy())

    decision = decide_resource(prepared, facets(), Row(reference="Observation/o"))

    [reason] = decision.reasons
    assert (str(reason), reason.version) == ("indeterminate Consent/c", "2")


def test_the_custodian_overlay_opens_demographics_and_consents_and_is_named():
    subject = Subject(patient="Patient/p1", managing_organization="Organization/home")
    asked = request(actors=frozenset({"Organization/home"}))
    prepared = prepare([consent(deny())], asked, subject, Policy())

    def of_type(resource_type):
        return facets(resourceType=resource_type)

    assert prepared.formula(of_type("Patient")) is True
    assert prepared.formula(of_type("Consent")) is True
    assert prepared.formula(of_type("Observation")) is False
    decision = decide_resource(
        prepared, of_type("Patient"), Row(reference="Patient/p1")
    )
    assert decision.is_permitted
    assert [str(reason) for reason in decision.reasons] == ["overlay custodian/1"]


def test_signatures_are_grouped_by_what_decides_on_their_rows():
    window = {"end": "2026-12-31T00:00:00Z"}
    prepared = prepare(
        [consent(permit(code=[PULSE], dataPeriod=window))], request(), P1, Policy()
    )
    other = consent(permit(code=[STEPS]))
    both = prepare(
        [consent(permit(code=[PULSE], dataPeriod=window)), other],
        request(),
        P1,
        Policy(),
    )
    signatures = {
        1: facets(),
        2: facets(code=STEPS),
        3: facets(category=[PULSE]),
        4: facets(effectiveDateTime="soon"),
    }
    last = EndLE(bounds(window["end"], UTC)[0])

    assert prepared.grouped(signatures).permitted == ()
    assert prepared.grouped(signatures).conditional == ((last, (1, 3)),)
    assert both.grouped(signatures).permitted == (2,)
    assert both.grouped(signatures).conditional == ((last, (1, 3)),)


def test_time_alone_changes_the_answer_at_the_boundaries_only():
    consents = [
        consent(permit(period={"start": "2026-06-01", "end": "2026-06-30"})),
        consent(deny(period={"start": "2026-07-15"}), dateTime="2026-01-01"),
    ]
    start, end = bounds("2026-06-01", UTC)[0], bounds("2026-06-30", UTC)[1] + 1

    assert validity(consents, NOON) == (start, end)
    assert validity(consents, start) == (start, end)
    assert validity(consents, end - 1) == (start, end)
    assert validity(consents, end) == (end, bounds("2026-07-15", UTC)[0])
    assert validity([], NOON) == (None, None)


def answers_at(moment, **elements):
    period = {"start": "2026-06-01", "end": "2026-06-30"}
    prepared = prepare(
        [consent(permit(period=period), **elements)],
        request(at_us=moment),
        P1,
        Policy(),
    )
    return prepared.formula(facets())


def test_bounds_of_a_rule_are_inclusive():
    start, end = bounds("2026-06-01", UTC)[0], bounds("2026-06-30", UTC)[1]

    assert answers_at(start) is True
    assert answers_at(end) is True
    assert answers_at(start - 1) is False
    assert answers_at(end + 1) is False


def test_a_consent_is_not_in_force_before_it_was_written():
    written = bounds("2026-06-02", UTC)[0]

    assert answers_at(written, dateTime="2026-06-02") is True
    assert answers_at(written - 1, dateTime="2026-06-02") is False


@pytest.mark.parametrize(
    "elements",
    [
        {"status": "inactive"},
        {"status": None},
        {"patient": {"reference": "Patient/p2"}},
        {"patient": {"display": "me"}},
        {"scope": {"coding": [{"system": T + "consentscope", "code": "adr"}]}},
    ],
)
def test_a_consent_that_does_not_speak_is_as_if_absent(elements):
    broken = {"type": "PERMIT"}

    prepared = prepare(
        [consent(broken, **elements)],
        request(),
        P1,
        Policy(default=DefaultPolicy.PERMIT),
    )

    assert prepared.formula(facets()) is True


def test_a_broken_period_does_not_silence_a_consent():
    broken = {"start": "2030", "end": "2020"}

    assert formula(
        deny(period=broken), policy=Policy(default=DefaultPolicy.PERMIT)
    ) is (False)


def test_a_prepared_request_answers_again_from_memory():
    rule = consent(permit(data=data("instance", "Observation/o")))
    prepared = prepare([rule], request(), P1, Policy())

    assert prepared.formula(facets()) is prepared.formula(facets(code=STEPS))


def test_requests_with_the_same_context_share_a_cache_key():
    assert request().context == request(at_us=0).context
    assert request().context != request(btg_attested=True).context
    assert request().context != request(individual_known=False).context
    assert request().context != request("HMARKT").context
