import gzip
import re
from html.parser import HTMLParser

import pytest
from worlds import opened_world

from fhir_service.pages.frame import HEADERS
from mappings.code_system import URL as OWN_CODES

PATHS = ("/openapi.json", "/docs")
MAX_BYTES = 3_000_000


@pytest.fixture(scope="module")
def http(tmp_path_factory, template):
    with opened_world(tmp_path_factory.mktemp("documented"), template) as world:
        yield world.http


@pytest.fixture(scope="module")
def statement(http):
    return http.get("/fhir/metadata").json


@pytest.fixture(scope="module")
def described(http):
    return http.get("/openapi.json").json


@pytest.fixture(scope="module")
def page(http):
    parser = Page()
    parser.feed(http.get("/docs").get_data(as_text=True))
    parser.close()
    return parser


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and its text by section."""

    VOID = frozenset({"meta", "link"})

    def __init__(self):
        super().__init__()
        self.tags = []
        self.open = []
        self.types = {}
        self._type = None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "details":
            self._type = given["id"]
            self.types[self._type] = []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "details":
            self._type = None

    def handle_data(self, data):
        if self._type is not None and data.strip():
            self.types[self._type].append(data.strip())

    def all(self, tag):
        return [given for name, given in self.tags if name == tag]


@pytest.mark.parametrize("path", PATHS)
def test_it_is_served_without_a_token(http, path):
    answer = http.get(path)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert len(answer.get_data()) < MAX_BYTES


@pytest.mark.parametrize("path", PATHS)
def test_it_has_the_headers_of_every_page_but_may_be_cached(http, path):
    answer = http.get(path)

    expected = {**HEADERS, "Cache-Control": "public, no-cache"}
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
def test_it_is_not_sent_again_to_who_has_it(http, path):
    tag = http.get(path).headers["ETag"]

    answer = http.get(path, headers={"If-None-Match": tag})

    assert (answer.status_code, answer.get_data()) == (304, b"")


@pytest.mark.parametrize("path", PATHS)
def test_it_is_compressed_for_who_can_unpack_it(http, path):
    plain = http.get(path)
    packed = http.get(path, headers={"Accept-Encoding": "gzip"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.get_data()) == plain.get_data()
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


def test_every_interaction_of_the_statement_has_its_path(statement, described):
    paths = described["paths"]
    found = {
        "read": ("/{id}", "get"),
        "vread": ("/{id}/_history/{vid}", "get"),
        "update": ("/{id}", "put"),
        "patch": ("/{id}", "patch"),
        "delete": ("/{id}", "delete"),
        "history-instance": ("/{id}/_history", "get"),
        "history-type": ("/_history", "get"),
        "create": ("", "post"),
        "search-type": ("", "get"),
    }

    resources = statement["rest"][0]["resource"]
    missing = [
        (one["type"], interaction["code"])
        for one in resources
        for interaction in one["interaction"]
        for path, method in [found[interaction["code"]]]
        if method not in paths.get(f"/{one['type']}{path}", {})
    ]

    assert len(resources) > 100
    assert missing == []


def test_every_search_parameter_of_the_statement_is_a_parameter(statement, described):
    shared = described["components"]["parameters"]

    for one in statement["rest"][0]["resource"]:
        item = described["paths"][f"/{one['type']}"]
        listed = item.get("parameters", []) + item["get"]["parameters"]
        names = {shared[each["$ref"].rpartition("/")[2]]["name"] for each in listed}
        assert {each["name"] for each in one["searchParam"]} <= names, one["type"]


def test_every_operation_of_the_statement_has_a_path(statement, described):
    named = {
        operation["name"]
        for one in (statement["rest"][0], *statement["rest"][0]["resource"])
        for operation in one.get("operation", ())
    }

    assert named
    assert {path.rpartition("$")[2] for path in described["paths"] if "$" in path} == (
        named
    )


def test_the_document_names_the_base_and_the_token_url(statement, described):
    [server] = described["servers"]
    flows = described["components"]["securitySchemes"]["oauth2"]["flows"]

    assert server["url"] == statement["implementation"]["url"]
    assert flows["clientCredentials"]["tokenUrl"].endswith("/auth/token")


def test_the_page_needs_no_script_and_no_style_of_its_own(page):
    assert page.all("script") == []
    assert page.all("style") == []
    assert [given for _, given in page.tags if "style" in given] == []
    assert [
        name for _, given in page.tags for name in given if name.startswith("on")
    ] == []


def test_the_page_is_well_formed_and_has_landmarks_and_a_language(page):
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert [tag for tag, _ in page.tags if tag in {"header", "nav", "main", "footer"}]
    for tag in ("header", "nav", "main", "footer", "h1", "title"):
        assert len(page.all(tag)) == 1, tag


def test_the_page_lists_every_type_with_its_parameters(page, statement):
    resources = {one["type"]: one for one in statement["rest"][0]["resource"]}

    assert list(page.types) == list(resources)
    for type_, resource in resources.items():
        told = set(page.types[type_])
        assert {each["name"] for each in resource["searchParam"]} <= told, type_
        assert set(resource.get("supportedProfile", ())) <= told, type_


def test_the_page_tells_requests_operations_and_notes(page):
    assert "/Patient/{id}/$everything" in page.types["Patient"]
    assert "system/Patient.r" in page.types["Patient"]
    assert "DELETE" in page.types["Patient"]
    assert "DELETE" not in page.types["Consent"]
    assert f": Publishes {OWN_CODES}." in page.types["CodeSystem"]


def test_every_link_of_the_page_inside_leads_somewhere(http, page):
    ids = {given["id"] for _, given in page.tags if "id" in given}
    targets = {given["href"] for given in page.all("a") + page.all("link")}

    inside = {one for one in targets if not re.match("https://", one)}

    assert {"/openapi.json", "/fhir/metadata"} <= inside
    for target in inside:
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            with http.get(target) as answer:
                assert answer.status_code == 200, target


def test_the_first_page_links_to_the_documentation(http):
    assert 'href="/docs"' in http.get("/").get_data(as_text=True)
