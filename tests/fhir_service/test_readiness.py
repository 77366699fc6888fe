from fhir_service.readiness import readiness


def works():
    return None


def fails():
    raise ConnectionError("canary: secret@host")


def test_a_service_is_ready_when_every_probe_passes():
    assert readiness({"database": works, "audit": works}) == (
        True,
        {"database": "ok", "audit": "ok"},
    )


def test_one_failing_probe_makes_it_unready_and_its_text_stays_inside():
    assert readiness({"database": works, "audit": fails}) == (
        False,
        {"database": "ok", "audit": "failed"},
    )
