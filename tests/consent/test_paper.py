import base64

import pytest

from consent.paper import PAPERS, paper_issues

TEXT = base64.b64encode(b"I agree.").decode()
SHA1 = "aYoCGFgyTzLc4Im2meJwE8yU0OE="
"""printf 'I agree.' | openssl sha1 -binary | base64"""


def places(**attachment):
    found = paper_issues({"sourceAttachment": attachment})
    return [issue.expression.rpartition(".")[2] for issue in found]


@pytest.mark.parametrize("type_", sorted(PAPERS))
def test_a_page_is_stored_with_or_without_its_hash(type_):
    assert places(contentType=type_, data=TEXT) == []
    assert places(contentType=type_, data=TEXT, hash=SHA1) == []


def test_what_is_elsewhere_or_absent_is_not_looked_at():
    assert places(url="https://clinic.example/scan") == []
    assert list(paper_issues({})) == []
    assert list(paper_issues({"sourceAttachment": "broken"})) == []


def test_what_is_no_page_is_refused():
    assert places(contentType="image/svg+xml", data=TEXT) == ["contentType"]
    assert places(data=TEXT) == ["contentType"]
    assert places(contentType="text/plain", data="no base64!") == ["data"]
    assert places(contentType="text/plain", data="QQ") == ["data"]


def test_the_hash_of_another_paper_is_refused():
    assert places(contentType="text/plain", data=TEXT, hash=TEXT) == ["hash"]
    assert places(contentType="text/plain", data=TEXT, hash="é") == ["hash"]


@pytest.mark.parametrize("name", [b"/JavaScript", b"/JS", b"/Launch", b"/RichMedia"])
def test_a_pdf_that_does_something_is_refused(name):
    data = base64.b64encode(b"%PDF-1.7 << " + name + b" >>").decode()
    plain = base64.b64encode(b"%PDF-1.7 << /Page >>").decode()

    assert places(contentType="application/pdf", data=data) == ["data"]
    assert places(contentType="application/pdf", data=plain) == []
