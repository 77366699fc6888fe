"""What a validation has not looked at, for who asked for one.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Iterable, Iterator
from functools import cache

from conformance import definitions
from conformance.issues import Issue, IssueType, Severity
from conformance.validation import BEYOND


def limits(profiles: Iterable[str]) -> list[Issue]:
    """Return, as information, what is checked of no resource and by no profile here.

    Args:
        profiles: Canonicals of the profiles that a resource was held to.

    """
    urls = dict.fromkeys(canonical.partition("|")[0] for canonical in profiles)
    known = definitions.profile_urls()
    return [
        _everywhere(),
        *(issue for url in urls if url in known for issue in _of_profile(url)),
    ]


@cache
def _everywhere() -> Issue:
    said = (*BEYOND, *_unlisted("http://hl7.org/fhir/ValueSet/"))
    return _information(f"Not checked: {' '.join(said)}")


def _unlisted(start: str) -> Iterator[str]:
    """Yield which of R4's own required value sets have codes that nobody lists."""
    for found in definitions.value_sets():
        if found.not_checked is not None and found.url.startswith(start):
            yield f"Codes of {found.url}."


@cache
def _of_profile(url: str) -> tuple[Issue, ...]:
    """Return the required value sets of a profile that cannot be looked up."""
    bound = {
        element["binding"].partition("|")[0]: definitions.value_set(element["binding"])
        for record in definitions.profile_records(url)
        for element in record["elements"]
        if "binding" in element
    }
    return tuple(
        _information(f"Not checked for {url}: codes of {name}.")
        for name, found in bound.items()
        if found.not_checked is not None
    )


def _information(text: str) -> Issue:
    return Issue(
        type=IssueType.NOT_SUPPORTED, diagnostics=text, severity=Severity.INFORMATION
    )
