"""How large a run of the bench is."""

from dataclasses import dataclass

DAY_OF_READINGS = 24
"""Readings a day of each kind: one an hour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Sizes and lengths.

    Attributes:
        rows: Observations in the large database.
        small_rows: Observations in the small one, for the growth of latency.
        stretch: Observations over which the first and the last rate are taken.
        patient_rows: Observations of a patient.
        delivery: Data points in a delivery.
        in_flight: Deliveries on their way at once.
        rounds: Rounds of each variant of the search, taken in turn.
        round_s: Length of a round, in whole seconds for wrk.
        connections: Connections of the load generator.
        queries: Different searches of a round.
        timed: Searches that are timed in process, in each database.
        shape_timed: The same for each other kind of search.
        write_rounds: Rounds of writes.
        writers: Connections that send one Observation at a time.
        senders: Connections that send transactions.
        transaction: Observations of a transaction.
        consent_patients: Patients with mixed consents.
        withdrawal_patients: Patients one of whom withdraws.
        export_days: Days of the Apple Health export; a day has some 330 records.
        log_rows: Rows of the large audit log.
        log_patients: Patients whom it is about.
        log_repeats: Times that a question about it is asked.
        repeats: Times that a piece of code is measured.
        uses_wrk: Whether wrk is taken where it is installed.

    """

    rows: int = 100_000
    small_rows: int = 10_000
    stretch: int = 20_000
    patient_rows: int = 2_500
    delivery: int = 1_000
    in_flight: int = 4
    rounds: int = 5
    round_s: float = 3
    connections: int = 32
    queries: int = 2_000
    timed: int = 2_000
    shape_timed: int = 200
    write_rounds: int = 3
    writers: int = 16
    senders: int = 4
    transaction: int = 100
    consent_patients: int = 1_000
    withdrawal_patients: int = 10_000
    export_days: int = 600
    log_rows: int = 100_000
    log_patients: int = 500
    log_repeats: int = 20
    repeats: int = 9
    uses_wrk: bool = True


DEFAULT = Plan()
FULL = Plan(
    rows=1_000_000,
    stretch=100_000,
    rounds=7,
    round_s=5,
    log_rows=10_000_000,
    log_patients=10_000,
)
