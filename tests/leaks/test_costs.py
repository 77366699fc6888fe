"""A read of what is hidden costs what one of what never existed does."""

import pytest
from leak_costs import CURRENT, absent, hidden, least_ns, statements
from leak_gates import LaboriousGate, with_gate
from leak_script import PATIENT, ROWS

CLASS = 1.5
"""Two reads are of one class where neither takes this many times as long."""


def test_a_read_of_what_is_hidden_asks_the_database_as_often(copies):
    with copies.copied(ROWS, PATIENT) as side:
        side.world.clock.pass_s(1)

        asked = {
            (name, client): [
                statements(side, read(name), client) for read in (hidden, absent)
            ]
            for name in CURRENT
            for client in ("ehr", "lab")
        }

    assert {at: told for at, told in asked.items() if len(set(told)) > 1} == {}


@pytest.mark.parametrize("name", ["secret", "bob"])
def test_a_read_of_what_is_hidden_takes_no_other_class_of_time(sqlite_copies, name):
    with sqlite_copies.copied(ROWS, PATIENT) as side:
        side.world.clock.pass_s(1)

        one, other = least_ns(side, "lab", hidden(name), absent(name))

    assert max(one, other) < CLASS * min(one, other)


def test_a_gate_that_decides_each_time_is_noticed(sqlite_copies):
    with sqlite_copies.copied(ROWS, PATIENT) as side:
        side.world.clock.pass_s(1)
        slow = with_gate(side, LaboriousGate)

        assert statements(slow, hidden("secret"), "lab") != statements(
            slow, absent("secret"), "lab"
        )
