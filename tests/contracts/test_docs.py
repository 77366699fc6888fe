"""The documentation against what it documents: tables, names, links, examples.

Every test here walks a table of the code and looks for it in a page, or walks a page
and looks for it in the code, so that neither can change alone. One file, although long,
so that what reads a page stands beside what is held against it.
"""

import ast
import importlib
import json
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from werkzeug.serving import make_server

from conformance.classes import REFUSED
from conformance.validation import validate
from consent.audit.entry import AuditRecord, Interaction, Outcome
from consent.audit.verification import Kind as FindingKind
from consent.capture import CODE_SYSTEMS, ENFORCED, MAX_ENTRIES, capture_issues
from consent.codes import ACT_REASON, ACTIONS, LOINC, MDC, MEASUREMENT, SNOMED
from consent.engine import prepare
from consent.explain import decide_resource
from consent.formula import Row
from consent.in_force import Policy, Subject
from consent.labels import label
from consent.life_cycle import BEGINNINGS, TRANSITIONS
from consent.lint import MAX_DEPTH, MAX_PROVISIONS
from consent.overlays import CUSTODIAN, OVERLAYS
from consent.part_2 import CHECKLIST
from consent.provisions import read
from consent.references import Deployment as Place
from consent.representatives import MINORS
from consent.request import AccessRequest
from consent.signature import describe
from fhir_service import doctor, logs, metrics
from fhir_service.app import create_app, probes_of
from fhir_service.auth.bearer import CLIENT_SYSTEM, authenticate
from fhir_service.auth.clients import Registration, register
from fhir_service.auth.keys import generate
from fhir_service.cli import main
from fhir_service.deployment import SCOPES, Deployment, open_deployment
from fhir_service.ingest.intake import TRANSACTION
from fhir_service.ingest.receipt import MAX_ITEMS, Fate, Receipt
from fhir_service.ingest.recognition import DELETED
from fhir_service.ingest.refused import MAX_PARTS, NOT_KEPT
from fhir_service.interactions.compartment import MAX_TYPES
from fhir_service.interactions.includes import MAX_INCLUDED
from fhir_service.interactions.planner import CHAINED
from fhir_service.interactions.received import NOT_WRITTEN
from fhir_service.rest.parameters import MAX_PARAMETERS
from fhir_service.rest.refusals import MAX_QUERY
from fhir_service.routes import ROUTES
from fhir_service.search import asking, results
from fhir_service.search.chain import MAX_HAS, MAX_HOPS
from fhir_service.search.criterion import MAX_VALUES
from fhir_service.search.parse import MAX_COMPARISONS, MAX_JOINS
from fhir_service.search.parse import REFUSED as REFUSED_PARAMETERS
from fhir_service.search.prefix import PREFIXES
from fhir_service.search.results import DEFAULT_COUNT, MAX_COUNT, MAX_SORT
from fhir_service.settings import SETTINGS, read_settings
from fhir_service.storage import keys, registrations
from fhir_service.storage.engine import RESTART_PAGES
from fhir_service.storage.migrations.tables import metadata
from mappings import coverage
from mappings.measurement import Reason
from mappings.vendors.table import VENDORS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md")])
TEXTS = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "mappings" / "vendors").glob("*/README.md")),
]
PACKAGES = ("conformance", "consent", "fhir_service", "mappings")


def text_of(name: str) -> str:
    path = ROOT / name if name == "README.md" else DOCS / name
    return path.read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    _, found, rest = f"\n{text_of(name)}".partition(f"\n{heading}\n")
    assert found, f"{name} has no heading {heading}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def words(text: str) -> set[str]:
    """Return everything that stands between backquotes."""
    return set(re.findall(r"`([^`\n]+)`", text))


