"""What vendors push: proven by their signature, or kept as a hint."""

import base64
import hashlib
import hmac
import json

import pytest
from sqlalchemy import select
from worlds import heart_rate

from consent.audit.entry import Interaction, Outcome
from fhir_service.ingest import endpoints, hints, push, retry
from fhir_service.ingest.endpoints import Needs, Origin, Shared
from fhir_service.storage import push_endpoints
from fhir_service.storage.push_endpoints import push_endpoint, push_seen
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import quarantine
from mappings.signatures import SCHEMES

WORD = "shared-with-the-vendor"
CODE = "verification-code"
SOURCES = ("fitbit", "garmin", "google-health", "oura", "polar", "whoop", "withings")
SIGNED_AS_WHOOP = "open-mhealth"


@pytest.fixture(autouse=True)
def _a_source_that_signs_as_whoop_does(monkeypatch):
    """Let data points of a source that is understood come signed."""
    schemes = {**SCHEMES, SIGNED_AS_WHOOP: SCHEMES["whoop"]}
    needs = {**endpoints.NEEDS, SIGNED_AS_WHOOP: Needs(secret=Origin.VENDOR)}
    monkeypatch.setattr(push, "SCHEMES", schemes)
    monkeypatch.setattr(endpoints, "SCHEMES", schemes)
    monkeypatch.setattr(endpoints, "NEEDS", needs)


@pytest.fixture
def cloud(clinic):
    """Return the clinic with a client that speaks for every vendor that pushes."""
    clinic.consented()
    clinic.world.client(
        "cloud",
        "system/Observation.c",
        organization=clinic.organization,
        sources=(*SOURCES, SIGNED_AS_WHOOP),
    )
    return clinic


def opened(clinic, source, *, client="cloud", shared=None, **more):
    """Return the path of a new endpoint."""
    both = source in {"fitbit", "oura"}
    own = (
        Shared()
        if source in {"garmin", "withings"}
        else Shared(secret=WORD, code=CODE if both else "")
    )
    endpoint, _ = endpoints.add(
        clinic.world.deployment.services,
        source=source,
        client_id=client,
        shared=own if shared is None else shared,
        random=_counting(),
        **more,
    )
    return f"/device-data/{source}/push/{endpoint.id}"


def sharing(text, code=""):
    return Shared(secret=text, code=code)


_made = iter(range(1, 10_000))


def _counting():
    number = next(_made)
    return lambda count: number.to_bytes(count, "big")


def as_whoop(clinic, body, *, secret=WORD, later_s=0):
    time = str(clinic.world.clock() // 1000 + later_s * 1000)
    made = hmac.digest(secret.encode(), time.encode() + body, "sha256")
    return {
        "X-WHOOP-Signature": base64.b64encode(made).decode(),
        "X-WHOOP-Signature-Timestamp": time,
    }


def pushed(clinic, path, body, headers=(), content_type="application/json"):
    return clinic.world.send("POST", path, body, dict(headers), content_type)


def points(*numbers):
    found = [heart_rate(number, "user-1") for number in numbers]
    return json.dumps(found).encode()


def rows_of(clinic, table):
    with clinic.world.deployment.database.read() as snapshot:
        return snapshot.all(Statement(select(table)))


def waiting(clinic):
    names = list(quarantine.columns.keys())
    found = [dict(zip(names, row, strict=True)) for row in rows_of(clinic, quarantine)]
    return [(row["source"], row["client_id"], row["reason"]) for row in found]


def ingested(clinic):
    return [
        one for one in clinic.world.audited() if one.interaction is Interaction.INGEST
    ]


def last(clinic):
    return ingested(clinic)[-1]


def test_a_signed_push_is_stored_for_its_client_and_audited(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP), points(1, 2)

    answer = pushed(cloud, path, body, as_whoop(cloud, body))

    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert len(cloud.found("Observation?code=8867-4")) == 2
    [record] = ingested(cloud)
    assert (record.client, record.outcome) == ("cloud", Outcome.ALLOWED)
    assert record.counts == (("stored", 2),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"X-WHOOP-Signature": "AAAA"}, "signature wrong"),
        ({"X-WHOOP-Signature": ""}, "signature missing"),
        ({"X-WHOOP-Signature-Timestamp": ""}, "signature missing"),
        ({"X-WHOOP-Signature-Timestamp": "1"}, "signature wrong"),
    ],
)
def test_what_is_not_proven_is_refused_audited_and_not_kept(cloud, change, reason):
    path, body = opened(cloud, SIGNED_AS_WHOOP), points(1)

    answer = pushed(cloud, path, body, {**as_whoop(cloud, body), **change})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Signature realm="fhir"'
    assert cloud.found("Observation") == []
    assert (waiting(cloud), rows_of(cloud, push_seen)) == ([], [])
    [record] = ingested(cloud)
    assert (record.outcome, record.reason, record.client) == (
        Outcome.DENIED,
        reason,
        "",
    )


