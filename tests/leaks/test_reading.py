"""No answer to a read tells whether what consent hides exists."""

from leak_catalogue import CATALOGUE
from leak_worlds import differing


def test_no_total_tells_of_hidden_rows(read_pair):
    assert differing(read_pair, CATALOGUE["L1"]) == []


def test_no_page_is_shortened_and_no_link_left_by_hidden_rows(read_pair):
    assert differing(read_pair, CATALOGUE["L2"]) == []


def test_no_condition_asks_a_hidden_value(read_pair):
    assert differing(read_pair, CATALOGUE["L4"]) == []


def test_nothing_hidden_is_included(read_pair):
    assert differing(read_pair, CATALOGUE["L5"]) == []


def test_no_order_tells_a_hidden_value(read_pair):
    assert differing(read_pair, CATALOGUE["L6"]) == []


def test_a_read_of_what_is_hidden_is_one_of_what_never_was(read_pair):
    assert differing(read_pair, CATALOGUE["L7"]) == []


def test_no_version_and_no_condition_tells_of_what_is_hidden(read_pair):
    assert differing(read_pair, CATALOGUE["L8"]) == []


def test_nothing_that_names_a_hidden_resource_is_shown(read_pair):
    assert differing(read_pair, CATALOGUE["L14"]) == []


def test_a_reference_to_what_is_hidden_is_one_to_what_never_was(read_pair):
    assert differing(read_pair, CATALOGUE["L15"]) == []


def test_no_tag_tells_that_something_was_left_out(read_pair):
    assert differing(read_pair, CATALOGUE["L16"]) == []


def test_no_refusal_tells_of_what_is_hidden(read_pair):
    assert differing(read_pair, CATALOGUE["L17"]) == []


def test_no_search_of_consents_tells_of_those_of_another_clinic(read_pair):
    assert differing(read_pair, CATALOGUE["L21"]) == []
