from fhir_service.auth.events import AuthEvent, AuthEventKind


def test_an_event_says_whether_it_succeeded() -> None:
    failed = {
        kind for kind in AuthEventKind if not AuthEvent(kind=kind, at=0).succeeded
    }

    assert failed == {
        AuthEventKind.TOKEN_REFUSED,
        AuthEventKind.LOGIN_FAILED,
        AuthEventKind.LOGIN_THROTTLED,
        AuthEventKind.AUTHORIZATION_REFUSED,
        AuthEventKind.CODE_REPLAYED,
        AuthEventKind.REFRESH_REPLAYED,
        AuthEventKind.REVOCATION_REFUSED,
        AuthEventKind.INTROSPECTION_REFUSED,
        AuthEventKind.SECOND_FACTOR_FAILED,
        AuthEventKind.BREAK_GLASS_REFUSED,
    }
