"""Pages that were rendered before: bounded, and never taken for one another."""

import threading

from fhir_service.rest.rendered import RenderedPages


def test_a_page_comes_back_as_it_was_put():
    pages = RenderedPages()

    pages.put(b"key", b"[1,2,3]" * 1000)

    assert pages.get(b"key") == b"[1,2,3]" * 1000


def test_what_was_never_put_is_not_there():
    pages = RenderedPages()

    pages.put(b"key", b"page")

    assert pages.get(b"other") is None


def test_the_page_that_was_not_asked_for_longest_goes_first():
    pages = RenderedPages(limit_bytes=1_400)
    for key in (b"a", b"b", b"c"):
        pages.put(key, b"page")
    pages.get(b"a")

    pages.put(b"d", b"page")

    kept = {key for key in (b"a", b"b", b"c", b"d") if pages.get(key)}
    assert kept == {b"a", b"c", b"d"}


def test_a_page_that_would_empty_the_cache_is_not_kept():
    pages = RenderedPages()
    pages.put(b"small", b"page")

    pages.put(b"large", b"x" * (5 << 20))

    assert pages.get(b"large") is None
    assert pages.get(b"small") == b"page"


def test_nothing_is_left_after_forgetting():
    pages = RenderedPages()
    pages.put(b"key", b"page")

    pages.forget()

    assert pages.get(b"key") is None


def test_threads_share_the_pages():
    pages = RenderedPages(limit_bytes=20_000)
    wrong = []

    def work(number):
        for turn in range(300):
            key = b"%d" % ((number + turn) % 60)
            page = pages.get(key)
            if page is not None and page != key * 50:
                wrong.append(key)
            pages.put(key, key * 50)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
