"""A person opens an app from the service's own pages."""

from html_page import Form, Page
from smart_app import App
from smart_person import Landed, Person


def _form(page: Page | Landed, action: str) -> Form:
    assert isinstance(page, Page), page.url
    return page.form(action)


def _chosen(form: Form, name: str, value: str) -> None:
    """Tick the one of several buttons of a kind that has this value."""
    for one in form.named(name):
        one.is_checked = one.value == value


def opening(person: Person, app: App, patient: str, text: str = "Aster") -> Form:
    """Return the form that opens an app for a patient."""
    page = person.open("/launch")
    assert isinstance(page, Page)
    form = _asking(page)
    _chosen(form, "client_id", app.client_id)
    if form.action.endswith("/find"):
        listed = person.send(form, form.filled(text=text))
        form = _form(listed, "/launch/patient")
        return _form(person.press(form, patient), "/launch/open")
    _chosen(form, "patient", patient)
    return _form(person.send(form, form.filled()), "/launch/open")


def _asking(page: Page) -> Form:
    [found] = [one for one in page.forms if one.named("client_id")]
    return found


def launch(
    person: Person,
    app: App,
    patient: str,
    *,
    encounter: str = "",
    intent: str = "",
) -> Landed:
    """Return where the browser went: the app's launch URI, with `iss` and `launch`."""
    form = opening(person, app, patient)
    answer = person.send(form, form.filled(encounter=encounter, intent=intent))
    assert isinstance(answer, Landed), answer.text
    return answer
