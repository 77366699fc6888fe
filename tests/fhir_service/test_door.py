import asyncio
import io
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest

from conformance.fhir_json import loads
from conformance.issues import FHIRError, IssueType
from fhir_service.logs import AccessLog
from fhir_service.metrics import Metrics
from fhir_service.rest.body import Held, Limits, declared_length, has_body, pieces
from fhir_service.rest.door import Door, Service
from fhir_service.rest.headers import (
    DEFAULTS,
    RequestIds,
    client_address,
    completed,
    joined,
)
from fhir_service.rest.lanes import Done, Replies
from fhir_service.rest.message import Request, Response
from fhir_service.rest.wsgi import (
    REQUEST_ID,
    ROUTE,
    TICKETS,
    UNROUTED,
    make_environ,
    wsgi_handler,
)
from fhir_service.settings import read_settings

SETTINGS = replace(read_settings({}), body_deadline_s=1, response_deadline_s=1)

REQUEST = Request(
    method="GET",
    path="/fhir/Patient/1",
    query="_elements=id",
    headers={"accept": "*/*"},
    body=b"",
    remote="203.0.113.9",
    scheme="https",
    host="fhir.test",
    request_id="r-1",
)


class Exchange:
    """RSGI's HTTP protocol, as far as the door uses it."""

    def __init__(self, *parts):
        self.parts = parts
        self.sent = None

    async def __aiter__(self):
        for part in self.parts:
            if part is None:
                await asyncio.sleep(60)
            yield part

    def response_bytes(self, status, headers, body):
        self.sent = (status, dict(headers), body)

    def response_empty(self, status, headers):
        self.sent = (status, dict(headers), b"")


def scope(method="GET", path="/fhir/Patient/1", headers=()):
    return SimpleNamespace(
        method=method,
        path=path,
        query_string="",
        client="127.0.0.1:4711",
        headers=SimpleNamespace(items=lambda: list(headers)),
    )


def ask(service, asked, exchange, settings=SETTINGS, log=None):
    """Return what the door answers to one request, then close it."""

    async def run():
        loop = asyncio.get_running_loop()
        door = Door(service, settings, AccessLog(log, "json") if log else None)
        door.__rsgi_init__(loop)
        await door.__rsgi__(asked, exchange)
        await asyncio.to_thread(door.__rsgi_del__, loop)

    asyncio.run(run())
    status, headers, body = exchange.sent
    return status, headers, body


def service(handle=None, hot=None):
    return Service(
        handle=handle or (lambda request: Response(status=200, body=request.body)),
        hot=hot or (lambda _request: None),
        metrics=Metrics(sources=()),
    )


def post(*parts, headers=(("content-length", "6"),)):
    return ask(service(), scope("POST", headers=headers), Exchange(*parts))


def code(body):
    return loads(body)["issue"][0]["code"]


def test_a_body_reaches_the_handler_whole():
    assert post(b"abc", b"def", b"")[::2] == (200, b"abcdef")


def test_a_chunked_body_reaches_the_handler_whole():
    headers = [("transfer-encoding", "chunked")]

    assert post(b"abc", b"", headers=headers)[::2] == (200, b"abc")


@pytest.mark.parametrize(
    ("parts", "headers", "status", "issue"),
    [
        ((b"abc", b"", b""), [("content-length", "6")], 400, "incomplete"),
        ((b"abc", b""), [("content-length", "6")], 400, "incomplete"),
        ((b"abc", b"", b""), [("transfer-encoding", "chunked")], 400, "incomplete"),
        ((b"abc", None), [("content-length", "6")], 408, "timeout"),
        ((), [("content-length", "6000000")], 413, "too-long"),
        ((b"x" * 5_000_000,) * 2, [("transfer-encoding", "chunked")], 413, "too-long"),
        ((b"x",), [("content-length", "1, 1")], 400, "invalid"),
    ],
)
def test_a_bad_body_gets_an_outcome(parts, headers, status, issue):
    answer = post(*parts, headers=headers)

    assert (answer[0], code(answer[2])) == (status, issue)
    assert answer[1]["content-type"] == "application/fhir+json; fhirVersion=4.0"


def test_a_refused_client_may_go_on_sending_for_a_while():
    headers = [("content-length", "6000000")]

    assert post(*[b"x" * 1_000_000] * 70, headers=headers)[0] == 413


def test_a_busy_process_refuses_a_body_and_says_when_to_try_again():
    settings = replace(SETTINGS, body_memory_bytes=2)

    status, headers, body = ask(
        service(),
        scope("POST", headers=[("content-length", "3")]),
        Exchange(b"abc", b""),
        settings,
    )

    assert (status, code(body), headers["retry-after"]) == (503, "transient", "5")


