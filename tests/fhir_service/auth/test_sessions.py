"""Logins that last, what rests on them, and what ends them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fhir_service.auth import login, sessions, users
from fhir_service.auth.login import Attempt
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.users import UserChange
from fhir_service.storage import authorizations
from fhir_service.storage.accounts import Account
from fhir_service.storage.authorizations import AccessToken, Authorization

TYPED = "a long enough password"
OTHER = "quite another password"
ADDRESS = "192.0.2.1"
FAR_US = 10**12

Clock = Any
Audit = Any
LogIn = Callable[[], str]


@pytest.fixture
def log_in(services: AuthServices, practitioner: Account) -> LogIn:
    def enter() -> str:
        attempt = Attempt(
            username=practitioner.username, password=TYPED, address=ADDRESS
        )
        secret = login.log_in(services, attempt).session
        assert secret is not None
        return secret

    return enter


@pytest.fixture
def let(services: AuthServices, practitioner: Account) -> Callable[..., None]:
    """Let an app do something, for as long as a login lasts or for longer."""

    def authorize(id_: str, session: bytes | None) -> None:
        now = services.clock()
        new = Authorization(
            authorization_id=id_,
            client_id="app",
            user_id=practitioner.user_id,
            patient=None,
            context="{}",
            scopes="user/*.rs",
            purposes=("TREAT",),
            session=session,
            break_glass_id=None,
            authenticated=now,
            created=now,
            expires=now + FAR_US,
        )
        token = AccessToken(
            hash=token_hash(id_),
            client_id="app",
            scopes="user/*.rs",
            purposes=("TREAT",),
            issued=now,
            expires=now + FAR_US,
            authorization_id=id_,
            user_id=practitioner.user_id,
        )

        def work(transaction: Any) -> None:
            authorizations.add(transaction, new)
            authorizations.add_token(transaction, token)

        services.database.write(work)

    return authorize


def held(services: AuthServices) -> list[str]:
    """Return the authorizations that still have their token."""
    with services.database.read() as snapshot:
        return [
            id_
            for id_ in ("online", "offline")
            if authorizations.find(snapshot, id_) is not None
            and authorizations.issued_token(snapshot, token_hash(id_)) is not None
        ]


def test_a_session_says_who_and_since_when(
    services: AuthServices, log_in: LogIn, practitioner: Account, clock: Clock
) -> None:
    began = clock.now
    secret = log_in()
    clock.pass_s(120)

    session = sessions.current(services, secret)

    assert session is not None
    assert session.account == practitioner
    assert (session.hash, session.created) == (token_hash(secret), began)


@pytest.mark.parametrize("secret", [None, "", "x", "é" * 5000])
def test_what_is_no_secret_is_nobodys_session(
    services: AuthServices, log_in: LogIn, secret: str | None
) -> None:
    log_in()

    assert sessions.current(services, secret) is None


def test_whether_a_login_holds_does_not_prolong_it(
    services: AuthServices, log_in: LogIn, clock: Clock
) -> None:
    hashed = token_hash(log_in())
    for _ in range(2):
        clock.pass_s(15 * 60 - 1)
        with services.database.read() as snapshot:
            assert sessions.holds(services, snapshot, hashed)

    clock.pass_s(2)

    with services.database.read() as snapshot:
        assert not sessions.holds(services, snapshot, hashed)


def test_logging_out_ends_what_was_to_end_with_it(
    services: AuthServices,
    log_in: LogIn,
    let: Callable[..., None],
    practitioner: Account,
) -> None:
    secret = log_in()
    let("online", token_hash(secret))
    let("offline", None)

    sessions.log_out(services, secret, practitioner, ADDRESS)

    assert held(services) == ["offline"]
    assert sessions.current(services, secret) is None


def test_another_login_of_hers_stays(
    services: AuthServices,
    log_in: LogIn,
    let: Callable[..., None],
    practitioner: Account,
) -> None:
    first, second = log_in(), log_in()
    let("online", token_hash(second))

    sessions.log_out(services, first, practitioner, ADDRESS)

    assert held(services) == ["online"]
    assert sessions.current(services, second) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda services: users.remove(services, "rowan"),
        lambda services: users.change(services, "rowan", UserChange(password=OTHER)),
        lambda services: users.change(
            services, "rowan", UserChange(reference="Practitioner/8")
        ),
        lambda services: users.change(
            services, "rowan", UserChange(organization="Organization/other")
        ),
        lambda services: users.reset_second_factor(services, "rowan"),
    ],
)
def test_a_change_of_who_she_is_ends_everything(
    services: AuthServices,
    log_in: LogIn,
    let: Callable[..., None],
    change: Callable[[AuthServices], object],
) -> None:
    secret = log_in()
    let("online", token_hash(secret))
    let("offline", None)

    change(services)

    assert held(services) == []
    assert sessions.current(services, secret) is None


@pytest.mark.parametrize(
    "wanted", [UserChange(name="New Name"), UserChange(language="es"), UserChange()]
)
def test_a_change_of_how_she_is_shown_ends_nothing(
    services: AuthServices,
    log_in: LogIn,
    let: Callable[..., None],
    audit: Audit,
    wanted: UserChange,
) -> None:
    secret = log_in()
    let("offline", None)

    changed = users.change(services, "rowan", wanted)

    assert held(services) == ["offline"]
    assert audit.last == ("user-changed", None)
    session = sessions.current(services, secret)
    assert session is not None
    assert session.account == changed


def test_a_changed_password_is_the_one_that_opens(
    services: AuthServices, practitioner: Account
) -> None:
    users.change(services, practitioner.username, UserChange(password=OTHER))

    opened = [
        login.log_in(
            services,
            Attempt(username="rowan", password=password, address=ADDRESS),
        ).session
        is not None
        for password in (TYPED, OTHER)
    ]

    assert opened == [False, True]


def test_who_owes_a_second_factor_has_entered_and_opens_nothing(
    services: AuthServices, log_in: LogIn
) -> None:
    secret = log_in()
    strict = replace(services, second_factor_roles=frozenset({"practitioner"}))
    others = replace(services, second_factor_roles=frozenset({"administrator"}))

    assert sessions.current(strict, secret) is None
    assert sessions.entered(strict, secret) is not None
    assert sessions.current(others, secret) is not None
