"""The XHTML of a narrative: what FHIR allows in it, and nothing else.

https://hl7.org/fhir/R4/narrative.html#xhtml
"""

import html
import re
from collections.abc import Mapping
from xml.parsers import expat

_XHTML = "http://www.w3.org/1999/xhtml "

ELEMENTS = frozenset(
    "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd "  # noqa: SIM905 - a table of words
    "del dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp "
    "small span strike strong sub sup table tbody td tfoot th thead tr tt u ul "
    "var".split()
)
"""HTML 4.0 chapters 7-11 (without section 4 of chapter 9) and 15, `a` and `img`."""

ATTRIBUTES = frozenset(
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing "  # noqa: SIM905 - a table of words
    "cellvalign char charoff charset cite class clear color colspan compact coords "
    "datetime dir frame headers height href hreflang hspace id lang longdesc name "
    "noshade nowrap rel rev rowspan rules scope shape span src start style summary "
    "tabindex title type valign value vspace width".split()
)
"""Attributes of those elements; no `on…`, and links as `_SAFE_LINK` allows."""

_LINKS = frozenset({"href", "src", "cite", "longdesc"})

_SAFE_LINK = re.compile(
    r"(?:https?:|mailto:|tel:|cid:|urn:|data:image/(?:png|jpeg|gif);)"
    r"|[^:/?#]*(?:[/?#]|$)",
    re.IGNORECASE,
)
"""A scheme that runs nothing, or none: no colon before the first `/`, `?` or `#`."""

_OWN_IMAGE = re.compile(
    r"#|data:image/(?:png|jpeg|gif);|(?!//)[^:?#]*(?:[?#]|$)", re.IGNORECASE
)
"""An image that is in the resource or on this server: none that reports a reader."""

_ACTIVE_STYLE = re.compile(
    r"expression\s*\(|script:|@import|behavior\s*:|binding\s*:", re.IGNORECASE
)

_ENTITY = re.compile(
    r"&(?!(?:lt|gt|amp|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)([A-Za-z0-9]+);"
)
"""HTML's named entities, which a narrative may use and XML does not know."""

_XML_LANG = "http://www.w3.org/XML/1998/namespace lang"


class _Refused(Exception):  # noqa: N818 - carries what to say
    """What is wrong with a narrative."""


def _attribute_problem(name: str, value: str) -> str | None:
    if name == _XML_LANG:
        return None
    if name not in ATTRIBUTES:
        return "An attribute that a narrative may not have."
    if name in _LINKS and _SAFE_LINK.match(value.strip()) is None:
        return "A link that is neither http(s), mailto, tel nor within the resource."
    if name == "src" and _OWN_IMAGE.match(value.strip()) is None:
        return "An image of another server, which would learn who reads the narrative."
    if name == "style" and _ACTIVE_STYLE.search(value):
        return "A style that runs or loads something."
    return None


class _Reader:
    """Follows the parser through a `div` and refuses at the first offence."""

    def __init__(self) -> None:
        self.has_content = False
        self._is_inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Refuse an element or an attribute that is not on the lists."""
        if not self._is_inside and name != f"{_XHTML}div":
            raise _Refused("The narrative is not one div in the XHTML namespace.")
        self._is_inside = True
        if not name.startswith(_XHTML) or name.removeprefix(_XHTML) not in ELEMENTS:
            raise _Refused("An element that a narrative may not have.")
        self.has_content = self.has_content or name == f"{_XHTML}img"
        for attribute, value in attributes.items():
            problem = _attribute_problem(attribute, value)
            if problem is not None:
                raise _Refused(problem)

    def text(self, data: str) -> None:
        """Note whether there is something to read."""
        self.has_content = self.has_content or not data.isspace()

    def refuse(self, *_: object) -> None:
        """Refuse a document type, and with it entities, or an instruction."""
        raise _Refused("The div is XHTML without document type or instructions.")


def narrative_problem(text: str) -> str | None:
    """Return what is wrong with a narrative's `div`, or None (txt-1, txt-2)."""
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.ProcessingInstructionHandler = reader.refuse
    parser.XmlDeclHandler = reader.refuse
    replaced = _ENTITY.sub(lambda match: html.unescape(match.group(0)), text)
    try:
        parser.Parse(replaced.encode("utf-8"), True)  # noqa: FBT003 - "is final"
    except (expat.ExpatError, UnicodeEncodeError):
        return "The div is not well-formed XHTML."
    except _Refused as refusal:
        return str(refusal)
    return None if reader.has_content else "The narrative has no content."
