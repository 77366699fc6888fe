"""Prints docs/performance.md from what `fhir-service bench --json` printed.

python -m fhir_service.bench.page FIGURES.json > docs/performance.md
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conformance import fhir_json
from fhir_service.bench.targets import shown


def page(told: dict[str, Any]) -> str:
    """Return the page.

    Args:
        told: The object that `fhir-service bench --json` prints.

    """
    rows = "\n".join(_row(figure) for figure in told["figures"])
    return _PAGE.format(rows=rows, **told["machine"])


def _row(figure: dict[str, Any]) -> str:
    value = figure["value"]
    cells: Iterable[str] = (
        figure["figure"],
        "" if value is None else shown(float(value)),
        figure["unit"],
        figure["target"] or "",
        figure["verdict"],
        figure["note"],
    )
    return f"| {' | '.join(cells)} |"


_PAGE = """\
# Performance

What the service does in a second, and what one thing costs.
`fhir-service bench` (or `make bench`) measures it on your machine and prints each figure beside its target; a target that is missed is printed as missed.

| command | what it does |
|---|---|
| `make bench` | 100 000 Observations, some eight minutes |
| `make bench ARGS=--full` | 1 000 000 Observations |
| `make bench ARGS="--only code"` | one group of figures, or those whose names begin so |
| `make bench ARGS=--json` | the same as JSON |

The bench makes a folder of its own for temporary files (`TMPDIR` says where) and removes it.
Its data is synthetic and the same in every run.
PostgreSQL is measured where Debian's packages are installed, in a cluster of the bench's own with the program's defaults and durable commits, or in the empty database that `FHIR_SERVICE_TEST_BENCH_POSTGRES_URL` names; what needs a database of its own gets a schema in it.

## Figures

Measured on {date} with {cpus} CPUs ({processor}), Python {python}, load average {load} at the start.

| figure | value | unit | target | | note |
|---|---|---|---|---|---|
{rows}

## How it is measured

**Trust ratios, not absolute figures.**
The load generator shares the processors with the server, and other programs may do so too.
What is compared is measured in turn within one run: in each round every variant has its time, and the figure is the median of the rounds.
The rows *this machine* tell how quick the processor was, and how unsteady: a fixed loop is timed before each group.

**Hot reads behind the server.**
One server answers everything: the product's application with the product's door and settings, and beside it a static Flask route whose body is a real answer's.
A search asks for one patient, one code and four days, newest first, a page of 50, in random order over all patients; each answer has a full page, some 50 kB.
The token is checked, the consent decides, the audit row is written.
Half of the patients permit data of a period only, so that each of their rows is asked for its time.
*Audit durable* is the product; *not awaited* (`FHIR_SERVICE_AUDIT_WAIT=not-awaited`) sends the answer before its row is on disk, and is there to tell what waiting costs.
The service keeps what the pages that were asked for last look like, and the searches of a round ask for the same pages again; *rendered anew* is the same without what was kept, as if no page were ever asked for twice.
*Read by id* asks for single Observations of these pages, without waiting for the audit, and is compared with the search that does not wait either.
*Consent off* is a gate that exists in the bench's own server alone and lets everything pass.
*Token remembered* looks a token up once and never again, which the product does not do: a revocation holds for the next request.
The load comes from `wrk` where it is installed, otherwise from a small program of the bench's own, which takes more of the processor; the note says which it was.
*Memory of one worker* is that of the largest serving process alone after all of this load; the pages of the database's file that are mapped into it count, and *without pages of files* leaves them out.

**Writes behind the server.**
A database of its own has 20 patients with their consents.
A create sends one heart rate as an external client does, which claims R4's profile, names a device and has an identifier, a time and a value of its own: it is validated, the consent decides whether it may be collected, every search parameter is indexed, and the answer waits until resource and audit are durable.
A transaction sends 100 of them, of one patient; its figure counts the resources.
No two are the same, in no round.
*On disk* is what the SQLite file has grown by while Observations were created one by one, divided by their number: body, indexes and audit are in it.