def rows(text: str) -> list[list[str]]:
    """Return the rows of every table in `text`, without heads and rules."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = block.splitlines()[2:]
        found += [
            [
                cell.strip().replace("\\|", "|")
                for cell in re.split(r"(?<!\\)\|", line)[1:-1]
            ]
            for line in lines
        ]
    return found


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


def place(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", TEXTS, ids=place)
def test_every_link_inside_leads_somewhere(page):
    broken = []
    text = re.sub(
        r"^```.*?^```$",
        "",
        page.read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name) if name else page
        if not path.exists() or (
            anchor and anchor not in anchors(path.read_text(encoding="utf-8"))
        ):
            broken.append(target)

    assert broken == []


def test_the_readme_links_every_page():
    linked = re.findall(r"\]\(docs/([\w-]+\.md)", text_of("README.md"))

    assert {page.name for page in DOCS.glob("*.md")} <= set(linked)


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if not hasattr(found, attribute) and attribute not in fields:
                return False
            found = getattr(found, attribute, None)
        return True
    return False


@pytest.mark.parametrize("page", TEXTS, ids=place)
def test_every_name_of_the_code_exists(page):
    pattern = rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?:\(\))?`"
    names = set(re.findall(pattern, page.read_text(encoding="utf-8")))

    assert [name for name in sorted(names) if not resolves(name)] == []


@pytest.mark.parametrize("page", TEXTS, ids=place)
def test_every_file_that_is_named_exists(page):
    folders = (*PACKAGES, "docs", "tests")
    pattern = rf"`((?:{'|'.join(folders)})/[\w./-]+)`"
    names = set(re.findall(pattern, page.read_text(encoding="utf-8")))

    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


def functions_of_tests() -> set[str]:
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def test_every_test_that_is_named_exists():
    named = {
        name
        for page in TEXTS
        for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
    }

    assert named
    assert named - functions_of_tests() == set()


def test_every_promise_of_security_has_a_test():
    promises = rows(section("security.md", "## Promises"))

    assert promises
    assert [row[0] for row in promises if not re.search(r"`test_\w+`", row[-1])] == []


def commands(
    group: click.Group, path: str = "fhir-service"
) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        whole = f"{path} {name}"
        if isinstance(command, click.Group):
            found |= commands(command, whole)
        else:
            found[whole] = command
    return found


def test_every_command_is_named():
    text = text_of("operations.md")

    assert [name for name in commands(main) if f"`{name}" not in text] == []


def shell_lines() -> list[tuple[str, str]]:
    """Return (page, command) of every line of a shell block, continued lines joined."""
    return [
        (page.name, line)
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"), "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_every_command_in_a_block_exists_with_its_options():
    known = commands(main)
    wrong = []
    for page, line in shell_lines():
        for found in re.findall(r"(?:^|[\s(])fhir-service((?: +[^|>;&)]+)?)", line):
            parts = shlex.split(found)
            path = "fhir-service"
            while parts and not parts[0].startswith("-") and path not in known:
                path = f"{path} {parts.pop(0)}"
            command = known.get(path)
            options = {part.partition("=")[0] for part in parts if part[:2] == "--"}
            allowed = {"--help", "--version"}
            if command is not None:
                allowed |= {name for param in command.params for name in param.opts}
            if (command is None and path != "fhir-service") or not options <= allowed:
                wrong.append(f"{page}: {line}")

    assert shell_lines()
    assert wrong == []


def test_every_target_of_make_that_is_named_exists():
    targets = set(
        re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    named = {
        name
        for page in PAGES
        for name in re.findall(
            r"(?:`|^)make ([\w-]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }

    assert named
    assert named <= targets


def test_every_setting_is_documented_and_every_documented_one_exists():
    variables = {setting.variable for setting in SETTINGS}
    named = {
        name
        for page in TEXTS
        for name in re.findall(
            r"FHIR_SERVICE_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")
        )
        if not name.startswith("FHIR_SERVICE_TEST")
    }

    assert variables <= words(text_of("settings.md"))
    assert named <= variables


def opened(folder: Path, **settings: str) -> Deployment:
    environment = {"FHIR_SERVICE_DATA_DIR": str(folder / "data"), **settings}
    return open_deployment(read_settings(environment))


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    found = opened(tmp_path)
    yield found
    found.database.close()


@contextmanager
def listening(folder: Path) -> Iterator[tuple[str, Deployment]]:
    """Serve an empty deployment at a free port; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    found = opened(folder, FHIR_SERVICE_PUBLIC_URL=url)
    application = create_app(found, metrics.Metrics(sources=VENDORS))
    server = make_server("127.0.0.1", port, application)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url, found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        found.database.close()


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_the_program_of_the_readme_gets_a_token(tmp_path, algorithm):
    [program] = blocks(text_of("README.md"), "python")
    pair = generate(algorithm, "k1")
    (tmp_path / "get_token.py").write_text(program, encoding="utf-8")
    (tmp_path / "key.json").write_bytes(pair.private)
    with listening(tmp_path) as (url, found):
        register(
            found.auth,
            Registration(
                client_id="ehr", name="EHR", jwks=pair.public, scopes=("system/*.rs",)
            ),
        )

        run = subprocess.run(  # noqa: S603 - the program of our own page
            [
                *(sys.executable, "-W", "error", "get_token.py"),
                *(url, "ehr", "key.json", "system/*.rs"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )

        with found.database.read() as snapshot:
            grant = authenticate(
                snapshot, f"Bearer {run.stdout.strip()}", found.services.clock()
            )
    assert grant.client_id == "ehr"
    assert str(grant.scopes) == "system/*.rs"


def test_every_route_is_documented(deployment):
    application = create_app(deployment, metrics.Metrics(sources=VENDORS))
    served = {(route.method, route.template) for route in ROUTES}
    served |= {
        (method, rule.rule)
        for rule in application.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] != "fhir"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    told = {
        (row[0], row[1].strip("`"))
        for row in rows(section("request.md", "## Every path"))
    }

    assert told == served


def test_every_parameter_type_and_its_modifiers_are_documented():
    told = {
        row[0]: words(row[2]) for row in rows(section("search.md", "## Parameters"))
    }

    for type_, modifier in asking.MODIFIERS:
        [modifiers] = [of for types, of in told.items() if type_ in types.split(", ")]
        assert modifier is None or modifier in {one.lstrip(":") for one in modifiers}


def test_every_refused_and_every_result_parameter_is_documented():
    text = text_of("search.md")

    assert words(text) >= REFUSED_PARAMETERS | results.NAMES
    assert set(PREFIXES) <= words(section("search.md", "## Dates"))


def test_the_limits_of_a_search_are_the_documented_ones():
    told = {row[0]: row[1] for row in rows(section("search.md", "## Limits"))}

    assert list(told.values()) == [
        str(number)
        for number in (
            DEFAULT_COUNT,
            MAX_COUNT,
            MAX_PARAMETERS,
            MAX_VALUES,
            MAX_COMPARISONS,
            MAX_HOPS,
            MAX_HAS,
            MAX_JOINS,
            MAX_SORT,
            MAX_TYPES,
            MAX_INCLUDED,
            CHAINED,
            MAX_QUERY,
        )
    ]


def test_every_type_that_is_not_written_is_documented():
    named = words(section("request.md", "## What can be written"))

    assert named >= {*REFUSED, *NOT_WRITTEN}


def test_every_scope_of_discovery_is_documented():
    told = words(text_of("clients.md"))

    assert [
        scope for scope in SCOPES if not {scope, scope.partition("/")[2]} & told
    ] == []


RESOURCES, CONSENT = "json resources", "json consent"
EXAMPLES_AT = "## Examples"
PLACE = Place(zone=UTC, own_bases=("http://localhost:8000/fhir",))


def wrapped(provision: object, number: int) -> dict[str, object]:
    return {
        "resourceType": "Consent",
        "id": f"c{number}",
        "meta": {"versionId": "1"},
        "status": "active",
        "scope": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                    "code": "patient-privacy",
                }
            ]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/p"},
        "dateTime": "2026-01-01",
        "policy": [{"uri": "https://clinic.example/policy"}],
        "provision": provision,
    }


