import ast
import json
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest

from fhir_service.bench.figures import (
    FIGURES,
    GROUPS,
    Measured,
    Verdict,
    not_measured,
    of_group,
    shown,
)
from fhir_service.bench.generator import requests_of
from fhir_service.bench.ingest import Ingested, ingest
from fhir_service.bench.load import load
from fhir_service.bench.page import page
from fhir_service.bench.plan import DEFAULT, Plan
from fhir_service.bench.postgresql import URL_VARIABLE, NoPostgreSQL, postgresql
from fhir_service.bench.run import run as measure
from fhir_service.bench.stage import BenchError, stage
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
    export_days=2,
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
        dict.fromkeys(
            ("search-postgresql", "ingest-postgresql"),
            "no PostgreSQL on this machine",
        ),
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
    "search-sqlite.durable-share": "≥ 20",
    "search-sqlite.not-awaited-share": "≥ 30",
    "search-sqlite.consent-cost": "≤ 10",
    "search-postgresql.durable-share": "≥ 15",
    "search-postgresql.not-awaited-share": "≥ 20",
    "search-postgresql.consent-cost": "≤ 10",
    "ingest-sqlite.rate": "≥ 15 000",
    "ingest-sqlite.rate-kept": "≥ 60",
    "ingest-sqlite.disk": "≤ 500",
    "growth.ratio": "≤ 1.30",
    "code.parse-open-mhealth": "≤ 5",
    "code.parse-zigbee2mqtt": "≤ 5",
    "code.parse-apple-health": "≤ 5",
    "code.store": "≤ 10",
    "code.validate": "≤ 60",
    "code.help": "≤ 100",
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


def test_without_postgresql_the_figures_say_so(tmp_path, monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))

    with pytest.raises(NoPostgreSQL, match="no PostgreSQL on this machine"):
        postgresql(tmp_path).__enter__()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - one server at a time

    def do_GET(self):
        self.asked.append((self.path, self.headers["x-bench-variant"]))
        body = b"x" * 100_000
        self.send_response(404 if self.path == "/absent" else 200)
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


def test_a_round_begins_after_the_paths_that_are_passed_over(tmp_path):
    paths, headers = lists(tmp_path, "/a", "/b", "/c")

    requests = requests_of(paths, headers, "fhir.test", 4)

    assert requests == [
        (
            f"GET {path} HTTP/1.1\r\nHost: fhir.test\r\n"
            "X-Bench-Variant: durable\r\n\r\n"
        ).encode()
        for path in ("/b", "/c", "/a")
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
