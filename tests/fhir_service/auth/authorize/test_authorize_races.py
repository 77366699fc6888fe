"""What two tabs, two people or an eraser do to a request at the same moment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from authorizing import BASE, Asking

from fhir_service.auth import authorize_grant, authorize_steps, sessions
from fhir_service.auth.authorize_held import Gone, Held, NotYours
from fhir_service.auth.authorize_message import AuthorizeError
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.waiting import LaunchContext, unsealed
from fhir_service.storage import accounts, launches
from fhir_service.storage.accounts import Account


def handle_of(asking: Asking) -> str:
    handle: str = asking.browser().ask().headers["Location"].rpartition("/")[2]
    return handle


def taken(asking: Asking, account: Account, handle: str) -> Held:
    session = sessions.current(asking.services, asking.browser().log_in(account))
    assert session is not None
    return authorize_steps.take_up(asking.services, handle, session, "192.0.2.1")


def test_two_tabs_grant_once(asking: Asking, ada: Account) -> None:
    held = taken(asking, ada, handle_of(asking))
    scopes = ("patient/Observation.rs",)
    authorize_grant.grant(asking.services, held, scopes)

    with pytest.raises(Gone):
        authorize_grant.grant(asking.services, held, scopes)

    assert len(asking.granted(ada)) == 1


def test_nothing_is_granted_to_an_app_that_is_removed_meanwhile(
    asking: Asking, ada: Account
) -> None:
    held = taken(asking, ada, handle_of(asking))
    asking.remove_client("app")

    with pytest.raises(Gone):
        authorize_grant.grant(asking.services, held, ("patient/Observation.rs",))


def test_nothing_is_granted_by_a_login_that_ends_meanwhile(
    asking: Asking, ada: Account
) -> None:
    held = taken(asking, ada, handle_of(asking))
    asking.services.database.write(
        lambda transaction: accounts.end_session(transaction, held.session.hash)
    )

    with pytest.raises(Gone):
        authorize_grant.grant(asking.services, held, ("patient/Observation.rs",))
    assert asking.granted(ada) == []


def test_an_answered_request_is_not_refused_and_not_settled(
    asking: Asking, ada: Account
) -> None:
    held = taken(asking, ada, handle_of(asking))
    error = AuthorizeError.ACCESS_DENIED
    authorize_steps.refused(asking.services, held, error, "denied")

    with pytest.raises(Gone):
        authorize_steps.refused(asking.services, held, error, "denied")
    with pytest.raises(Gone):
        authorize_steps.settle_patient(asking.services, held, "ada")


def test_two_people_who_come_at_once_do_not_share(
    asking: Asking, ada: Account, doctor: Account
) -> None:
    handle = handle_of(asking)
    first = taken(asking, ada, handle)
    session = sessions.current(asking.services, asking.browser().log_in(doctor))
    assert session is not None

    with pytest.raises(NotYours):
        authorize_steps._bound(asking.services, replace(first, session=session))


def test_two_tabs_of_a_person_choose_one_patient(
    asking: Asking, doctor: Account
) -> None:
    handle = handle_of(asking)
    held = taken(asking, doctor, handle)
    authorize_steps.settle_patient(asking.services, held, "ada", "Ada Example")

    later = authorize_steps.settle_patient(asking.services, held, "ben", "Ben Example")

    again = authorize_steps.take_up(asking.services, handle, held.session, "192.0.2.1")
    assert (later.context.patient, again.context.patient) == ("ada", "ada")


def test_a_tab_that_comes_late_takes_nothing_back(
    asking: Asking, doctor: Account
) -> None:
    handle = handle_of(asking)
    held = taken(asking, doctor, handle)
    authorize_steps.settle_patient(asking.services, held, "ada", "Ada Example")

    late = authorize_steps._bound(asking.services, held)

    again = authorize_steps.take_up(asking.services, handle, held.session, "192.0.2.1")
    assert (late.context.patient, again.context.patient) == ("ada", "ada")
    assert again.context.is_settled


def test_a_launch_that_two_tabs_take_up_at_once_is_taken_up(
    asking: Asking, doctor: Account
) -> None:
    value = launch_value(asking, doctor)
    answer = asking.browser().ask(scope="launch patient/*.rs", launch=value)
    handle = answer.headers["Location"].rpartition("/")[2]
    held = taken(asking, doctor, handle)
    unlaunched = replace(held, waiting=replace(held.waiting, context=LaunchContext()))

    late = authorize_steps._bound(asking.services, unlaunched)

    assert (late.context.patient, late.context.is_launch) == ("ada", True)


def launch_value(asking: Asking, account: Account) -> str:
    value, services = "v" * 43, asking.services
    launch = launches.Launch(
        hash=token_hash(value),
        client_id="app",
        user_id=account.user_id,
        patient="ada",
        context="{}",
        break_glass_id=None,
        expires=services.clock() + 60_000_000,
    )
    services.database.write(lambda writing: launches.add_launch(writing, launch))
    return value


def test_a_login_for_a_request_that_is_gone_leads_home(asking: Asking) -> None:
    page = asking.browser().get(f"/login?request={'a' * 43}")

    assert page.status_code == 200
    assert "form-action 'self';" in page.headers["Content-Security-Policy"]
    assert authorize_steps.leads_to(asking.services, "a" * 43) is None
    assert BASE not in page.text


class _Erased:
    """What opens sealed requests once the key is gone."""

    def unsealer(self, _snapshot: Any) -> Callable[[bytes], None]:
        return lambda _sealed: None


def test_a_request_whose_key_is_gone_is_not_guessed(asking: Asking) -> None:
    erased = replace(asking.services, secrets=_Erased())

    with (
        asking.services.database.read() as snapshot,
        pytest.raises(LookupError, match="key is gone"),
    ):
        unsealed(erased, snapshot, b"sealed")