def test_hot_routes_answer_what_they_know():
    hot = Response(status=200, body=b"hot", route="/fhir/{type}/{id}")

    assert ask(service(hot=lambda _: hot), scope(), Exchange())[2] == b"hot"


def test_what_hot_routes_do_not_know_goes_to_the_application():
    handle = lambda request: Response(status=200, body=request.path.encode())  # noqa: E731 - reads as a value

    assert ask(service(handle), scope(), Exchange())[2] == b"/fhir/Patient/1"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/fhir/Patient"), ("GET", "/auth/jwks")]
)
def test_hot_routes_are_asked_for_reads_at_their_prefix_alone(method, path):
    hot = Response(status=418)

    answer = ask(service(hot=lambda _: hot), scope(method, path), Exchange())

    assert answer[0] == 200


def done(result=None):
    ticket = Future()
    ticket.set_result(result)
    return ticket


def failed():
    ticket = Future()
    ticket.set_exception(OSError("canary"))
    return ticket


def cancelled():
    ticket = Future()
    ticket.cancel()
    return ticket


@pytest.mark.parametrize(
    ("tickets", "status"),
    [
        ((done(),), 200),
        ((done(), done()), 200),
        ((failed(),), 503),
        ((done(), failed()), 503),
        ((failed(), failed()), 503),
        ((cancelled(),), 503),
        ((Future(),), 503),
        ((done(), Future()), 503),
    ],
)
def test_a_response_leaves_when_all_its_tickets_are_good(tickets, status):
    response = Response(status=200, body=b"canary", tickets=tickets)

    answer = ask(service(lambda _: response), scope(path="/x"), Exchange())

    assert answer[0] == status
    assert (b"canary" in answer[2]) is (status == 200)


def test_a_response_waits_for_the_last_of_its_tickets():
    first, last = Future(), Future()
    order = []

    def handle(_request):
        return Response(status=200, tickets=(first, last))

    async def run():
        loop = asyncio.get_running_loop()
        door = Door(service(handle), SETTINGS, None)
        door.__rsgi_init__(loop)
        asked = asyncio.ensure_future(door.__rsgi__(scope(path="/x"), Exchange()))
        asked.add_done_callback(lambda _: order.append("answered"))
        await asyncio.sleep(0.05)
        first.set_result(None)
        await asyncio.sleep(0.05)
        order.append("last ticket")
        last.set_result(None)
        await asked
        await asyncio.to_thread(door.__rsgi_del__, loop)

    asyncio.run(run())

    assert order == ["last ticket", "answered"]


def test_a_handler_that_raises_gets_500_without_its_text():
    def handle(_request):
        raise ValueError("canary")

    status, _, body = ask(service(handle), scope(path="/x"), Exchange())

    assert (status, code(body)) == (500, "exception")
    assert b"canary" not in body


def test_a_handler_that_answers_nothing_gets_503():
    assert ask(service(lambda _: None), scope(path="/x"), Exchange())[0] == 503


def test_the_access_log_has_the_route_of_each_request():
    log = io.StringIO()

    ask(
        service(hot=lambda _: Response(status=204, route="/r")),
        scope(),
        Exchange(),
        log=log,
    )

    assert '"route": "/r"' in log.getvalue()


def test_https_is_remembered_where_it_is_the_public_address():
    settings = replace(SETTINGS, public_url="https://fhir.test")

    headers = ask(service(), scope(), Exchange(), settings)[1]

    assert headers["strict-transport-security"].startswith("max-age=")


def test_a_response_for_a_loop_that_has_ended_is_dropped():
    loop = asyncio.new_event_loop()
    replies = Replies(loop)
    reply = loop.create_future()
    loop.close()

    replies.send(Done(reply=reply, response=None))

    assert not reply.done()


def test_memory_is_given_back_when_a_request_ends():
    held = Held(3)
    with pieces(held, 10) as parts:
        parts.add(b"abc")
        with pieces(held, 10) as others, pytest.raises(FHIRError):
            others.add(b"d")

    held.take(3)

    assert parts.body() == b"abc"