def examples() -> list[tuple[str, list[dict[str, object]], list[str]]]:
    """Return (title, consents, row) of every row of every example."""
    text = section("consent.md", EXAMPLES_AT)
    found = []
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        consents = [
            wrapped(json.loads(block), number)
            for number, block in enumerate(blocks(part, CONSENT))
        ]
        title = part.partition("\n")[0]
        found += [(title, consents, row) for row in rows(part)]
    return found


def asked_resources() -> dict[str, dict[str, object]]:
    [block] = blocks(section("consent.md", EXAMPLES_AT), RESOURCES)
    return {
        name: {"resourceType": "Observation", "id": "x"} | resource
        for name, resource in json.loads(block).items()
    }


def question(who: str, purposes: str, actions: str, at: str) -> AccessRequest:
    return AccessRequest(
        actors=frozenset({f"Organization/{who}", f"{CLIENT_SYSTEM}|{who}"}),
        individual_known=False,
        purposes=tuple((ACT_REASON, code) for code in purposes.split() if code != "-"),
        actions=tuple(actions.split()),
        btg_attested=False,
        at_us=int(datetime.fromisoformat(at).timestamp()) * 1_000_000,
    )


@pytest.mark.parametrize(
    ("title", "consents", "row"),
    examples(),
    ids=[f"{title}-{number}" for number, (title, _, _) in enumerate(examples())],
)
def test_an_example_of_consent_is_decided_as_documented(title, consents, row):
    del title
    who, purposes, actions, what, at, answer, because = row
    resource = asked_resources()[what]
    described = describe(resource, labels=label(resource), deployment=PLACE)
    prepared = prepare(
        [read(consent, deployment=PLACE) for consent in consents],
        question(who, purposes, actions, at),
        Subject(patient="Patient/p", managing_organization="Organization/clinic"),
        Policy(enforced=ENFORCED),
    )

    decision = decide_resource(
        prepared,
        described.facets,
        Row(
            reference=f"{resource['resourceType']}/{resource['id']}",
            start_us=described.start_us,
            end_us=described.end_us,
            codings=described.codings,
        ),
    )

    told = {reason.path or reason.because for reason in decision.reasons}
    told |= {reason.name for reason in decision.reasons if reason.path is None}
    assert ("permit" if decision.is_permitted else "deny") == answer
    assert because in told


