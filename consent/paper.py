"""The signed paper behind a Consent: what of it is refused when it is filed.

What people open must be what was hashed, and must be a page and not a program. A
script inside a compressed stream of a PDF is not found here; who shows the paper
shows it without running it.

https://hl7.org/fhir/R4/datatypes.html#Attachment
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.issues import Issue, IssueType

PAPERS = frozenset(
    {"application/pdf", "image/jpeg", "image/png", "image/tiff", "text/plain"}
)
"""What a paper may be when it stands in the Consent itself."""

_ACTIVE = (b"/JavaScript", b"/JS", b"/Launch", b"/EmbeddedFile", b"/RichMedia")
"""Names by which a PDF does something (ISO 32000-1, 7.11, 12.6)."""

_AT = "Consent.sourceAttachment"


def paper_issues(consent: Mapping[str, Any]) -> Iterator[Issue]:
    """Yield why the attached paper of a valid Consent is refused."""
    attachment = consent.get("sourceAttachment")
    if not isinstance(attachment, Mapping) or "data" not in attachment:
        return
    data = _decoded(attachment["data"])
    if data is None:
        yield _refused("The data is no base64.", f"{_AT}.data")
        return
    if attachment.get("contentType") not in PAPERS:
        yield _refused(
            "A paper is a PDF, an image or plain text.", f"{_AT}.contentType"
        )
    if _is_active(data):
        yield _refused("A paper that runs something is not stored.", f"{_AT}.data")
    if "hash" in attachment and not _has_hash(data, attachment["hash"]):
        yield _refused("The hash is not that of the data.", f"{_AT}.hash")


def _refused(diagnostics: str, expression: str) -> Issue:
    return Issue(type=IssueType.VALUE, diagnostics=diagnostics, expression=expression)


def _decoded(text: object) -> bytes | None:
    try:
        return base64.b64decode("".join(str(text).split()), validate=True)
    except binascii.Error:
        return None


def _is_active(data: bytes) -> bool:
    return b"%PDF" in data[:1024] and any(name in data for name in _ACTIVE)


def _has_hash(data: bytes, told: object) -> bool:
    """Whether `told` is the SHA-1 of the data in base64, as Attachment.hash is."""
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return hmac.compare_digest(base64.b64encode(digest), str(told).encode())