**Tokens.**
A backend service asks for tokens with assertions that are signed before each round and used once.

**Ingest.**
Parsed deliveries of 1000 Open mHealth data points go through the parser, consent, the search for duplicates, compression, encryption, the indexes and the audit log, each committed durably, several at a time.
The rate is that of the whole; *the last stretch* is compared with the first.
Bytes on disk are those of the SQLite file after it was closed, divided by the Observations: indexes, patients, consents and audit rows are in it.

**In process.**
Without a server, in a small and a large database in turn; the audit row of each answer is awaited outside the measured time, and every page is rendered anew.
The plain search is that of the hot reads.
*Patient and category* asks for the vital signs, *three codes* for heart rate, respiratory rate and body temperature, both of four days, newest first, a page of 50.
*`_lastUpdated` over all patients* asks for the first 50 Observations that were stored from some instant on, whosever they are, as far as the client may see them.
*$lastn* asks for the newest Observation of each of a patient's 20 codes; 5 have 500 each, and 40 patients have 15 more.
The cost is compared with the plain search's in the large database, the growth with the same search in the small one.
*$validate* gets an Observation that claims `us-core-heart-rate` and meets it.

**Single steps** are processor time of one thread, the median of several runs over a list.
*Parsed payload to Measurement* begins with what the JSON parser gave (for Apple Health: with the XML element).
*Measurement to stored bytes* normalises, takes both keys, renders, compresses and encrypts.
The Observation that is validated claims R4's heart rate profile.

**The audit log.**
A log of two years is made by the service's own code, 100 000 rows of 500 patients (10 000 000 of 10 000 with `--full`), 400 people and 80 programs of five organisations ask, most of all in the daytime of working days; two rows of a hundred are denials, some of ten thousand emergencies.
Up to 200 000 different events are encoded; a larger log tells of each at several times.
An officer of one organisation asks the twenty questions and every kind of search of the console and the API, about a patient, a person, a program and a week by chance; the figure is the 95th percentile, and the first answer, which loads what the others find loaded, is not counted.
Of the searches the slowest is shown, and named.
*The first page of the console* is asked of the application in process, its own row in the log included.
*On disk* is what the table of the log takes, and what the tables of its index and their indexes take, for each row.
*Catching up*: the index is 10 000 rows behind, and rows are made durable one after the other beside it.
*Throughput that the log takes*: hot reads behind the server, the database on a memory file system, with the log (rows, hashes, signatures, index) against without; switching it off exists in the bench's own server alone.

**Decisions** are processor time of one thread.
*Cold* reads a patient's consents and signatures from the database and decides on all of them; *remembered* is what later requests pay.
The root of each consent permits; each provision within denies one code, a quarter of them to all, a quarter for data of a year, a quarter for a purpose and a quarter to the clinic that asks.

**Consents of many patients.**
Their data is written by the repository, not through the API.
*Mixed consents*: a quarter of the patients permit everything, a quarter data from a month on, a quarter all but one code, and a quarter have no consent; each has ten Observations, some half of all may be seen, and every page is full.
It is asked in process, as *`_lastUpdated` over all patients* above, with consent and with consent off in turn.
*Withdrawals*: a patient whose one consent permits is seen in a search and in a page over all patients; the consent is made inactive through the API; heeded it is where neither the next search nor the next page shows anything of the patient.

This page is printed by `python -m fhir_service.bench.page` from the output of `fhir-service bench --json`.
"""  # noqa: E501 - one sentence a line, in the page


def main(arguments: Sequence[str]) -> None:
    """Print the page of the file that is named."""
    [name] = arguments
    sys.stdout.write(page(fhir_json.loads(Path(name).read_bytes())))


if __name__ == "__main__":
    main(sys.argv[1:])