def test_every_example_of_consent_would_be_stored():
    consents = [consent for _, found, _ in examples() for consent in found]

    assert consents
    for consent in consents:
        assert [
            issue for issue in validate(consent) if issue.severity.value == "error"
        ] == []
        assert capture_issues(consent, deployment=PLACE) == []


def test_what_is_enforced_is_documented():
    text = section("consent.md", "## What this version enforces, and what it refuses")
    enforced = {
        word for row in rows(text) if row[1] == "enforced" for word in words(row[0])
    }
    refused = {
        word for row in rows(text) if row[1] == "refused" for word in words(row[0])
    }

    assert enforced >= ENFORCED.elements | ACTIONS
    assert not refused & ENFORCED.elements
    assert ENFORCED.depth == MAX_DEPTH == 3
    assert "nested up to three levels below the root | enforced" in text
    assert f"more than {MAX_ENTRIES} entries" in text
    assert {LOINC, SNOMED, MDC, MEASUREMENT} == CODE_SYSTEMS
    assert "LOINC, SNOMED CT, MDC or the measurement code system" in text


def test_the_limits_of_a_consent_are_the_documented_ones():
    text = text_of("consent.md")

    assert f"more than {MAX_PROVISIONS} provisions" in text
    assert f"more than {MAX_DEPTH} levels" in text
    assert CUSTODIAN.name in words(text)
    assert CUSTODIAN.types == {"Patient", "Consent"}


def test_the_coverage_page_is_that_of_the_vendors():
    assert text_of("device-coverage.md") == coverage.page()


