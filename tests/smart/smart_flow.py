"""From an app's request to its tokens."""

from typing import Any

from smart_app import App
from smart_person import AGREES, Person, Wish

Tokens = dict[str, Any]

STANDALONE = "launch/patient openid fhirUser offline_access patient/*.rs"


def code_of(
    person: Person, app: App, scope: str, wish: Wish = AGREES, **more: str | None
) -> tuple[str, str]:
    """Return a code that was just given, and the verifier that goes with it."""
    asked = app.asks(scope, prompt="consent", **more)
    answer = person.authorize(app, asked, wish)
    assert "error" not in answer.parameters, answer.parameters
    assert answer.parameters["state"] == asked.state
    return answer.code, asked.verifier


def tokens(
    person: Person,
    app: App,
    scope: str = STANDALONE,
    wish: Wish = AGREES,
    **more: str | None,
) -> Tokens:
    """Return the token response of a whole launch."""
    code, verifier = code_of(person, app, scope, wish, **more)
    answer = app.exchange(code, verifier)
    assert answer.status_code == 200, answer.text
    found: Tokens = answer.json()
    return found


def scopes(answer: Tokens) -> set[str]:
    return set(answer["scope"].split())