def test_a_stale_signature_is_refused(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP), points(1)

    answer = pushed(cloud, path, body, as_whoop(cloud, body, later_s=-301))

    assert answer.status_code == 401
    assert last(cloud).reason == "signature stale"


def test_a_replay_is_answered_as_before_and_does_nothing(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP), points(1)
    headers = as_whoop(cloud, body)
    pushed(cloud, path, body, headers)

    answer = pushed(cloud, path, body, headers)

    assert answer.status_code == 200
    assert (last(cloud).reason, last(cloud).counts) == ("replay", ())
    assert len(rows_of(cloud, push_seen)) == 1


def test_what_failed_is_not_remembered_and_may_be_sent_again(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP), b"{"

    answers = [pushed(cloud, path, body, as_whoop(cloud, body)) for _ in range(2)]

    assert [one.status_code for one in answers] == [400, 400]
    assert rows_of(cloud, push_seen) == []


def test_the_memory_of_replays_is_forgotten_once_they_are_stale(cloud):
    path = opened(cloud, SIGNED_AS_WHOOP)
    pushed(cloud, path, points(1), as_whoop(cloud, points(1)))
    cloud.world.clock.pass_s(700)

    pushed(cloud, path, points(2), as_whoop(cloud, points(2)))

    assert len(rows_of(cloud, push_seen)) == 1


def test_a_signature_for_one_endpoint_is_none_for_another(cloud):
    opened(cloud, SIGNED_AS_WHOOP)
    other = opened(cloud, SIGNED_AS_WHOOP, shared=sharing("another"))
    body = points(1)

    answer = pushed(cloud, other, body, as_whoop(cloud, body))

    assert answer.status_code == 401


def test_an_endpoint_without_a_secret_takes_nothing(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP, shared=Shared()), points(1)

    answer = pushed(cloud, path, body, as_whoop(cloud, body, secret=""))

    assert answer.status_code == 401


def test_a_client_that_was_removed_delivers_nothing_more(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP), points(1)
    world = cloud.world
    world.deployment.database.write(_removing("cloud", world.clock()))

    answer = pushed(cloud, path, body, as_whoop(cloud, body))

    assert answer.status_code == 404
    assert cloud.found("Observation") == []


def _removing(client_id, now):
    from fhir_service.storage import registrations  # noqa: PLC0415 - this test's alone

    return lambda transaction: registrations.remove_client(transaction, client_id, now)


@pytest.mark.parametrize("source", ["garmin", "withings"])
def test_what_nobody_signs_is_kept_once_as_a_hint_and_never_becomes_data(cloud, source):
    path = opened(cloud, source)
    body = b"userid=1&appli=1" if source == "withings" else b'{"dailies":[{"steps":1}]}'
    kind = (
        "application/x-www-form-urlencoded"
        if source == "withings"
        else ("application/json")
    )

    answers = [pushed(cloud, path, body, content_type=kind) for _ in range(2)]
    account = retry.retry(cloud.world.deployment.services)

    assert [one.status_code for one in answers] == [200, 200]
    assert waiting(cloud) == [(source, "cloud", "unverified")]
    assert account.resolved == 0
    assert cloud.found("Observation") == []
    hinted = [one for one in cloud.world.audited() if one.reason == "unverified"]
    assert [(one.client, one.counts) for one in hinted] == [
        ("", (("quarantined", 1),))
    ] * 2


