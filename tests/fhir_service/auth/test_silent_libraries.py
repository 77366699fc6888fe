"""No token reaches a log, at whatever level: Authlib writes them to its own."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient

from fhir_service import logs
from fhir_service.settings import read_settings

Authorizer = Any

APP = ("portal", "of-the-example-portal_" + "x" * 21)
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[io.StringIO]:
    """Collect what any logger says at any level, by our handler and by a plain one."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    settings = read_settings(
        {"FHIR_SERVICE_DATA_DIR": str(tmp_path), "FHIR_SERVICE_LOG_LEVEL": "debug"}
    )
    logs.configure(settings, stream)
    plain = logging.StreamHandler(stream)
    plain.setLevel(logging.NOTSET)
    root.addHandler(plain)
    loggers = [
        logging.getLogger(name)
        for name in list(logging.root.manager.loggerDict)
        if name.partition(".")[0] in {"authlib", "joserfc", "flask", "werkzeug"}
    ]
    levels = [logger.level for logger in loggers]
    for logger in [root, *loggers]:
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger, old in zip(loggers, levels, strict=True):
        logger.setLevel(old)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def exchange(http: FlaskClient, authorizer: Authorizer) -> Callable[[], list[str]]:
    """Use a code and a refresh token, rightly and wrongly; return every secret."""

    def use() -> list[str]:
        scopes = "openid patient/*.rs offline_access"
        code = authorizer.code(authorizer.authorize(scopes=scopes))
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "https://app.test/callback",
            "code_verifier": VERIFIER,
        }
        first = http.post("/auth/token", data=data, auth=APP).get_json()
        data = {
            "grant_type": "refresh_token",
            "refresh_token": first["refresh_token"],
        }
        second = http.post("/auth/token", data=data, auth=APP).get_json()
        assert http.post("/auth/token", data=data, auth=APP).status_code == 400
        names = ("access_token", "refresh_token", "id_token")
        tokens = [body[name] for body in (first, second) for name in names]
        return [code, VERIFIER, APP[1], *tokens]

    return use


def test_no_secret_reaches_a_log(
    everything: io.StringIO, exchange: Callable[[], list[str]]
) -> None:
    secrets = exchange()

    logging.getLogger("werkzeug").debug("a control")
    text = everything.getvalue()
    assert "a control" in text
    assert [secret for secret in secrets if secret in text] == []
    assert "authlib" not in text


def test_the_test_above_would_see_one(
    everything: io.StringIO,
    exchange: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("authlib"), "propagate", True)

    secrets = exchange()

    assert any(secret in everything.getvalue() for secret in secrets)
