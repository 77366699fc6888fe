"""Structured logs that cannot hold a secret or a health value.

A line is one JSON object of listed keys; what is not listed is left out, so that a
careless call loses its detail and not a patient's. Exceptions leave as their types
and places, without their texts. Requests are named by their route's template.

https://www.structlog.org/
"""

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType, TracebackType
from typing import Any, TextIO, cast

import structlog

from fhir_service.settings import LogFormat, LogLevel, Settings

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "request": "A request was answered.",
        "failed": "A handler raised what it should have answered.",
        "response-late": "A request was not answered within its deadline.",
        "not-durable": "An audit row or a write could not be made durable.",
        "audit-failed": "The audit log could not be written.",
        "consent-failed": "The consent engine failed, and denied.",
        "consent-indeterminate": "Stored consents cannot be evaluated, and deny.",
        "ingest": "A batch of measurements was accounted for.",
        "import": "A file was imported.",
        "migrated": "The database schema was brought up to date.",
        "started": "The service answers.",
        "stopped": "The service has ended.",
        "library": "A library had something to say.",
        "job": "A background job ended.",
        "mqtt-connected": "The broker let the subscriber in.",
        "mqtt-dropped": "Messages of QoS 0 found no room and are lost.",
        "mqtt-lost": "The broker cannot be reached, or has closed the connection.",
        "mqtt-waiting": "Messages cannot be stored now, and are not acknowledged.",
        "key-created": "A key was generated.",
        "unlisted": "A caller used an event that is not in this table.",
    }
)
"""What may be logged; a test walks it."""

KEYS = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "logger",
        "request_id",
        "method",
        "route",
        "status",
        "duration_ms",
        "source",
        "outcome",
        "count",
        "bytes",
        "job",
        "revision",
        "version",
        "port",
        "workers",
        "errors",
        "frames",
        "message",
    }
)
"""The only keys that leave."""

MAX_TEXT = 128
"""Characters of one text value."""

MAX_FRAMES = 30
"""Places of one exception, the innermost."""

TRUSTED_LIBRARIES = frozenset({"_granian"})
"""Loggers whose message is shown: it names processes and addresses, not requests."""

SILENT_LIBRARIES = ("authlib",)
"""Loggers of which nothing is kept at any level: Authlib's are told whole tokens."""

_LEVELS: Mapping[LogLevel, int] = MappingProxyType(
    {
        "debug": logging.DEBUG,
        "info": logging.INFO,
        "warning": logging.WARNING,
        "error": logging.ERROR,
    }
)

Event = MutableMapping[str, Any]


def describe(error: BaseException) -> dict[str, list[str]]:
    """Return the types of `error` and its causes, and where it was raised."""
    errors: list[str] = []
    frames: list[str] = []
    current: BaseException | None = error
    while current is not None and len(errors) < MAX_FRAMES:
        errors.append(type(current).__name__)
        frames.extend(_frames(current.__traceback__))
        current = current.__cause__ or current.__context__
    return {"errors": errors, "frames": frames[-MAX_FRAMES:]}


def _frames(traceback: TracebackType | None) -> Iterable[str]:
    while traceback is not None:
        frame = traceback.tb_frame
        module = frame.f_globals.get("__name__", "?")
        yield f"{module}.{frame.f_code.co_name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next


def add_exception(_logger: object, _method: str, event: Event) -> Event:
    """Replace `exc_info` by the types and places of the exception."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event.update(describe(error))
    return event


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Keep the listed keys, and of their values what is plain and short."""
    if event.get("event") not in EVENTS:
        event["event"] = "unlisted"
    return {key: _plain(value) for key, value in event.items() if key in KEYS}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value)[:MAX_TEXT]


def add_time(_logger: object, _method: str, event: Event) -> Event:
    """Add the time in UTC."""
    event["timestamp"] = _now()
    return event


def _now() -> str:
    seconds, fraction = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{fraction // 1_000_000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _processors(log_format: LogFormat) -> list[structlog.typing.Processor]:
    renderers: Mapping[LogFormat, structlog.typing.Processor] = {
        "json": structlog.processors.JSONRenderer(),
        "text": structlog.processors.KeyValueRenderer(
            key_order=["timestamp", "level", "event"]
        ),
    }
    return [
        structlog.processors.add_log_level,
        add_time,
        add_exception,
        redact,
        renderers[log_format],
    ]


def make_logger(
    stream: TextIO, *, level: LogLevel = "info", log_format: LogFormat = "json"
) -> structlog.typing.FilteringBoundLogger:
    """Return a logger that writes to `stream`."""
    return cast(
        "structlog.typing.FilteringBoundLogger",
        structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=_processors(log_format),
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        ),
    )


class LibraryHandler(logging.Handler):
    """Passes on what libraries log: who and how grave; the text of trusted ones."""

    def __init__(self, logger: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line for `record`."""
        fields: dict[str, Any] = {"logger": record.name}
        if record.name in TRUSTED_LIBRARIES:
            fields["message"] = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            fields.update(describe(record.exc_info[1]))
        self._logger.log(record.levelno, "library", **fields)


def silence_libraries() -> None:
    """Let nothing of the silent libraries reach a handler of anybody else's."""
    for name in SILENT_LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False


def library_handler(level_name: LogLevel, log_format: LogFormat) -> LibraryHandler:
    """Return a handler for the logging configuration of a library's own process."""
    return LibraryHandler(
        make_logger(sys.stderr, level=level_name, log_format=log_format)
    )


def configure(settings: Settings, stream: TextIO) -> LibraryHandler:
    """Send this process's logs, and its libraries', to `stream`.

    Called once, by a process that serves or works; tests use `make_logger`.
    """
    level = _LEVELS[settings.log_level]
    structlog.configure(
        processors=_processors(settings.log_format),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logger = make_logger(
        stream, level=settings.log_level, log_format=settings.log_format
    )
    handler = LibraryHandler(logger)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    silence_libraries()
    return handler


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are named; a client may invent others, with anything in them."""


OTHER = "other"
"""Stands for a method that is not listed, and in metrics for every such label."""


class AccessLog:
    """One line a request, gathered and written together by `flush`.

    Not thread-safe: the event loop adds and flushes.
    """

    def __init__(self, stream: TextIO, log_format: LogFormat) -> None:
        self._stream = stream
        self._json = log_format == "json"
        self._lines: list[str] = []
        self._known: dict[tuple[str, str, int], str] = {}

    def add(
        self, *, request_id: str, method: str, route: str, status: int, seconds: float
    ) -> None:
        """Note one request; `request_id` has passed `well_formed_id`."""
        key = (method, route, status)
        fields = self._known.get(key) or self._learn(key)
        milliseconds = f"{seconds * 1000:.2f}"
        if self._json:
            self._lines.append(
                f'{{"timestamp":"{_now()}","level":"info","event":"request",{fields},'
                f'"request_id":"{request_id}","duration_ms":{milliseconds}}}\n'
            )
        else:
            self._lines.append(
                f"{_now()} request {fields} request_id={request_id} "
                f"duration_ms={milliseconds}\n"
            )

    def _learn(self, key: tuple[str, str, int]) -> str:
        method, route, status = key
        method = method if method in METHODS else OTHER
        if self._json:
            fields = json.dumps({"method": method, "route": route, "status": status})
            text = fields[1:-1]
        else:
            text = f"method={method} route={route} status={status}"
        if method != OTHER:
            self._known[key] = text
        return text

    def flush(self) -> None:
        """Write what was gathered."""
        if self._lines:
            self._stream.write("".join(self._lines))
            self._stream.flush()
            self._lines.clear()
