import ast
import json
import re
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest

from fhir_service.bench.consents import Withdrawn, without_consent
from fhir_service.bench.figures import (
    FIGURES,
    GROUPS,
    Measured,
    Verdict,
    not_measured,
    of_group,
)
from fhir_service.bench.generator import NUMBER, following, requests_of
from fhir_service.bench.in_process import OBSERVATIONS, Timed, timed
from fhir_service.bench.ingest import Ingested, ingest
from fhir_service.bench.load import load
from fhir_service.bench.page import page
from fhir_service.bench.plan import DEFAULT, Plan
from fhir_service.bench.populace import mixed, populate
from fhir_service.bench.postgresql import (
    URL_VARIABLE,
    NoPostgreSQL,
    postgresql,
    schema,
)
from fhir_service.bench.run import POSTGRESQL
from fhir_service.bench.run import run as measure
from fhir_service.bench.stage import BenchError, stage
from fhir_service.bench.targets import shown
from fhir_service.commands import bench
from fhir_service.settings import read_settings

ROOT = Path(__file__).parents[3]
TINY = Plan(
    rows=1_500,
    small_rows=750,
    stretch=750,
    patient_rows=750,
    delivery=250,
    in_flight=2,
    rounds=2,
    round_s=0.3,
    connections=4,
    queries=20,
    timed=20,
    shape_timed=10,
    write_rounds=1,
    writers=4,
    senders=2,
    transaction=10,
    consent_patients=60,
    withdrawal_patients=60,
    export_days=2,
    log_rows=600,
    log_patients=15,
    log_repeats=1,
    repeats=1,
    uses_wrk=False,
)


def settings_of(folder):
    return read_settings({"FHIR_SERVICE_DATA_DIR": str(folder)})


@pytest.fixture(scope="module")
def folder():
    """Yield a folder for temporary files that PostgreSQL's user can enter."""
    path = Path(tempfile.mkdtemp(prefix="test-bench-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def told(folder):
    """Return what a tiny run of everything prints."""
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setattr("click.echo", lambda text, err=False: err or lines.append(text))
        bench.run(settings_of(folder / "data"), full=False, as_json=True, plan=TINY)
    return json.loads("\n".join(lines))


def test_nothing_is_left_behind(told, folder):
    assert told["figures"]
    assert list(folder.iterdir()) == []


def test_every_figure_of_the_table_is_measured(told):
    assert [figure["key"] for figure in told["figures"]] == list(FIGURES)


def test_a_figure_is_absent_only_where_there_is_no_postgresql(told):
    absent = {
        figure["key"].split(".")[0]: figure["note"]
        for figure in told["figures"]
        if figure["value"] is None
    }

    assert absent in (
        {},
        dict.fromkeys(POSTGRESQL, "no PostgreSQL on this machine"),
    )


def test_a_rate_or_a_time_is_more_than_nothing(told):
    signed = {"%"}

    nothing = [
        figure["key"]
        for figure in told["figures"]
        if figure["value"] is not None
        and figure["unit"] not in signed
        and figure["value"] <= 0
    ]

    assert nothing == []


def test_every_withdrawal_is_heeded_by_the_next_request(told):
    [figure] = [one for one in told["figures"] if one["key"] == "consents.withdrawn"]

    assert figure["value"] == 100


NOTHING = Timed(us=1, body=b'{"entry":[]}')
OF_PATIENT = Timed(us=1, body=b'{"fullUrl":"x","reference":"Patient/7"}')


@pytest.mark.parametrize(
    ("search", "page", "is_heeded"),
    [
        (NOTHING, NOTHING, True),
        (OF_PATIENT, NOTHING, False),
        (NOTHING, OF_PATIENT, False),
    ],
)
def test_a_withdrawal_is_heeded_where_nothing_is_shown(search, page, is_heeded):
    assert Withdrawn(id="7", search=search, page=page).is_heeded is is_heeded


def test_mixed_consents_hide_what_the_page_without_consent_shows(tmp_path):
    with stage(tmp_path / "data") as opened:
        populate(opened, 4, mixed, 10)
        query = "_lastUpdated=ge2020&_count=50"

        shown = timed(opened, OBSERVATIONS, query)
        everything = timed(without_consent(opened), OBSERVATIONS, query)

    assert (shown.entries, everything.entries) == (20, 40)


def test_the_load_generator_is_named(told):
    [figure] = [
        one for one in told["figures"] if one["key"] == "search-sqlite.durable-share"
    ]

    assert "the bench's own load generator" in figure["note"]


def test_the_page_of_figures_shows_every_one(told):
    text = page(told)

    assert [title for title in titles() if f"| {title} |" not in text] == []


def test_the_page_of_the_repository_shows_every_figure():
    text = (ROOT / "docs/performance.md").read_text()

    assert [title for title in titles() if f"| {title} |" not in text] == []


def titles():
    return [row.title for row in FIGURES.values()]


def test_the_table_shows_a_missed_target_as_missed(tmp_path, monkeypatch, capsys):
    found = [
        Measured(key="code.store", value=10.5),
        Measured(key="code.validate", value=60.0),
        Measured(key="code.help", value=None, note="no program"),
    ]
    monkeypatch.setattr(bench, "measure", lambda *_: found)

    bench.run(settings_of(tmp_path), full=False, as_json=False)

    printed = capsys.readouterr().out
    assert "1 targets met, 1 missed, 1 figures not measured." in printed
    assert [word in printed for word in ("10.5", "≤ 10 ", "missed", "no program")] == [
        True,
        True,
        True,
        True,
    ]


def test_a_busy_machine_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda *_: [])
    monkeypatch.setattr("os.getloadavg", lambda: (3.5, 1.0, 1.0))

    bench.run(settings_of(tmp_path), full=False, as_json=True)

    assert "The machine is busy (load average 3.50)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "verdict"),
    [
        ("ingest-sqlite.rate", 15_000, Verdict.MET),
        ("ingest-sqlite.rate", 14_999, Verdict.MISSED),
        ("growth.ratio", 1.3, Verdict.MET),
        ("growth.ratio", 1.31, Verdict.MISSED),
        ("growth.read", 9.0, Verdict.NO_TARGET),
        ("growth.read", None, Verdict.NOT_MEASURED),
    ],
)
def test_a_figure_is_held_against_its_target(key, value, verdict):
    assert Measured(key=key, value=value).verdict is verdict