def test_hints_do_not_fill_the_disk(cloud, monkeypatch):
    monkeypatch.setattr(hints, "KEPT", dict.fromkeys(hints.KEPT, 2))
    path = opened(cloud, "garmin")

    for number in range(4):
        assert pushed(cloud, path, b'{"a":%d}' % number).status_code == 200
    pushed(cloud, path, b" " * (hints.MAX_BYTES + 1))

    assert len(waiting(cloud)) == 2


def test_a_genuine_notice_is_kept_and_nothing_is_stored(cloud):
    path = opened(cloud, "whoop")
    notice = {"user_id": 1, "id": "X", "type": "sleep.updated", "trace_id": "Y"}
    body = json.dumps(notice).encode()

    answer = pushed(cloud, path, body, as_whoop(cloud, body))

    assert answer.status_code == 200
    assert waiting(cloud) == [("whoop", "cloud", "notice")]


def test_fitbits_signature_and_code_are_those_of_its_documentation(cloud):
    path = opened(cloud, "fitbit")
    body = b'[{"collectionType":"sleep","ownerId":"X","date":"2026-01-01"}]'
    made = hmac.digest(f"{WORD}&".encode(), body, "sha1")
    headers = {"X-Fitbit-Signature": base64.b64encode(made).decode()}

    answers = [
        cloud.world.get(f"{path}?verify={CODE}", {}),
        cloud.world.get(f"{path}?verify=wrong", {}),
        cloud.world.get(path, {}),
        pushed(cloud, path, body, headers),
    ]

    assert [one.status_code for one in answers] == [204, 404, 404, 204]


def test_oura_gets_its_challenge_back_for_its_token_alone(cloud):
    path = opened(cloud, "oura")

    right = cloud.world.get(f"{path}?verification_token={CODE}&challenge=abc", {})
    wrong = cloud.world.get(f"{path}?verification_token=no&challenge=abc", {})

    assert (right.status_code, right.json) == (200, {"challenge": "abc"})
    assert wrong.status_code == 401
    assert "abc" not in wrong.get_data(as_text=True)


