"""No answer to a write tells whether what consent hides exists."""

from leak_worlds import Ask, differing
from leak_writes import AFTERWARDS, WRITES


def test_no_condition_of_a_write_meets_a_hidden_resource(pair):
    assert differing(pair, (*WRITES["L9"], *AFTERWARDS)) == []


def test_no_write_tells_whether_what_it_names_is_hidden_or_absent(pair):
    assert differing(pair, (*WRITES["L10"], *AFTERWARDS)) == []


def test_no_entry_of_a_bundle_tells_more_than_the_request_alone(pair):
    assert differing(pair, (*WRITES["L19"], *AFTERWARDS)) == []


def test_the_door_and_its_receipts_echo_nothing_hidden(pair):
    assert differing(pair, (*WRITES["L20"], *AFTERWARDS)) == []


def test_the_deletion_of_a_patient_tells_nothing_of_hidden_data(pair):
    ask = Ask(path="Patient/{zoe}", method="DELETE", by=("writer",))

    assert differing(pair, [ask]) == []