TARGETS = {
    "search-sqlite.durable-share": "≥ 30",
    "search-sqlite.not-awaited-share": "≥ 45",
    "search-sqlite.read-multiple": "≥ 3",
    "search-sqlite.consent-cost": "≤ 10",
    "search-sqlite.token-cost": "≤ 10",
    "search-sqlite.worker-memory": "≤ 150",
    "search-sqlite.durable-of-not-awaited": "≥ 55",
    "search-postgresql.durable-share": "≥ 15",
    "search-postgresql.not-awaited-share": "≥ 20",
    "search-postgresql.read-multiple": "≥ 3",
    "search-postgresql.consent-cost": "≤ 10",
    "search-postgresql.token-cost": "≤ 10",
    "search-postgresql.worker-memory": "≤ 150",
    "search-postgresql.durable-of-not-awaited": "≥ 55",
    **{
        f"audit-{engine}.{figure}": limit
        for engine in ("sqlite", "postgresql")
        for figure, limit in (
            *((f"q{number}", "≤ 1 000") for number in range(1, 21)),
            ("search", "≤ 1 000"),
            ("page", "≤ 1 000"),
            ("row-bytes", "≤ 300"),
            ("index-bytes", "≤ 300"),
        )
    },
    "audit.verify": "≥ 200 000",
    "audit.cost": "≤ 10",
    "tokens.rs384-rate": "≥ 300",
    "tokens.es384-rate": "≥ 300",
    "ingest-sqlite.rate": "≥ 15 000",
    "ingest-sqlite.rate-kept": "≥ 60",
    "ingest-sqlite.disk": "≤ 500",
    "writes-sqlite.create-rate": "≥ 1 000",
    "writes-sqlite.transaction-rate": "≥ 1 200",
    "writes-sqlite.disk": "≤ 1 000",
    **{
        f"shapes-{engine}.{shape}-{figure}": limit
        for engine in ("sqlite", "postgresql")
        for shape in ("category", "codes", "updated", "lastn")
        for figure, limit in (("cost", "≤ 2"), ("growth", "≤ 1.30"))
    },
    "growth.ratio": "≤ 1.30",
    "code.parse-open-mhealth": "≤ 5",
    "code.parse-zigbee2mqtt": "≤ 5",
    "code.parse-apple-health": "≤ 5",
    "code.store": "≤ 10",
    "code.validate": "≤ 60",
    "code.validate-operation": "≤ 2",
    "code.help": "≤ 100",
    "mqtt.rate": "≥ 3 000",
    "decision.cold-100": "≤ 60",
    "decision.cold-five": "≤ 1 500",
    "decision.warm": "≤ 200",
    "decision.warm-five": "≤ 200",
    "consents.page-ratio": "≤ 2",
    "consents.withdrawn": "≥ 100",
}


