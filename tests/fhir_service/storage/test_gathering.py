"""How long the writer waits: hardly for one alone, and less often for many."""

from statistics import mean

import pytest

from fhir_service.storage.gathering import (
    ALONE_EVERY,
    MOST,
    PATIENCE,
    SILENCE,
    SLICE_S,
    Gathering,
)

COMMIT_S = 0.001


class Clients:
    """Clients who each ask again some time after their answer."""

    def __init__(self, count, pause_s):
        self.now = 0.0
        self.pause_s = pause_s
        self.due = [pause_s * (1 + number) / count for number in range(count)]
        self.slept = 0.0

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds

    def waiting(self):
        return sum(due <= self.now for due in self.due)

    def served(self):
        """Commit and answer all who wait; return how many."""
        count, taken = self.waiting(), self.now
        self.now += COMMIT_S
        self.due = [
            self.now + self.pause_s * (1 + number / len(self.due))
            if due <= taken
            else due
            for number, due in enumerate(self.due)
        ]
        return count

    def rounds(self, count):
        """Return how large groups are, once it is known how many come."""
        gathering, sizes = Gathering(self.sleep), []
        for _ in range(count):
            self.now = max(self.now, min(self.due))
            gathering.wait(self.waiting)
            sizes.append(self.served())
            gathering.took(sizes[-1])
        return sizes


def test_one_alone_hardly_waits():
    alone = Clients(1, 0.002)

    assert alone.rounds(1000) == [1] * 1000
    assert alone.slept <= 1000 * SILENCE * SLICE_S / ALONE_EVERY


def test_groups_of_many_grow():
    many = Clients(32, 0.05)

    sizes = many.rounds(2000)

    assert mean(sizes[200:]) >= 4


def test_nobody_waits_longer_than_the_patience():
    slept = []
    gathering = Gathering(slept.append)
    gathering.took(MOST)
    counts = iter(range(1, 1000))

    gathering.wait(lambda: next(counts))

    assert sum(slept) == pytest.approx(PATIENCE * SLICE_S)


def test_it_stops_where_nobody_comes():
    slept = []
    gathering = Gathering(slept.append)
    gathering.took(20)

    for _ in range(10):
        gathering.wait(lambda: 3)
        gathering.took(3)

    assert sum(slept) <= 8 * SILENCE * SLICE_S


def test_a_large_group_is_not_waited_for():
    slept = []
    gathering = Gathering(slept.append)
    gathering.took(MOST + 100)

    gathering.wait(lambda: MOST)

    assert slept == []


def test_a_few_who_come_together_wait_for_one_another_alone():
    few = Clients(4, 0.002)

    few.rounds(400)

    assert few.slept / 400 <= 2 * SILENCE * SLICE_S
