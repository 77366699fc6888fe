"""Refresh tokens: renewed, rotated, bound, never widened.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token
https://www.rfc-editor.org/rfc/rfc9700#section-4.14
"""

import uuid

import pytest
from smart_flow import STANDALONE, scopes, tokens
from smart_person import Wish

CLIENTS = ["public-app", "secret-app", "key-app"]


def refused(answer):
    assert "access_token" not in answer.json()
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("with_scope", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_refresh_gives_what_was_granted(client, with_scope, patient, apps, clinic):
    first = tokens(patient, apps[client], STANDALONE)
    more = {"scope": first["scope"]} if with_scope else {}

    answer = apps[client].refresh(first["refresh_token"], **more)

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert "no-cache" in answer.headers["Pragma"]
    body = answer.json()
    assert body["token_type"].lower() == "bearer"
    assert isinstance(body["expires_in"], int)
    assert body["scope"] == first["scope"]
    assert body["access_token"] != first["access_token"]
    read = clinic.service.get(f"Patient/{clinic.patient}", body["access_token"])
    assert read.status_code == 200


def test_the_scopes_of_smart_1_stay_as_they_were_written(patient, apps):
    asked = "launch/patient openid offline_access patient/*.read"
    first = tokens(patient, apps["secret-app"], asked)

    answer = apps["secret-app"].refresh(first["refresh_token"]).json()

    assert "patient/*.read" in scopes(first)
    assert answer["scope"] == first["scope"]


def test_a_refresh_may_ask_for_less(patient, apps, service, clinic):
    app = apps["secret-app"]
    first = tokens(
        patient, app, "offline_access patient/Patient.rs patient/Observation.rs"
    )

    answer = app.refresh(first["refresh_token"], scope="patient/Patient.rs").json()

    assert scopes(answer) == {"patient/Patient.rs"}
    token = answer["access_token"]
    assert service.get(f"Patient/{clinic.patient}", token).status_code == 200
    query = f"Observation?patient={clinic.patient}"
    assert service.get(query, token).status_code == 403


def test_a_refresh_that_asked_for_less_does_not_narrow_the_next(patient, apps):
    app = apps["secret-app"]
    asked = "offline_access patient/Patient.rs patient/Observation.rs"
    first = tokens(patient, app, asked)
    less = app.refresh(first["refresh_token"], scope="patient/Patient.rs").json()

    again = app.refresh(less["refresh_token"]).json()

    assert scopes(again) == scopes(first)


@pytest.mark.parametrize(
    "scope",
    [
        "patient/*.rs",
        "patient/Patient.cruds",
        "user/Patient.rs",
        "patient/Observation.rs",
        "patient/Patient.rs patient/Observation.rs",
        "launch/patient openid",
    ],
)
def test_a_refresh_never_widens(scope, patient, apps):
    app = apps["secret-app"]
    first = tokens(patient, app, "offline_access patient/Patient.rs")

    answer = app.refresh(first["refresh_token"], scope=scope)

    assert refused(answer) == (400, "invalid_scope")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_refresh_token_that_was_never_given_is_400(client, apps):
    answer = apps[client].refresh(str(uuid.uuid4()))

    assert refused(answer) == (400, "invalid_grant")


def test_a_refresh_token_is_another_client_s_to_no_use(patient, apps):
    first = tokens(patient, apps["secret-app"], STANDALONE)

    answer = apps["other-app"].refresh(first["refresh_token"])

    assert refused(answer) == (400, "invalid_grant")


def test_an_access_token_refreshes_nothing(standalone, apps):
    answer = apps["secret-app"].refresh(standalone["access_token"])

    assert refused(answer) == (400, "invalid_grant")


def test_a_refresh_token_reads_nothing(standalone, service, clinic):
    answer = service.get(f"Patient/{clinic.patient}", standalone["refresh_token"])

    assert answer.status_code == 401


def test_a_refresh_token_that_is_used_again_ends_everything(
    patient, apps, service, clinic
):
    app = apps["public-app"]
    first = tokens(patient, app, STANDALONE)
    second = app.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]

    replayed = app.refresh(first["refresh_token"])

    assert refused(replayed) == (400, "invalid_grant")
    read = service.get(f"Patient/{clinic.patient}", second["access_token"])
    assert read.status_code == 401
    assert refused(app.refresh(second["refresh_token"])) == (400, "invalid_grant")


def test_without_a_lasting_scope_there_is_no_refresh_token(patient, apps):
    answer = tokens(patient, apps["secret-app"], "launch/patient patient/*.rs")

    assert "refresh_token" not in answer


def test_who_does_not_let_an_app_stay_gives_it_no_refresh_token(patient, apps):
    answer = tokens(
        patient,
        apps["secret-app"],
        "offline_access patient/Patient.rs",
        Wish(without=frozenset({"offline_access"})),
    )

    assert "refresh_token" not in answer
    assert "offline_access" not in scopes(answer)


def test_online_access_ends_with_the_login(add_person, apps, service, clinic):
    app = apps["secret-app"]
    person = add_person("online", "patient", f"Patient/{clinic.patient}").log_in()
    online = tokens(person, app, "online_access patient/Patient.rs")
    again = app.refresh(online["refresh_token"])
    assert again.status_code == 200

    person.send(
        (home := person.open("/")).form("/logout"), home.form("/logout").filled()
    )

    answer = app.refresh(again.json()["refresh_token"])
    assert refused(answer) == (400, "invalid_grant")
    read = service.get(f"Patient/{clinic.patient}", again.json()["access_token"])
    assert read.status_code == 401


def test_offline_access_outlasts_the_login(add_person, apps, clinic):
    app = apps["secret-app"]
    person = add_person("offline", "patient", f"Patient/{clinic.patient}").log_in()
    offline = tokens(person, app, "offline_access patient/Patient.rs")

    person.send(
        (home := person.open("/")).form("/logout"), home.form("/logout").filled()
    )

    assert app.refresh(offline["refresh_token"]).status_code == 200


def test_whose_account_is_removed_has_let_no_app_in(add_person, apps, service, clinic):
    app = apps["secret-app"]
    person = add_person("leaver", "patient", f"Patient/{clinic.patient}").log_in()
    given = tokens(person, app, STANDALONE)

    service.command("user", "remove", "leaver")

    read = service.get(f"Patient/{clinic.patient}", given["access_token"])
    assert read.status_code == 401
    assert refused(app.refresh(given["refresh_token"])) == (400, "invalid_grant")
