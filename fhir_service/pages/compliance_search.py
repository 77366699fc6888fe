"""The console's first page: the search of the log, its chart, what is exported of it.

https://profiles.ihe.net/ITI/TF/Volume2/ITI-81.html
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from flask import Blueprint, Response, request

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction, Outcome
from fhir_service.compliance import exports, proofs, zones
from fhir_service.compliance.chart import FLOOR, HEIGHT, WIDTH, chart
from fhir_service.compliance.exports import basis_words
from fhir_service.compliance.progress import hastened, patience, progress
from fhir_service.compliance.rows import Reader, caught_up
from fhir_service.compliance.searching import FIELDS, Search, search
from fhir_service.pages import frame
from fhir_service.pages.compliance_desk import PATH, Desk, Visit, download
from fhir_service.storage import saved_searches
from fhir_service.storage.tables import SHARED

ROWS: Final = 50
"""Rows of a page."""

MAX_NAME: Final = 80
"""Characters of the name of a search that is kept."""

ALL_TIME: Final = "all"
_WIDER: Final = (("day", "Day"), ("month", "Month"), ("year", "Year"))
_MAX_NUMBER: Final = 18


class SearchPages:
    """The search, its exports, and the searches that are kept."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._services = desk.services
        self._secrets = desk.deployment.auth.secrets

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk = self._desk
        desk.add(blueprint, "", "search", self.show)
        for path, name, view in (
            ("export.csv", "as_csv", self.as_csv),
            ("export.json", "as_bundle", self.as_bundle),
            ("proof.json", "as_proof", self.as_proof),
        ):
            desk.add(blueprint, f"/{path}", name, view, about=Interaction.EXPORT)
        desk.add(blueprint, "/searches", "keep", self.keep, method="POST")
        desk.add(blueprint, "/searches/forget", "forget", self.forget, method="POST")

    def show(self, visit: Visit) -> Response:
        """Return the search with its first rows, or those before a row."""
        asked = self._search(visit)
        with self._reading(visit, asked) as reader:
            found = reader.find(asked.filter, count=ROWS + 1, before=_before())
            drawn = chart(reader, asked.filter, visit.zone, patience())
            kept = self._kept(reader, visit)
            behind = _behind(reader, asked)
        older = found[ROWS - 1].index if len(found) > ROWS else None
        rows = found[:ROWS]
        visit.patients.extend(asked.patients)
        return self._desk.page(
            "compliance_search.html",
            visit,
            search=asked,
            fhir_url=f"{self._services.base_url}/{asked.fhir}",
            rows=rows,
            older=older,
            is_first=_before() is None,
            chart=drawn,
            picture=(WIDTH, HEIGHT, FLOOR),
            wider=list(_wider(visit, asked)),
            fields=FIELDS,
            is_filtered=bool(asked.fields.keys() - {"what", "since", "until"}),
            interactions=[one.value for one in Interaction],
            outcomes=[one.value for one in Outcome],
            kept=kept,
            behind=behind,
            basis_words=basis_words,
            query=_query(visit, asked),
        )

    def as_csv(self, visit: Visit) -> Response:
        """Return the rows of the search as a table."""
        asked = self._search(visit)
        with self._reading(visit, asked) as reader:
            found = exports.rows_of(reader, asked.filter)
            told = "; ".join(filter(None, (asked.asking(), _behind(reader, asked))))
            text = exports.table(reader, found, told, visit.zone)
        visit.patients.extend(asked.patients)
        return download(text, "audit.csv", "text/csv")

    def as_bundle(self, visit: Visit) -> Response:
        """Return the rows of the search as AuditEvents."""
        asked = self._search(visit)
        with self._whole(visit, asked) as reader:
            found = exports.rows_of(reader, asked.filter)
            bundle = exports.bundle(reader, found)
        visit.patients.extend(asked.patients)
        text = fhir_json.dumps(bundle).decode()
        return download(text, "audit-events.json", "application/fhir+json")

    def as_proof(self, visit: Visit) -> Response:
        """Return the proof that the log holds the rows of the search."""
        asked = self._search(visit)
        with self._whole(visit, asked) as reader:
            found = exports.rows_of(reader, asked.filter, exports.MAX_PROVED)
            proof = proofs.bundle(reader, found)
        visit.patients.extend(asked.patients)
        text = fhir_json.dumps(proof).decode()
        return download(text, "proof.json", "application/json")

    def keep(self, visit: Visit) -> Response:
        """Keep a search under a name."""
        name = frame.field("name").strip()
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise FHIRError(
                IssueType.INVALID,
                f"A name is one line of at most {MAX_NAME} characters.",
            )
        kept = search(_fields(request.form), visit.zone, self._services.pseudonym)
        query = kept.asking(zone=frame.field("zone"))
        now = self._services.clock()

        def work(transaction: Any) -> bool:
            seal = self._secrets.sealer(transaction, SHARED)
            user_id = visit.account.user_id
            sealed = seal(_bond(user_id) + query.encode())
            return saved_searches.add(transaction, user_id, name, sealed, now)

        if not self._services.database.write(work):
            raise FHIRError(
                IssueType.TOO_COSTLY,
                f"At most {saved_searches.MOST} searches are kept; forget one first.",
            )
        return frame.see_other(f"{PATH}?{query}")

    def forget(self, visit: Visit) -> Response:
        """Forget a search of the officer's own."""
        number = frame.field("search")
        if not _is_number(number) or not self._services.database.write(
            lambda transaction: saved_searches.remove(
                transaction, visit.account.user_id, int(number)
            )
        ):
            raise FHIRError(IssueType.NOT_FOUND, "There is no such search.")
        return frame.see_other(PATH)

    @contextmanager
    def _reading(self, visit: Visit, asked: Search) -> Iterator[Reader]:
        """Yield what reads the log; what is unexplained is sought first."""
        prepare = hastened if asked.filter.is_unexplained else caught_up
        with self._desk.reading(visit, prepare) as reader:
            yield reader

    @contextmanager
    def _whole(self, visit: Visit, asked: Search) -> Iterator[Reader]:
        """Yield the same for a file that has no place to say what it lacks.

        Raises:
            FHIRError: `transient` where explanations are behind.

        """
        with self._reading(visit, asked) as reader:
            behind = _behind(reader, asked)
            if behind:
                raise FHIRError(IssueType.TRANSIENT, behind)
            yield reader

    def _search(self, visit: Visit) -> Search:
        """Return the search of the address: of today where no time is given."""
        fields = _fields(request.args)
        if not fields and "time" not in request.args:
            now = self._services.clock()
            fields = zones.period_of(
                zones.begins(now, "day", visit.zone), "day", visit.zone
            )
        return search(fields, visit.zone, self._services.pseudonym)

    def _kept(self, reader: Reader, visit: Visit) -> list[tuple[int, str, str]]:
        """Return number, name and query of the officer's searches."""
        unseal = self._secrets.unsealer(reader.snapshot)
        bond = _bond(visit.account.user_id)
        return [
            (one.id, one.name, opened.removeprefix(bond).decode())
            for one in saved_searches.of_user(reader.snapshot, visit.account.user_id)
            if (opened := unseal(one.query)) is not None and opened.startswith(bond)
        ]


