"""Whether rows stand unaltered in the signed log, as the offline verifier judges.

What is shown here is what somebody who does not trust this service finds with the
same bundle, one file of plain Python, and the log's public key.

https://www.rfc-editor.org/rfc/rfc9162
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from conformance.issues import FHIRError, IssueType
from consent.audit.verify_proof import Wrong, check
from fhir_service.compliance import proofs
from fhir_service.compliance.reports.report import Report, heading, table
from fhir_service.compliance.rows import Reader
from fhir_service.storage.audit_filter import AuditFilter

NEWEST = 20
"""Rows that are proved where none are named."""

MAX_PROVED = 1_000


class Signed(NamedTuple):
    """The signed head, and what it continues."""

    origin: str
    rows: int
    time: str
    continues: tuple[str, ...]
    key: str


class Proved(NamedTuple):
    """A row, and whether the signed head holds it."""

    row: int
    holds: bool
    time: str
    interaction: str
    hashes: int


def report(
    reader: Reader, *, rows: Sequence[int] = (), earlier: Iterable[bytes] = ()
) -> Report:
    """Return the proof of rows, checked as a stranger would.

    About twenty hashes a row, whatever the log's length.

    Args:
        reader: Of the officer.
        rows: Which; the newest where none are named.
        earlier: Signed checkpoints that somebody has kept.

    Raises:
        FHIRError: `not-found` for an empty log and for a row that is not the officer's;
            `too-costly` for more than `MAX_PROVED`; `invalid` for a checkpoint that is
            not of this log.

    """
    if len(rows) > MAX_PROVED:
        raise FHIRError(IssueType.TOO_COSTLY, f"{MAX_PROVED} rows at most.")
    asked = AuditFilter(indexes=tuple(rows))
    found = reader.find(asked, count=len(set(rows)) or NEWEST)
    if len(found) < len(set(rows)):
        raise FHIRError(IssueType.NOT_FOUND, "There is no such row in the audit log.")
    bundle = proofs.bundle(reader, found, earlier)
    try:
        told, wrong = check(bundle, reader.services.audit_key), ""
    except Wrong as error:
        told, wrong = {}, str(error)
    notes = (f"NOT proved: {wrong}",) if wrong else ()
    return Report(
        heading=heading(reader, "Proof of the log", about=f"{len(found)} rows"),
        tables=(
            table("signed", Signed, _signed(told)),
            table("rows", Proved, _proved(bundle, told)),
        ),
        notes=(
            *notes,
            (
                "Whether every row of the log is whole: `fhir-service audit verify`. "
                "Compare the key with one that was handed over earlier."
            ),
        ),
        not_recorded=(
            "That everything was recorded: a changed program could record less.",
        ),
    )


def _signed(told: dict[str, Any]) -> Iterator[Signed]:
    if told:
        yield Signed(
            origin=told["origin"],
            rows=told["size"],
            time=told["time"],
            continues=tuple(
                f"{one['size']} at {one['time']}" for one in told["earlier"]
            ),
            key=told["verifierKey"],
        )


def _proved(bundle: dict[str, Any], told: dict[str, Any]) -> Iterator[Proved]:
    proved = {row["index"] for row in told.get("rows", ())}
    for row in bundle["rows"]:
        yield Proved(
            row=row["index"],
            holds=row["index"] in proved,
            time=row["says"]["time"],
            interaction=row["says"]["interaction"],
            hashes=len(row["inclusion"]),
        )
