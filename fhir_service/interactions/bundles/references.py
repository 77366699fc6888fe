"""What entries of a transaction call each other, rewritten to what they become.

In a Reference, in an element of type uri, url, oid or uuid, and in the links and
images of a narrative, also of what is contained and in extensions (§3.1.0.11.2).

https://hl7.org/fhir/R4/http.html#trules
https://hl7.org/fhir/R4/bundle.html#references
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from conformance.definitions import elements, is_known, is_resource_type
from conformance.issues import FHIRError, IssueType
from fhir_service.interactions.bundles.entries import Entry

LINKS = frozenset({"uri", "url", "oid", "uuid"})
"""Types of elements that are rewritten where they are just a `fullUrl`."""

CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?(\S+)")
"""A reference to what a search finds: type and query."""

_RELATIVE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}")
_ROOT = re.compile(r"(https?://\S+)/[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}")
_UNIQUE = ("urn:uuid:", "urn:oid:")
_MARKS = (*_UNIQUE, "?", "&")
_LINK = re.compile(r"""(\s(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""")

NAMED = frozenset({"POST", "PUT"})
"""Methods whose entries others may refer to by `fullUrl`."""

Rewrite = Callable[[str], str]


class Names:
    """What the entries of one transaction are called.

    Args:
        entries: All of them.
        bases: Our base URLs: with or without one, it is the same name.

    Raises:
        FHIRError: `invariant` where two have the same name.

    """

    def __init__(self, entries: Sequence[Entry], bases: Sequence[str]) -> None:
        self._starts = tuple(f"{base}/" for base in bases)
        self._named: dict[str, Entry] = {}
        for entry in entries:
            if entry.full_url is None or entry.method not in NAMED:
                continue
            if self._named.setdefault(self._plain(entry.full_url), entry) is not entry:
                raise FHIRError(
                    IssueType.INVARIANT,
                    "bdl-7: Another entry has the same fullUrl.",
                    f"{entry.place}.fullUrl",
                )
        self._are_unique = all(name.startswith(_UNIQUE) for name in self._named)

    def may_be_in(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource may hold anything that is to be rewritten.

        No more than a glance: where every entry is called by a UUID or an OID, what
        holds none, no query and no escape holds no reference to one.
        """
        text = repr(resource).lower()
        return not self._are_unique or any(mark in text for mark in _MARKS)

    def _plain(self, text: str) -> str:
        for start in self._starts:
            if text.startswith(start):
                return text[len(start) :]
        return text.lower() if text.lower().startswith(_UNIQUE) else text

    def entry(self, text: str, within: Entry) -> Entry | None:
        """Return the entry that `text` means, said in the entry `within`.

        A relative one is completed as the `fullUrl` of that entry says (§2.36.4.1).
        """
        if not self._named:
            return None
        root = _root_of(within.full_url or "")
        if root is not None and _RELATIVE.fullmatch(text):
            text = f"{root}/{text}"
        return self._named.get(self._plain(text))


@lru_cache(maxsize=16)
def _root_of(full_url: str) -> str | None:
    """Return the base of a `fullUrl` that is an address, asked for link after link."""
    root = _ROOT.fullmatch(full_url)
    return None if root is None else root[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What references and links become.

    Attributes:
        reference: The text of `Reference.reference` → what is stored.
        link: The text of a link → what is stored; itself where it names no entry.

    """

    reference: Rewrite
    link: Rewrite


def meaning_of(
    names: Names,
    within: Entry,
    become: Callable[[Entry], str],
    search: Callable[[str, str], str],
) -> Meaning:
    """Return what the references of an entry mean.

    Args:
        names: Of the transaction.
        within: The entry.
        become: Entry → `Type/id`.
        search: Type and query of a conditional reference → `Type/id`.

    """

    def link(text: str) -> str:
        entry = names.entry(text, within)
        return text if entry is None else become(entry)

    def reference(text: str) -> str:
        conditional = CONDITIONAL.fullmatch(text)
        if conditional is not None:
            return search(conditional[1], conditional[2])
        literal, mark, fragment = text.partition("#")
        entry = names.entry(literal, within) if literal else None
        if entry is not None:
            return f"{become(entry)}{mark}{fragment}"
        if literal.lower().startswith(_UNIQUE):
            raise FHIRError(
                IssueType.INVALID,
                "A reference names a fullUrl that no entry has which is created or "
                "updated.",
            )
        return text

    return Meaning(reference=reference, link=link)


def rewritten(resource: Mapping[str, Any], meaning: Meaning) -> dict[str, Any]:
    """Return a resource, valid or not, with what its references mean."""
    return _object(resource, str(resource.get("resourceType")), meaning)


@lru_cache(maxsize=1024)
def _members(type_: str) -> Mapping[str, str]:
    """Return JSON member → type, of a structure."""
    if not is_known(type_):
        return {}
    try:
        found = elements(type_)
    except KeyError:  # A primitive has no elements.
        return {}
    return {
        key: name for element in found.values() for key, name in element.keys.items()
    }


def _object(value: Mapping[str, Any], type_: str, meaning: Meaning) -> dict[str, Any]:
    members = _members(type_)
    changed = dict(value)
    for name, one in value.items():
        if type(one) is str:
            kind = members.get(name, _EXTENDED)
            if kind in _TEXTS:
                changed[name] = _text(one, kind, meaning)
        elif type(one) in _HOLDING:
            changed[name] = _value(one, members.get(name, _EXTENDED), meaning)
    text = value.get("reference")
    if type_ == "Reference" and isinstance(text, str):
        changed["reference"] = meaning.reference(text)
    return changed


_HOLDING = frozenset({dict, list})
"""Types of JSON, as it was parsed, that hold others."""


_EXTENDED = "Element"
"""The type of a member that is no element: `_name` holds extensions of `name`."""

_TEXTS = LINKS | {"xhtml"}


def _value(value: Any, type_: str, meaning: Meaning) -> Any:
    if isinstance(value, dict):
        if type_ == "Resource":
            inner = str(value.get("resourceType"))
            type_ = inner if is_resource_type(inner) else type_
        return _object(value, type_, meaning)
    if isinstance(value, list):
        return [_value(one, type_, meaning) for one in value]
    if isinstance(value, str) and type_ in _TEXTS:
        return _text(value, type_, meaning)
    return value


def _text(value: str, type_: str, meaning: Meaning) -> str:
    return meaning.link(value) if type_ in LINKS else _narrative(value, meaning)


def _narrative(text: str, meaning: Meaning) -> str:
    def one(match: re.Match[str]) -> str:
        quoted = match[2]
        address, mark, fragment = html.unescape(quoted[1:-1]).partition("#")
        meant = meaning.link(address)
        if meant == address:
            return match[0]
        told = html.escape(f"{meant}{mark}{fragment}")
        return f"{match[1]}{quoted[0]}{told}{quoted[0]}"

    return _LINK.sub(one, text)


def rewritten_operations(
    operations: Sequence[Mapping[str, Any]], meaning: Meaning
) -> list[dict[str, Any]]:
    """Return the operations of a JSON Patch with what their references mean."""
    return [_operation(dict(operation), meaning) for operation in operations]


def _operation(operation: dict[str, Any], meaning: Meaning) -> dict[str, Any]:
    value = operation.get("value")
    if isinstance(value, str) and str(operation.get("path")).endswith("/reference"):
        return {**operation, "value": meaning.reference(value)}
    return {**operation, "value": _untyped(value, meaning)} if value else operation


def _untyped(value: Any, meaning: Meaning) -> Any:
    """Return a value whose type only its place would tell, its References rewritten."""
    if isinstance(value, list):
        return [_untyped(one, meaning) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: meaning.reference(one)
        if name == "reference" and isinstance(one, str)
        else _untyped(one, meaning)
        for name, one in value.items()
    }
