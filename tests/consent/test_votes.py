"""Rules and consents together: what several say, and what is asked again."""

from datetime import UTC, datetime, timedelta

from consent.codes import ACT_REASON, CONSENT_ACTION
from consent.decision import DefaultPolicy
from consent.engine import prepare
from consent.explain import decide_resource
from consent.formula import And, EndLE, Row, evaluate
from consent.in_force import Enforced, Policy, Subject
from consent.labels import labels_of
from consent.overlays import SELF
from consent.provisions import read
from consent.references import Deployment
from consent.request import AccessRequest
from consent.signature import describe

T = "http://terminology.hl7.org/CodeSystem/"
DEPLOYMENT = Deployment(zone=UTC)
P1 = Subject(patient="Patient/p1")
PULSE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
STEPS = {"coding": [{"system": "http://loinc.org", "code": "55423-8"}]}
NORMAL = labels_of(3, (), is_labelled=True)
RESTRICTED = labels_of(4, (), is_labelled=True)
SPRING, SUMMER = "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"


def us(text):
    moment = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return moment // timedelta(microseconds=1)


def permit(**elements):
    return {"type": "permit", **elements}


def deny(**elements):
    return {"type": "deny", **elements}


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
            "actors": frozenset({"Organization/home"}),
            "individual_known": True,
            "purposes": tuple((ACT_REASON, code) for code in purposes or ("TREAT",)),
            "actions": ("access",),
            "btg_attested": False,
            "at_us": us("2026-06-01T12:00:00Z"),
            **changes,
        }
    )


def facets(labels=NORMAL, **elements):
    resource = {
        "resourceType": "Observation",
        "id": "o",
        "code": PULSE,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-10T08:00:00Z",
        **elements,
    }
    return describe(resource, labels=labels, deployment=DEPLOYMENT).facets


def prepared(*provisions, asked=None, subject=P1, policy=None):
    consents = [consent(provision) for provision in provisions]
    return prepare(consents, asked or request(), subject, policy or Policy())


def formula(*provisions, **changes):
    return prepared(*provisions, **changes).formula(facets())


def test_a_window_denied_is_taken_from_a_window_permitted():
    until_summer = permit(dataPeriod={"end": SUMMER})
    from_spring = deny(dataPeriod={"start": SPRING})
    before_spring = EndLE(us(SPRING) - 1)

    assert formula(from_spring) is False
    assert formula(until_summer, from_spring) == And((before_spring, EndLE(us(SUMMER))))


def test_a_window_denied_is_taken_from_the_permit_around_it():
    from_spring = deny(dataPeriod={"start": SPRING})
    found = formula(permit(provision=[deny(code=[STEPS]), from_spring]))

    def is_released(end_us):
        return evaluate(found, Row(reference="Observation/o", end_us=end_us))

    assert is_released(us(SPRING) - 1)
    assert not is_released(us(SPRING))


def test_a_deny_for_a_purpose_reaches_the_general_purpose_and_a_permit_does_not():
    listed = [{"system": ACT_REASON, "code": "BIORCH"}]
    asked = request("HRESCH")

    assert formula(permit(), asked=asked) is True
    assert formula(permit(), deny(purpose=listed), asked=asked) is False
    assert formula(permit(purpose=listed), asked=asked) is False


def test_a_deny_of_another_action_is_silent():
    collecting = [{"coding": [{"system": CONSENT_ACTION, "code": "collect"}]}]

    assert formula(permit(), deny(action=collecting)) is True


def test_a_silent_consent_does_not_silence_the_next():
    ended = permit(period={"end": "2025"})
    other_action = permit(
        action=[{"coding": [{"system": CONSENT_ACTION, "code": "collect"}]}]
    )

    assert formula(ended, permit()) is True
    assert formula(other_action, permit()) is True
    assert formula(permit(), ended, deny()) is False


def test_every_consent_that_denies_is_named_also_after_an_indeterminate_one():
    broken, denying = {"type": "PERMIT"}, deny()

    decision = decide_resource(
        prepared(broken, denying), facets(), Row(reference="Observation/o")
    )

    assert [reason.because.value for reason in decision.reasons] == [
        "indeterminate",
        "deny",
    ]


def test_a_tree_as_deep_as_the_store_enforces_is_enforced():
    policy = Policy(enforced=Enforced(elements=frozenset({"code"}), depth=1))

    assert formula(permit(provision=[permit()]), policy=policy) is True


def test_a_request_remembered_tells_nested_codes_apart():
    asked = prepared(permit(provision=[deny(code=[STEPS])]))

    assert asked.formula(facets()) is True
    assert asked.formula(facets(code=STEPS)) is False
    assert asked.formula(facets()) is True


def test_a_request_remembered_tells_labels_apart_where_the_default_asks_for_them():
    asked = prepared(policy=Policy(default=DefaultPolicy.BASIC_NORMAL))

    assert asked.formula(facets()) is True
    assert asked.formula(facets(RESTRICTED)) is False


def test_signatures_of_different_formulas_are_different_groups():
    asked = prepared(
        permit(code=[PULSE], dataPeriod={"end": SPRING}),
        permit(code=[STEPS], dataPeriod={"end": SUMMER}),
    )
    signatures = {1: facets(), 2: facets(code=STEPS), 3: facets(category=[PULSE])}

    grouped = asked.grouped(signatures)

    assert grouped.permitted == ()
    assert grouped.conditional == (
        (EndLE(us(SPRING)), (1, 3)),
        (EndLE(us(SUMMER)), (2,)),
    )


def test_no_overlay_opens_what_is_nobodys():
    patient = facets(resourceType="Patient")

    def answer(owner):
        subject = Subject(patient=owner, managing_organization="Organization/home")
        return prepared(subject=subject).formula(patient)

    assert answer("Patient/p1") is True
    assert answer(None) is False


def test_the_standing_of_the_person_opens_what_a_consent_denies():
    subject = Subject(patient="Patient/p1", standing=SELF)

    assert formula(deny(), asked=request("PATRQT"), subject=subject) is True
    assert formula(deny(), asked=request("PATRQT")) is False