def test_ouras_signature_is_over_its_time_and_the_body(cloud):
    path = opened(cloud, "oura")
    body = b'{"event_type":"create","data_type":"sleep","object_id":"X"}'
    time = str(cloud.world.clock() // 1_000_000)
    made = hmac.new(WORD.encode(), time.encode() + body, hashlib.sha256)
    headers = {
        "x-oura-signature": made.hexdigest().upper(),
        "x-oura-timestamp": time,
    }

    answer = pushed(cloud, path, body, headers)

    assert answer.status_code == 200
    assert waiting(cloud) == [("oura", "cloud", "notice")]


def test_google_is_told_whether_its_secret_came(cloud):
    path = opened(cloud, "google-health", shared=sharing("Bearer abc"))
    body = b'{"type":"verification"}'

    answers = [
        pushed(cloud, path, body, headers)
        for headers in (
            {"Authorization": "Bearer abc"},
            {},
            {"Authorization": "Bearer abd"},
        )
    ]

    assert [one.status_code for one in answers] == [200, 401, 401]
    assert waiting(cloud) == []


def test_a_ping_of_polar_is_answered_before_there_is_a_secret(cloud):
    path = opened(cloud, "polar", shared=Shared())

    ping = pushed(cloud, path, b'{"timestamp":"2026-01-01T00:00:00Z","event":"PING"}')
    other = pushed(cloud, path, b'{"event":"SLEEP","user_id":1,"entity_id":"X"}')

    assert (ping.status_code, other.status_code) == (200, 401)
    assert waiting(cloud) == []


def test_withings_finds_somebody_by_head(cloud):
    path = opened(cloud, "withings")

    head = cloud.world.http.head(path)
    others = [
        cloud.world.get(path, {}),
        cloud.world.http.head(opened(cloud, "garmin")),
        cloud.world.http.put(path),
    ]

    assert head.status_code == 200
    assert [one.status_code for one in others] == [405, 405, 405]


def test_an_endpoint_that_is_not_there_and_one_of_another_source_look_alike(cloud):
    path = opened(cloud, "garmin")
    removed = opened(cloud, "withings")
    services = cloud.world.deployment.services
    endpoints.remove(services, removed.rpartition("/")[2])

    answers = [
        pushed(cloud, one, b"{}")
        for one in (
            path.replace("garmin", "withings"),
            f"/device-data/garmin/push/{'a' * 26}",
            removed,
        )
    ]

    assert {one.status_code for one in answers} == {404}
    texts = {one.json["issue"][0]["diagnostics"] for one in answers}
    assert texts == {"There is no such endpoint here."}


def test_a_new_secret_ends_the_earlier_one_at_once(cloud):
    path, body = opened(cloud, SIGNED_AS_WHOOP), points(1)
    services = cloud.world.deployment.services
    id_ = path.rpartition("/")[2]

    endpoints.rotate(services, id_, sharing("newer"), _counting())
    answers = [
        pushed(cloud, path, body, as_whoop(cloud, body, secret=secret))
        for secret in (WORD, "newer")
    ]

    assert [one.status_code for one in answers] == [401, 200]
    rotated = [
        one
        for one in cloud.world.audited()
        if one.interaction is Interaction.KEY_ROTATION
    ]
    assert [one.request for one in rotated] == [f"push rotate {SIGNED_AS_WHOOP} {id_}"]


def test_a_secret_is_sealed_bound_to_its_endpoint_and_forgotten_with_it(cloud):
    first, second = (opened(cloud, "whoop").rpartition("/")[2] for _ in range(2))
    services = cloud.world.deployment.services
    with services.database.read() as snapshot:
        one, other = (push_endpoints.find(snapshot, id_) for id_ in (first, second))
        moved = type(one)(
            **{name: getattr(one, name) for name in one.__slots__ if name != "secret"},
            secret=other.secret,
        )

        assert endpoints.shared_with(services, snapshot, one) == Shared(secret=WORD)
        with pytest.raises(Exception, match="cannot be read"):
            endpoints.shared_with(services, snapshot, moved)
    endpoints.remove(services, first)

    kept = {row[0]: row[3] for row in rows_of(cloud, push_endpoint)}
    assert kept[first] is None
    assert WORD.encode() not in kept[second]


def test_no_secret_or_code_reaches_the_audit_log(cloud):
    fitbit = opened(cloud, "fitbit")
    google = opened(cloud, "google-health", shared=sharing("Bearer abcdef"))

    cloud.world.get(f"{fitbit}?verify={CODE}", {})
    pushed(cloud, google, b"{}", {"Authorization": "Bearer abcdef"})

    told = repr(cloud.world.audited())
    assert CODE not in told
    assert "abcdef" not in told


@pytest.mark.parametrize(
    ("source", "shared", "says"),
    [
        ("zigbee2mqtt", Shared(), "does not push"),
        ("garmin", sharing("x"), "shares no such secret"),
        ("whoop", sharing("x", "y"), "shares no such secret"),
        ("whoop", sharing("x" * 257), "printable"),
        ("whoop", sharing("a\x00b"), "printable"),
        ("whoop", sharing("é"), "printable"),
    ],
)
def test_an_endpoint_that_cannot_be_is_not_made(cloud, source, shared, says):
    with pytest.raises(Exception, match=says):
        opened(cloud, source, shared=shared)

    assert rows_of(cloud, push_endpoint) == []


def test_an_endpoint_delivers_for_a_client_of_its_source_alone(cloud):
    with pytest.raises(Exception, match="not registered for the source"):
        opened(cloud, "whoop", client="gateway")
    with pytest.raises(Exception, match="no such active client"):
        opened(cloud, "whoop", client="nobody")