def test_the_targets_are_those_that_were_agreed():
    assert {key: row.target.text for key, row in FIGURES.items() if row.target} == (
        TARGETS
    )


def test_every_group_has_figures_and_can_be_left_unmeasured():
    for group in GROUPS:
        absent = not_measured(group, "why")

        assert [one.key for one in absent] == of_group(group)
        assert {one.verdict for one in absent} == {Verdict.NOT_MEASURED}


@pytest.mark.parametrize(
    ("value", "text"),
    [(15_000, "15 000"), (1234.5, "1 234"), (72.53, "72.5"), (1.304, "1.30"), (5, "5")],
)
def test_a_number_is_shown_in_useful_digits(value, text):
    assert shown(value) == text


def test_a_group_that_is_not_there_is_asked_wrongly(tmp_path):
    with pytest.raises(click.BadParameter, match="search-sqlite"):
        bench.run(settings_of(tmp_path), full=False, as_json=True, only="bogus")


def test_what_could_not_be_measured_is_one_sentence(tmp_path, monkeypatch):
    def fail(*_arguments):
        raise BenchError("The server did not start.")

    monkeypatch.setattr(bench, "measure", fail)

    with pytest.raises(click.ClickException, match=r"The server did not start\."):
        bench.run(settings_of(tmp_path), full=False, as_json=True)


def test_an_unknown_group_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="search-sqlite"):
        measure(TINY, lambda _: None, "bogus")


def test_the_rate_of_a_stretch_is_taken_between_marks():
    done = Ingested(patients=[], rows=30, marks=[(10, 1.0), (20, 3.0), (30, 7.0)])

    assert done.rate == 30 / 7
    assert done.rate_before(10, 10) == 10
    assert done.rate_before(30, 15) == 15 / 5


def test_every_size_of_the_default_run_is_whole_deliveries():
    assert DEFAULT.rows % DEFAULT.patient_rows == 0
    assert DEFAULT.small_rows % DEFAULT.patient_rows == 0
    assert DEFAULT.stretch % DEFAULT.delivery == 0


def test_a_postgresql_database_that_is_named_is_used_once(
    empty_postgres_url, tmp_path, monkeypatch
):
    plain = empty_postgres_url.replace("+psycopg", "")
    monkeypatch.setenv(URL_VARIABLE, plain)

    with postgresql(tmp_path) as url:
        assert url == empty_postgres_url
        with stage(tmp_path / "data", url) as opened:
            assert ingest(opened, TINY, 750).rows == 750

    with pytest.raises(BenchError, match="not empty"), postgresql(tmp_path):
        pass


def test_schemas_of_one_postgresql_database_are_apart(empty_postgres_url, tmp_path):
    with stage(tmp_path / "large", empty_postgres_url) as opened:
        opened.add_patients(2)

    with stage(tmp_path / "small", schema(empty_postgres_url, "small")) as opened:
        found = opened.ask("GET", "/fhir/Patient", opened.reader)

    assert b'"fullUrl"' not in found.body


