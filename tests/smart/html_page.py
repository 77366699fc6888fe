"""What a page without scripts offers: headings, links and forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

_TYPED = {"input", "select", "textarea", "button"}
_PRESSED = {"submit", "image", "reset", "button"}


@dataclass
class Field:
    """Something of a form that a person fills in, ticks or presses."""

    tag: str
    type: str
    name: str
    value: str
    id: str
    is_checked: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    label: str = ""

    @property
    def is_button(self) -> bool:
        return self.tag == "button" or self.type in _PRESSED

    @property
    def is_hidden(self) -> bool:
        return self.type == "hidden"


@dataclass
class Form:
    """A form of a page."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def named(self, name: str) -> list[Field]:
        return [one for one in self.fields if one.name == name]

    @property
    def types(self) -> set[str]:
        return {one.type for one in self.fields}

    @property
    def boxes(self) -> list[Field]:
        """Return what can be ticked, in its order."""
        return [one for one in self.fields if one.type == "checkbox"]

    @property
    def buttons(self) -> list[Field]:
        return [one for one in self.fields if one.is_button]

    def filled(self, **values: str) -> list[tuple[str, str]]:
        """Return what is sent as the form stands, text fields filled by name."""
        sent = []
        for one in self.fields:
            if one.is_button or not one.name:
                continue
            if one.type in {"checkbox", "radio"} and not one.is_checked:
                continue
            sent.append((one.name, values.get(one.name, one.value)))
        return sent


@dataclass
class Page:
    """A page as it was answered."""

    url: str
    status: int
    text: str = ""
    title: str = ""
    language: str = ""
    headings: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    has_script: bool = False

    def form(self, action: str) -> Form:
        """Return the one form whose action ends so."""
        [found] = [one for one in self.forms if one.action.endswith(action)]
        return found


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._page = page
        self._form: Form | None = None
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._labels: dict[str, str] = {}
        self._in_label: list[Field] = []
        self._select: Field | None = None
        self._has_option = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self._page.language = given.get("lang", "")
        elif tag == "script":
            self._page.has_script = True
        elif tag == "form":
            self._begin(given)
        elif tag in _TYPED:
            self._typed(tag, given)
        elif tag == "option":
            self._option(given)
        if tag in {"label", "button", "a", "title", "h1", "h2", "h3"}:
            self._open.append((tag, given, []))
            if tag == "label":
                self._in_label = []

    def _begin(self, given: dict[str, str]) -> None:
        action = urljoin(self._page.url, given.get("action", ""))
        self._form = Form(action, given.get("method", "get").lower())
        self._page.forms.append(self._form)

    def _option(self, given: dict[str, str]) -> None:
        """Take the option that is chosen; the first where none is."""
        if self._select is None:
            return
        if "selected" in given or not self._has_option:
            self._select.value = given.get("value", "")
        self._has_option = True

    def _typed(self, tag: str, given: dict[str, str]) -> None:
        default = {"button": "submit", "input": "text"}.get(tag, tag)
        found = Field(
            tag=tag,
            type=given.get("type", default).lower(),
            name=given.get("name", ""),
            value=given.get("value", "on" if given.get("type") == "checkbox" else ""),
            id=given.get("id", ""),
            is_checked="checked" in given,
            attributes=given,
        )
        if tag == "select":
            self._select, self._has_option = found, False
        if self._form is not None:
            self._form.fields.append(found)
        self._in_label.append(found)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._page.text += f" {data.strip()}"
        for _, _, texts in self._open:
            texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "select":
            self._select = None
        if not self._open or self._open[-1][0] != tag:
            return
        _, given, texts = self._open.pop()
        text = " ".join("".join(texts).split())
        self._closed(tag, given, text)

    def _closed(self, tag: str, given: dict[str, str], text: str) -> None:
        if tag == "title":
            self._page.title = text
        elif tag == "a":
            self._page.links.append((text, urljoin(self._page.url, given["href"])))
        elif tag == "label":
            self._labels[given.get("for", "")] = text
            for one in self._in_label:
                one.label = one.label or text
        elif tag == "button" and self._form is not None:
            self._form.buttons[-1].text = text
        elif tag.startswith("h"):
            self._page.headings.append(text)

    def close(self) -> None:
        super().close()
        for form in self._page.forms:
            for one in form.fields:
                one.label = one.label or self._labels.get(one.id or "-", "")


def read_page(url: str, status: int, html: str) -> Page:
    page = Page(url=url, status=status)
    reader = _Reader(page)
    reader.feed(html)
    reader.close()
    return page