def test_every_source_is_documented():
    assert set(VENDORS) <= words(section("device-data.md", "## Sources"))
    for source in VENDORS:
        folder = source.replace("-", "_")
        assert f"mappings/vendors/{folder}/README.md" in text_of("device-data.md")


def test_every_reason_of_quarantine_is_documented():
    told = {
        row[0].strip("`") for row in rows(section("device-data.md", "## Quarantine"))
    }

    assert told == set(Reason)


def test_every_outcome_of_a_receipt_is_documented():
    text = section("device-data.md", "## Receipt")
    told = {row[0].strip("`") for row in rows(text)}
    [example] = [json.loads(block) for block in blocks(text, "json")]

    assert told == set(Fate)
    assert [*example] == [*Receipt(source="x").to_json()]
    assert example["received"] == sum(example[fate] for fate in Fate)
    assert f"{MAX_ITEMS:,}" in text


def test_every_reason_of_a_receipt_is_documented():
    told = words(section("device-data.md", "## Receipt"))

    assert told >= {"consent", DELETED, NOT_KEPT}
    assert f"{MAX_PARTS:,} different" in section("device-data.md", "## Receipt")
    assert f"{MAX_PARTS:,} different" in section("device-data.md", "## Quarantine")


def test_the_size_of_a_transaction_is_the_documented_one():
    for name, heading in (
        ("device-data.md", "## The device door"),
        ("request.md", "## A delivery"),
        ("audit.md", "## What is recorded"),
    ):
        assert f"ransactions of {TRANSACTION:,} readings" in section(name, heading), (
            name
        )


def test_the_system_of_a_sources_own_names_is_documented():
    text = section("device-data.md", "## Whose measurement it is")

    assert VENDORS["open-mhealth"].system in words(text)


def test_the_size_of_the_write_ahead_log_is_the_documented_one():
    text = section("operations.md", "## SQLite and PostgreSQL")

    assert f"beyond {RESTART_PAGES * 4 // 1024} MiB" in text


def test_every_column_of_the_database_is_told_readable_or_not():
    assert registrations.client.metadata is metadata
    told = {
        row[0].strip("`"): words(row[1]) | words(row[2])
        for row in rows(section("security.md", "## What the database shows"))
    }

    assert told == {
        table.name: {column.name for column in table.columns}
        for table in metadata.sorted_tables
    }


def test_every_key_is_documented():
    told = words(section("security.md", "## Keys and files"))

    assert {f"keys/{name}" for name in (*keys.SINGLE_KEYS, "kek-0001")} <= told


def test_every_field_of_the_log_is_documented():
    told = {
        row[0].strip("`") for row in rows(section("audit.md", "## What a row says"))
    }

    assert told == set(AuditRecord.__dataclass_fields__)


def test_every_kind_of_finding_is_documented():
    told = {row[0].strip("`") for row in rows(section("audit.md", "## What it finds"))}

    assert told == set(FindingKind)