def test_without_postgresql_the_figures_say_so(tmp_path, monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))

    with pytest.raises(NoPostgreSQL, match="no PostgreSQL on this machine"):
        postgresql(tmp_path).__enter__()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - one server at a time
    posted: list[str] = []  # noqa: RUF012 - likewise

    def do_GET(self):
        self.asked.append((self.path, self.headers["x-bench-variant"]))
        self.answer(404 if self.path == "/absent" else 200)

    def do_POST(self):
        self.posted.append(
            self.rfile.read(int(self.headers["content-length"])).decode()
        )
        self.answer(201)

    def answer(self, status):
        body = b"x" * 100_000
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_arguments):
        """Say nothing: a load generator cuts its connections at the end."""


@pytest.fixture
def server():
    Answers.asked.clear()
    Answers.posted.clear()
    with Quiet(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def lists(folder, *paths):
    (folder / "paths").write_text("\n".join(paths))
    (folder / "headers").write_text("X-Bench-Variant: durable\n")
    return folder / "paths", folder / "headers"


GENERATORS = [
    False,
    pytest.param(
        True,
        marks=pytest.mark.skipif(
            shutil.which("wrk") is None, reason="wrk is not installed"
        ),
    ),
]


@pytest.mark.parametrize("uses_wrk", GENERATORS)
def test_a_load_generator_asks_every_path_with_its_headers(server, tmp_path, uses_wrk):
    paths = ("/a?x=ge2025&_sort=-date", "/b", "/c")
    generator = load(server, 2, tmp_path, uses_wrk=uses_wrk)

    done = generator.round(*lists(tmp_path, *paths), skip=1, seconds=0.3)

    assert done.answers > 0
    assert done.body_bytes / done.answers > 100_000
    assert 0 < done.p50_ms <= done.p99_ms
    assert set(Answers.asked) == {(path, "durable") for path in paths}


@pytest.mark.parametrize("uses_wrk", GENERATORS)
def test_a_load_generator_posts_no_body_twice(server, tmp_path, uses_wrk):
    bodies = {f'{{"a b":"{NUMBER}","c":"{NUMBER}-1"}}', f"{NUMBER} b"}
    generator = load(server, 2, tmp_path, uses_wrk=uses_wrk)
    lines = lists(tmp_path, *(f"/a {body}" for body in bodies))

    done = generator.round(*lines, skip=7_000, seconds=0.3)

    numbers = [set(re.findall(r"0000\d{5}", body)) for body in Answers.posted]
    assert len(numbers) >= done.answers > 1
    assert {len(found) for found in numbers} == {1}
    assert len({min(found) for found in numbers}) == len(numbers)
    assert min(map(min, numbers)) in {"000007000", "000007001"}
    assert {re.sub(r"0000\d{5}", NUMBER, body) for body in Answers.posted} == bodies


def test_a_round_begins_after_the_requests_that_are_passed_over(tmp_path):
    lines, headers = lists(tmp_path, "/a", f"/b {NUMBER}", "/c")

    requests = following(requests_of(lines, headers, "fhir.test"), 4)

    fields = "Host: fhir.test\r\nX-Bench-Variant: durable\r\n"
    assert [next(requests).decode() for _ in range(3)] == [
        f"POST /b HTTP/1.1\r\n{fields}Content-Length: 9\r\n\r\n000000004",
        f"GET /c HTTP/1.1\r\n{fields}\r\n",
        f"GET /a HTTP/1.1\r\n{fields}\r\n",
    ]


@pytest.mark.parametrize("uses_wrk", GENERATORS)
def test_a_round_with_errors_is_no_measurement(server, tmp_path, uses_wrk):
    generator = load(server, 2, tmp_path, uses_wrk=uses_wrk)

    with pytest.raises(BenchError, match="errors"):
        generator.round(*lists(tmp_path, "/a", "/absent"), skip=0, seconds=0.3)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{name.name}" for name in names)


def test_only_the_command_reaches_the_bench_and_its_open_gate():
    reaching = {
        str(path.relative_to(ROOT))
        for package in ("fhir_service", "mappings", "consent", "conformance")
        for path in (ROOT / package).rglob("*.py")
        if any(name.startswith("fhir_service.bench") for name in imported(path))
        and "bench" not in path.parent.name
    }

    assert reaching == {"fhir_service/commands/bench.py"}
