from datetime import UTC

from consent.disclosure_scope import MAX_ITEMS, scope
from consent.references import Deployment

T = "http://terminology.hl7.org/CodeSystem/"
PLACE = Deployment(zone=UTC)


def code(value):
    return {"coding": [{"system": "http://loinc.org", "code": value}]}


def told(provision, path="provision"):
    return scope(
        {"provision": provision},
        version="Consent/c/_history/3",
        path=path,
        deployment=PLACE,
    )


def test_a_permit_without_limits_is_its_version_alone():
    assert told({"type": "permit"}) == "Consent/c/_history/3"


def test_every_limit_of_the_permit_is_told():
    provision = {
        "type": "permit",
        "period": {"start": "2026", "end": "2027-06-30"},
        "purpose": [{"system": T + "v3-ActReason", "code": "TREAT"}],
        "class": [{"code": "Observation"}],
        "code": [code("8867-4")],
        "securityLabel": [{"code": "N"}],
        "data": [
            {"meaning": "dependents", "reference": {"reference": "Device/d"}},
        ],
        "dataPeriod": {"start": "2026-01-01"},
    }

    assert told(provision) == (
        'Consent/c/_history/3; purpose="TREAT"; data="Observation, '
        "http://loinc.org|8867-4, N, dependents Device/d, from 2026-01-01 to ever"
        '"; until="2027-06-30"'
    )


def test_neither_a_recipient_nor_a_denial_nor_another_permit_is_told():
    provision = {
        "type": "permit",
        "actor": [{"reference": {"reference": "Practitioner/secret"}}],
        "provision": [
            {"type": "deny", "code": [code("secret")]},
            {"type": "permit", "code": [code("secret")]},
        ],
    }

    assert "secret" not in told(provision)


def test_a_nested_permit_takes_over_what_it_does_not_state():
    provision = {
        "type": "permit",
        "period": {"end": "2030"},
        "purpose": [{"code": "TREAT"}],
        "code": [code("1")],
        "provision": [
            {"type": "deny"},
            {"type": "permit", "code": [code("2")], "period": {"end": "2028"}},
        ],
    }

    assert told(provision, "provision.provision[1]") == (
        'Consent/c/_history/3; purpose="TREAT"; data="http://loinc.org|2"; '
        'until="2030, 2028"'
    )


def test_a_permit_inside_a_denial_does_not_take_over_its_data():
    provision = {
        "type": "deny",
        "code": [code("secret")],
        "provision": [{"type": "permit"}],
    }

    assert told(provision, "provision.provision[0]") == "Consent/c/_history/3"


def test_a_long_list_is_cut_and_counted():
    provision = {"type": "permit", "code": [code(str(n)) for n in range(MAX_ITEMS + 3)]}

    assert told(provision).endswith(' and 3 more"')


def test_the_scope_fits_a_header():
    provision = {"type": "permit", "code": [code('a"\r\nSet-Cookie: b\\é')]}

    assert told(provision) == (
        'Consent/c/_history/3; data="http://loinc.org|a???Set-Cookie: b??"'
    )