def recorded(path: Path) -> set[str]:
    """Return the members of Interaction that a module names."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Interaction"
    }


def test_every_interaction_that_is_recorded_is_documented():
    used = {
        Interaction[name].value
        for path in (ROOT / "fhir_service").rglob("*.py")
        for name in recorded(path)
    }
    told = {
        row[0].strip("`") for row in rows(section("audit.md", "## What is recorded"))
    }

    assert told == used
    assert set(Outcome) <= words(text_of("audit.md"))


def test_every_check_and_every_probe_is_documented(deployment):
    told = {row[0].strip("`") for row in rows(section("operations.md", "## Doctor"))}

    assert told == {*doctor.CHECKS, *probes_of(deployment)}


def test_every_metric_and_its_labels_are_documented():
    registry = metrics.Metrics(sources=VENDORS).registry
    text = section("operations.md", "## Metrics")
    told = {row[0].strip("`") for row in rows(text)}

    collected = {family.name for family in registry.collect()}
    assert {name.removesuffix("_total") for name in told} == collected
    listed = (metrics.OUTCOMES, metrics.REFUSALS, metrics.FAILURES, metrics.FACTS)
    assert set().union(*listed) <= words(text)


def calls(method: str) -> list[str]:
    """Return the texts with which the service calls a method of that name."""
    return [
        node.args[0].value
        for path in (ROOT / "fhir_service").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]


def test_every_log_event_is_documented_and_those_that_nobody_writes_are_named():
    text = section("operations.md", "## Logs")
    told = {row[0].strip("`") for row in rows(text)}
    [silent] = re.findall(r"^Listed and not written.*$", text, re.MULTILINE)
    written = {
        event for level in ("info", "warning", "error") for event in calls(level)
    }

    # These are written by the access log, by libraries and by the filter itself.
    assert told == (written & set(logs.EVENTS)) | {"request", "library", "unlisted"}
    assert words(silent) == set(logs.EVENTS) - told


def test_every_failure_that_nobody_counts_is_named():
    text = section("operations.md", "## Metrics")
    [counted] = re.findall(r"^Parts: .*$", text, re.MULTILINE)
    [silent] = re.findall(r"^Listed and not counted.*$", text, re.MULTILINE)

    # `Gate` is given the counter's method and keeps it as `_failed`.
    called = set(calls("failed")) | set(calls("_failed"))
    assert words(counted) == called & metrics.FAILURES
    assert words(silent) & metrics.FAILURES == metrics.FAILURES - words(counted)
    assert ("`fhir_service_measurements_total`" in silent) == (
        ".ingested("
        not in "".join(
            path.read_text(encoding="utf-8")
            for path in (ROOT / "fhir_service").rglob("*.py")
            if path.name != "metrics.py"
        )
    )


def test_every_door_has_its_limit_documented():
    told = words(section("security.md", "## Limits on what is sent"))

    assert {setting.variable for setting in SETTINGS if "body" in setting.name} <= told


def test_the_limits_of_a_request_are_the_documented_ones():
    told = {
        row[0]: row[1]
        for row in rows(section("security.md", "## Limits on what is sent"))
    }

    assert told["characters of a query"] == str(MAX_QUERY)
    assert told["parameters, values of one, and dates or numbers of a search"] == (
        f"{MAX_PARAMETERS}, {MAX_VALUES} and {MAX_COMPARISONS}"
    )
    assert told["refused parts of one delivery that quarantine keeps"] == str(MAX_PARTS)


def test_no_type_of_actor_is_refused():
    refused = {
        type_
        for type_ in (
            "CareTeam",
            "Device",
            "Group",
            "HealthcareService",
            "Organization",
            "Patient",
            "Practitioner",
            "PractitionerRole",
            "RelatedPerson",
        )
        if capture_issues(
            wrapped({"type": "permit", "actor": [an_actor(f"{type_}/x")]}, 0),
            deployment=PLACE,
        )
    }

    assert refused == set()


def an_actor(reference: str) -> dict[str, object]:
    return {"role": {"text": "recipient"}, "reference": {"reference": reference}}


def test_the_life_of_a_consent_is_documented():
    told = {
        row[0].strip("`"): words(row[1])
        for row in rows(section("consent.md", "## The life of a Consent"))
    }

    assert {name: told[name] for name in TRANSITIONS} == TRANSITIONS
    assert told["(none)"] == BEGINNINGS


def test_every_overlay_and_every_minors_row_is_documented():
    told = {tuple(row) for row in rows(section("consent.md", "## Overlays"))}

    names = {row[0].strip("`"): row[-1] for row in told if "/" in row[0]}
    assert {name: text for name, text in names.items() if name != CUSTODIAN.name} == {
        one.name: one.source for one in OVERLAYS if one is not CUSTODIAN
    }
    assert {
        (f"`{one.jurisdiction}`", str(one.alone_from), one.care, one.source)
        for one in MINORS
    } <= told


def test_every_element_of_a_part_2_consent_is_documented():
    told = rows(section("consent.md", "## 42 CFR Part 2"))

    assert told == [[f"`{one.name}`", one.section, one.looked_for] for one in CHECKLIST]
