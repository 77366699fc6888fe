"""The XHTML of a narrative: what FHIR allows in it, and nothing else.

https://hl7.org/fhir/R4/narrative.html#xhtml
"""

import html
import re

from lxml import etree

_XHTML = "{http://www.w3.org/1999/xhtml}"

ELEMENTS = frozenset(
    """
    a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd
    del dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp
    small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var
    """.split()
)
"""HTML 4.0 chapters 7-11 (without section 4 of chapter 9) and 15, `a` and `img`."""

ATTRIBUTES = frozenset(
    """
    abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing
    cellvalign char charoff charset cite class clear color colspan compact coords
    datetime dir frame headers height href hreflang hspace id lang longdesc name
    noshade nowrap rel rev rowspan rules scope shape span src start style summary
    tabindex title type valign value vspace width
    """.split()
)
"""Attributes of those elements; no `on…`, and links as `_LINKS` allows."""

_LINKS = {"href", "src", "cite", "longdesc"}
_SAFE_LINK = re.compile(
    r"(?:https?:|mailto:|tel:|cid:|urn:|data:image/(?:png|jpeg|gif);)|[^:/?#]*(?:[/?#]|$)",
    re.IGNORECASE,
)
"""A scheme that runs nothing, or none: no colon before the first `/`, `?` or `#`."""
_ACTIVE_STYLE = re.compile(
    r"expression\s*\(|script:|@import|behavior\s*:|binding\s*:", re.IGNORECASE
)
_ENTITY = re.compile(
    r"&(?!(?:lt|gt|amp|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)([A-Za-z0-9]+);"
)
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _parsed(text: str) -> etree._Element | None:
    """Return the tree, or None where the text is not well-formed XML.

    HTML's named entities are allowed (§2.4.3); a document type is not, so that
    nothing else can be an entity.
    """
    if "<!" in text.replace("<!--", "") or "<?" in text:
        return None
    replaced = _ENTITY.sub(lambda match: html.unescape(match.group(0)), text)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        return etree.fromstring(replaced.encode("utf-8", "surrogatepass"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _attribute_problem(name: str, value: str) -> str | None:
    if name == _XML_LANG:
        return None
    if name not in ATTRIBUTES:
        return "An attribute that a narrative may not have."
    if name in _LINKS and _SAFE_LINK.match(value) is None:
        return "A link that is neither http(s), mailto, tel nor within the resource."
    if name == "style" and _ACTIVE_STYLE.search(value):
        return "A style that runs or loads something."
    return None


def _element_problem(element: etree._Element) -> str | None:
    tag = element.tag
    if not isinstance(tag, str):
        return None if tag is etree.Comment else "Something that is not XHTML."
    if not tag.startswith(_XHTML) or tag.removeprefix(_XHTML) not in ELEMENTS:
        return "An element that a narrative may not have."
    for name, value in element.attrib.items():
        problem = _attribute_problem(str(name), str(value))
        if problem is not None:
            return problem
    return None


def narrative_problem(text: str) -> str | None:
    """Return what is wrong with a narrative's `div`, or None (txt-1, txt-2)."""
    root = _parsed(text)
    if root is None:
        return "The div is not well-formed XHTML."
    if root.tag != f"{_XHTML}div":
        return "The narrative is not one div in the XHTML namespace."
    for element in root.iter():
        problem = _element_problem(element)
        if problem is not None:
            return problem
    has_text = any(chunk.strip() for chunk in root.itertext("*"))
    if not has_text and root.find(f".//{_XHTML}img") is None:
        return "The narrative has no content."
    return None