def test_the_limit_of_a_body_follows_from_its_path():
    limits = Limits(
        by_prefix=(("/fhir", 5), ("/device-data/", 10)),
        elsewhere=1,
        memory=100,
        deadline_s=1,
    )

    paths = ("/fhir", "/fhir/Patient", "/device-data/x", "/auth/token")

    assert [limits.at(path) for path in paths] == [5, 5, 10, 1]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"content-length": "0"}, False),
        ({"content-length": "1"}, True),
        ({"transfer-encoding": "chunked"}, True),
    ],
)
def test_the_fields_tell_whether_there_is_a_body(headers, expected):
    assert has_body(headers) is expected


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", "٣", "1" * 19])
def test_a_length_is_one_whole_number(text):
    with pytest.raises(FHIRError) as caught:
        declared_length({"content-length": text})

    assert caught.value.type is IssueType.INVALID


def test_repeated_fields_are_joined():
    items = [("accept", "a"), ("accept", "b"), ("cookie", "x=1"), ("cookie", "y=2")]

    assert joined(items) == {"accept": "a, b", "cookie": "x=1; y=2"}


def test_the_defaults_fill_what_a_response_lacks():
    fields = completed([("cache-control", "private")], DEFAULTS, "r-1")

    assert dict(fields) == {
        **dict(DEFAULTS),
        "cache-control": "private",
        "x-request-id": "r-1",
    }
    assert len(fields) == len(dict(fields))


def test_no_two_requests_have_one_id():
    first, second = RequestIds(), RequestIds()

    assert len({ids.of({}) for ids in (first, second) for _ in range(100)}) == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("198.51.100.1:99", None, "", "198.51.100.1"),
        ("[2001:db8::1]:99", None, "", "2001:db8::1"),
        ("198.51.100.1:99", "6.6.6.6", "", "198.51.100.1"),
        ("10.0.0.1:99", "203.0.113.9", "10.0.0.0/8", "203.0.113.9"),
        ("10.0.0.1:99", "6.6.6.6, 203.0.113.9", "10.0.0.0/8", "203.0.113.9"),
        ("10.0.0.1:99", "203.0.113.9, 10.0.0.2", "10.0.0.0/8", "203.0.113.9"),
        ("198.51.100.1:99", "203.0.113.9", "10.0.0.0/8", "198.51.100.1"),
        ("10.0.0.1:99", "203.0.113.9, <script>", "10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1:99", None, "10.0.0.0/8", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer, forwarded, trusted, address
):
    networks = read_settings({"FHIR_SERVICE_TRUSTED_PROXIES": trusted}).trusted_proxies

    assert client_address(peer, forwarded, networks) == address


def test_the_environ_is_what_pep_3333_says():
    request = replace(
        REQUEST,
        path="/fhir/Patient/é",
        body=b"{}",
        headers={
            "content-type": "application/fhir+json",
            "content-length": "2",
            "if-match": 'W/"1"',
            "host": "evil.test",
            "proxy": "evil",
            "x-forwarded-host": "evil.test",
        },
    )

    environ = make_environ(request)

    assert environ["PATH_INFO"] == "/fhir/Patient/Ã©"
    assert environ["CONTENT_TYPE"] == "application/fhir+json"
    assert environ["CONTENT_LENGTH"] == "2"
    assert environ["HTTP_IF_MATCH"] == 'W/"1"'
    assert environ["wsgi.input"].read() == b"{}"
    assert environ[REQUEST_ID] == "r-1"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("fhir.test", "443")
    assert "evil" not in str(environ)


def test_an_application_answers_through_the_door():
    closed = []

    class Body(list):
        def close(self):
            closed.append(True)

    ticket = done()

    def application(environ, start_response):
        environ[TICKETS].append(ticket)
        environ[ROUTE] = "/fhir/{type}/{id}"
        fields = [("Content-Type", "text/plain"), ("Content-Length", "4")]
        start_response("201 Created", fields)
        return Body([b"ab", b"cd"])

    response = wsgi_handler(application)(REQUEST)

    assert response == Response(
        status=201,
        headers=(("content-type", "text/plain"),),
        body=b"abcd",
        tickets=(ticket,),
        route="/fhir/{type}/{id}",
    )
    assert closed == [True]


def test_the_length_of_a_body_that_is_not_sent_is_kept():
    def application(_environ, start_response):
        start_response("200 OK", [("Content-Length", "4")])
        return [b""]

    response = wsgi_handler(application)(replace(REQUEST, method="HEAD"))

    assert response.headers == (("content-length", "4"),)
    assert response.route == UNROUTED


def test_an_application_that_does_not_start_is_a_defect():
    with pytest.raises(ValueError, match="did not start"):
        wsgi_handler(lambda _environ, _start: [])(REQUEST)


def test_an_application_cannot_write_past_its_response():
    def application(_environ, start_response):
        start_response("200 OK", [])(b"early")
        return []

    with pytest.raises(NotImplementedError):
        wsgi_handler(application)(REQUEST)
