from mappings.accounted import accounted
from mappings.measurement import OutOfScope


def test_readings_are_handed_on_as_they_are():
    readings = [OutOfScope("$.a", "goal"), OutOfScope("$.b", "goal")]

    assert list(accounted(iter(readings), "file without a value")) == readings


def test_a_payload_without_a_reading_is_accounted_for():
    assert list(accounted((), "file without a value")) == [
        OutOfScope("$", "file without a value")
    ]
