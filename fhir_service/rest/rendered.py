"""Pages that were rendered before, found again by the very bytes that are stored.

A version never changes, so what a page of versions looks like never changes either.
What may be seen, in which order and of which page is decided for every request; only
then is asked whether these stored bytes were decrypted and written as entries before.
The key holds the authentication tag of each of them, so that nothing else can be
taken for the same. Pages are kept compressed: entries of one kind are much alike.
"""

import threading
from collections import OrderedDict

import zstandard

LEVEL = 1
"""Of zstd: 50 Observations become some 2 kB in a twentieth of the time of decoding."""

LIMIT_BYTES = 8 << 20
"""Of keys and compressed pages together; some thousands of pages."""

LARGEST_BYTES = 4 << 20
"""A page larger than this is not kept."""

_OVERHEAD = 400
"""Bytes that Python takes for an entry of the cache, about."""


class _Contexts(threading.local):
    """Compression contexts of this thread; they may not be shared."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


class RenderedPages:
    """The pages that were asked for last, up to a number of bytes.

    Args:
        limit_bytes: What keys and pages may take together.

    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._pages: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._contexts = _Contexts()
        self._guard = threading.Lock()

    def get(self, key: bytes) -> bytes | None:
        """Return the page of these stored bytes; None where it is not kept."""
        packed = self._pages.get(key)
        if packed is None:
            return None
        with self._guard:
            if key in self._pages:
                self._pages.move_to_end(key)
        return self._contexts.decompress(packed)

    def put(self, key: bytes, page: bytes) -> None:
        """Keep a page, and let those go that were not asked for longest."""
        if len(page) > LARGEST_BYTES:
            return
        packed = self._contexts.compress(page)
        with self._guard:
            if key in self._pages:
                return
            self._pages[key] = packed
            self._size += _weight(key, packed)
            while self._size > self._limit:
                self._size -= _weight(*self._pages.popitem(last=False))

    def forget(self) -> None:
        """Keep nothing of what was rendered so far."""
        with self._guard:
            self._pages.clear()
            self._size = 0


def _weight(key: bytes, packed: bytes) -> int:
    return len(key) + len(packed) + _OVERHEAD