def _behind(reader: Reader, asked: Search) -> str:
    """Return how far explanations have come; empty where nothing depends on it."""
    reached = progress(reader.snapshot)
    is_whole = reached.is_explained or not asked.filter.is_unexplained
    return "" if is_whole else reached.words


def _bond(user_id: str) -> bytes:
    """Return what stands before a query that is sealed, so that none can be moved."""
    return b"search\x00" + user_id.encode() + b"\x00"


def _fields(values: Mapping[str, str]) -> dict[str, str]:
    return {name: values[name] for name in FIELDS if values.get(name, "").strip()}


def _query(visit: Visit, asked: Search) -> str:
    query = asked.asking(zone=str(visit.zone))
    return query if asked.fields else f"{query}&time={ALL_TIME}"


def _wider(visit: Visit, asked: Search) -> Any:
    """Yield (label, query) of the parts of the calendar around the search."""
    at_us = asked.filter.since_us
    if at_us is not None:
        for unit, label in _WIDER:
            start = zones.begins(at_us, unit, visit.zone)
            period = zones.period_of(start, unit, visit.zone)
            yield label, asked.asking(zone=str(visit.zone), **period)
    everything = asked.asking(zone=str(visit.zone), since=None, until=None)
    yield "All time", f"{everything}&time={ALL_TIME}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_NUMBER


def _before() -> int | None:
    text = request.args.get("before", "")
    if text and not _is_number(text):
        raise FHIRError(IssueType.INVALID, "A row has a number.")
    return int(text) if text else None
