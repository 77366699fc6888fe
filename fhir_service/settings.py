"""What an operator may choose: one row a setting, read from `FHIR_SERVICE_*`.

This is the only module that reads the environment. docs/settings.md is printed
from the table below: `python -m fhir_service.settings > docs/settings.md`.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

PREFIX = "FHIR_SERVICE_"
"""How the name of every variable begins."""

TEST_PREFIX = "FHIR_SERVICE_TEST_"
"""How the names of variables for the tests begin; the service passes them over."""

MAX_DIGITS = 12
"""Of a whole number; a longer one is a typing error."""

ROLES = (
    "patient",
    "related-person",
    "practitioner",
    "compliance-officer",
    "administrator",
)
"""What a person may be; a test holds it against `auth.users.Role`."""

MASK = "***"
"""What stands in place of a secret."""

Network = IPv4Network | IPv6Network
Subscription = tuple[str, str]
"""An MQTT topic filter, and the source of what comes under it."""

Policy = Literal["deny", "basic-normal", "all-normal", "break-glass-only"]
AuditWait = Literal["durable", "not-awaited"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "text"]


class SettingsError(ValueError):
    """A value that cannot be used; the text names the variable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Every choice an operator made; the table `SETTINGS` describes each."""

    data_dir: Path
    database_url: str = field(repr=False)  # It may hold a password.
    public_url: str
    host: str
    port: int
    workers: int
    hot_threads: int
    threads: int
    fhir_body_bytes: int
    device_body_bytes: int
    form_body_bytes: int
    body_memory_bytes: int
    body_deadline_s: int
    response_deadline_s: int
    stop_deadline_s: int
    tls_certificate: Path | None
    tls_key: Path | None
    trusted_proxies: tuple[Network, ...]
    jwks_networks: tuple[Network, ...]
    alert_networks: tuple[Network, ...]
    time_zone: ZoneInfo
    default_policy: Policy
    update_creates: bool
    encrypt_bodies: bool
    audit_wait: AuditWait
    audit_checkpoint_s: int
    raw_payload_days: int
    token_lifetime_s: int
    refresh_lifetime_s: int
    page_lifetime_s: int
    session_lifetime_s: int
    second_factor_roles: tuple[str, ...]
    mqtt_url: str
    mqtt_user: str
    mqtt_password: str = field(repr=False)
    mqtt_password_file: Path | None
    mqtt_ca: Path | None
    mqtt_certificate: Path | None
    mqtt_key: Path | None
    mqtt_client_id: str
    mqtt_group: str
    mqtt_topics: tuple[Subscription, ...]
    mqtt_acting_client: str
    mqtt_receive_maximum: int
    mqtt_session_s: int
    log_level: LogLevel
    log_format: LogFormat
    access_log: bool
    metrics: bool

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is used."""
        return self.database_url.startswith("sqlite")

    @property
    def keys_dir(self) -> Path:
        """Where the service keeps its keys; mode 0700, each file 0600."""
        return self.data_dir / "keys"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: Field of `Settings`; the variable is `FHIR_SERVICE_` and it in capitals.
        parse: Text to value; its `ValueError` completes "FHIR_SERVICE_X ...".
        default: The text assumed where the variable is absent or empty, or a
            function of the values read before it, in the order of the table.
        means: What the setting does, for docs/settings.md.
        default_means: What the default is, where it is not a fixed text.

    """

    name: str
    parse: Callable[[str], Any]
    default: str | Callable[[Mapping[str, Any]], str]
    means: str
    default_means: str = ""

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.name.upper()


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
        if not digits or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return text

    return parse


def _several_of(*choices: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(",") if part.strip())
        if not set(found) <= set(choices):
            raise ValueError(f"must be of {', '.join(choices)}, with commas between")
        return found

    return parse


def _boolean(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _directory(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _file(text: str) -> Path | None:
    """Return a path, or None; what is there is for whoever opens it to say."""
    if text and not Path(text).is_absolute():
        raise ValueError("must be an absolute path")
    return Path(text) if text else None


def _host(text: str) -> str:
    if any(character in text for character in " /@"):
        raise ValueError("must be an address or a host name")
    return text


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL, such as https://fhir.test")
    if parts.query or parts.fragment or parts.username or parts.path not in {"", "/"}:
        raise ValueError("must be scheme, host and port alone")
    _port_of(parts.netloc, text)
    return f"{parts.scheme}://{parts.netloc}"


def _port_of(netloc: str, text: str) -> int | None:
    try:
        return urlsplit(text).port
    except ValueError:
        raise ValueError(f"names a port that cannot be: {netloc!r}") from None


_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def _database_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _DRIVERS:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    if scheme == "sqlite" and len(rest) < len("/x"):
        raise ValueError("must name a file: sqlite:////absolute/path")
    return f"{_DRIVERS[scheme]}://{rest}"


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be an IANA time zone, such as Europe/Berlin") from None


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part)
    except ValueError:
        raise ValueError(
            "must be addresses or networks with commas between, such as 10.0.0.0/8"
        ) from None


_MQTT_URL = re.compile(r"mqtts?://(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.\-]+)(?::\d{1,5})?")
_MQTT_LEVEL = re.compile(r"[^+#\x00-\x1f]*|\+")
_SOURCE = re.compile(r"[a-z0-9\-]{1,64}")


def _mqtt_url(text: str) -> str:
    if text and not _MQTT_URL.fullmatch(text):
        raise ValueError("must be mqtt://HOST or mqtts://HOST, perhaps with a port")
    if text:
        _port_of(text.partition("://")[2], text)
    return text


def _word(text: str) -> str:
    """Return a name without spaces, or nothing."""
    if not re.fullmatch(r"[\x21-\x7e]{0,128}", text):
        raise ValueError("must be up to 128 printable ASCII characters without spaces")
    return text


def _mqtt_name(text: str) -> str:
    """Return a client id or the name of a group (MQTT 5 §3.1.3.1, §4.8.2)."""
    if not re.fullmatch(r"[A-Za-z0-9._\-]{0,64}", text):
        raise ValueError("must be up to 64 letters, digits, dots, hyphens, underscores")
    return text


def _subscriptions(text: str) -> tuple[Subscription, ...]:
    """Return topic filters and their sources (MQTT 5 §4.7.1)."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        topic, _, source = part.rpartition("=")
        *levels, last = topic.split("/")
        if not all(map(_MQTT_LEVEL.fullmatch, levels)) or not (
            last == "#" or _MQTT_LEVEL.fullmatch(last)
        ):
            topic = ""
        if not topic or topic.startswith("$share") or not _SOURCE.fullmatch(source):
            raise ValueError(
                "must be FILTER=SOURCE with commas between, such as "
                "zigbee2mqtt/#=zigbee2mqtt"
            )
        found.append((topic, source))
    return tuple(found)


def _on_sqlite(values: Mapping[str, Any]) -> bool:
    """Whether SQLite is meant; also where the URL itself is in error."""
    return str(values.get("database_url", "sqlite")).startswith("sqlite")


_DAY_S = 86_400
_MIB = 1024 * 1024

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="data_dir",
        parse=_directory,
        default="data",
        means="Folder of the database, the keys and exports; created with mode 0700.",
        default_means="`./data`",
    ),
    Setting(
        name="database_url",
        parse=_database_url,
        default=lambda values: f"sqlite:///{values['data_dir']}/fhir.sqlite3",
        means="`sqlite:////path` or `postgresql://user:password@host/name`.",
        default_means="SQLite in the data folder",
    ),
    Setting(
        name="public_url",
        parse=_public_url,
        default="http://localhost:8000",
        means="The address by which clients know the service; links, token audiences "
        "and cookies follow from it.",
    ),
    Setting(
        name="host", parse=_host, default="127.0.0.1", means="Address to listen at."
    ),
    Setting(
        name="port",
        parse=_integer(1, 65_535),
        default="8000",
        means="Port to listen at.",
    ),
    Setting(
        name="workers",
        parse=_integer(1, 256),
        default=lambda values: "1" if _on_sqlite(values) else str(os.cpu_count() or 1),
        means="Web processes. SQLite has one writer and takes 1 only.",
        default_means="1 on SQLite, the number of processors on PostgreSQL",
    ),
    Setting(
        name="hot_threads",
        parse=_integer(1, 64),
        default=lambda values: "1" if _on_sqlite(values) else "4",
        means="Threads a process that answer the hot reads. More help only while "
        "they wait for a database server.",
        default_means="1 on SQLite, 4 on PostgreSQL",
    ),
    Setting(
        name="threads",
        parse=_integer(1, 256),
        default="4",
        means="Threads a process that answer every other request.",
    ),
    Setting(
        name="fhir_body_bytes",
        parse=_integer(1024, 1024 * _MIB),
        default=str(5 * _MIB),
        means="Longest body at the FHIR door, in bytes; a longer one gets 413.",
    ),
    Setting(
        name="device_body_bytes",
        parse=_integer(1024, 1024 * _MIB),
        default=str(10 * _MIB),
        means="Longest body at the device door, in bytes. Larger files are imported "
        "with `fhir-service import`.",
    ),
    Setting(
        name="form_body_bytes",
        parse=_integer(1024, 1024 * _MIB),
        default=str(_MIB // 4),
        means="Longest body elsewhere (tokens, pages), in bytes.",
    ),
    Setting(
        name="body_memory_bytes",
        parse=_integer(1024, 64 * 1024 * _MIB),
        default=str(256 * _MIB),
        means="Memory a process gives to bodies that are arriving or being worked on, "
        "in bytes; beyond it requests get 503 and `Retry-After`.",
    ),
    Setting(
        name="body_deadline_s",
        parse=_integer(1, 3600),
        default="30",
        means="Seconds in which a body must have arrived; a later one gets 408.",
    ),
    Setting(
        name="response_deadline_s",
        parse=_integer(1, 3600),
        default="120",
        means="Seconds in which a request must have been worked on and its audit row "
        "be durable; a later one gets 503.",
    ),
    Setting(
        name="stop_deadline_s",
        parse=_integer(1, 3600),
        default="40",
        means="Seconds that requests in flight have to end after SIGTERM; not less "
        "than a body may take to arrive.",
    ),
    Setting(
        name="tls_certificate",
        parse=_file,
        default="",
        means="File of the certificate and its chain (PEM), with which the service "
        "speaks TLS 1.2 or 1.3 itself; the public URL must be https then.",
        default_means="none: plain HTTP, for a proxy in front",
    ),
    Setting(
        name="tls_key",
        parse=_file,
        default="",
        means="File of the certificate's private key (PEM, not encrypted), which "
        "nobody but its owner may read.",
        default_means="none",
    ),
    Setting(
        name="trusted_proxies",
        parse=_networks,
        default="",
        means="Addresses or networks, with commas between, whose `X-Forwarded-For` "
        "is believed.",
        default_means="none",
    ),
    Setting(
        name="jwks_networks",
        parse=_networks,
        default="",
        means="Networks, with commas between, that are not public and from which keys "
        "of clients are fetched all the same, where a client publishes them there.",
        default_means="none",
    ),
    Setting(
        name="alert_networks",
        parse=_networks,
        default="",
        means="Networks, with commas between, that are not public and to which alerts "
        "are sent all the same, where a webhook leads there.",
        default_means="none",
    ),
    Setting(
        name="time_zone",
        parse=_zone,
        default="UTC",
        means="IANA zone of dates without a time: it decides when Consents begin and "
        "end and what searches by date cover. A reading without an offset is never "
        "given this one.",
    ),
    Setting(
        name="default_policy",
        parse=_one_of(*get_args(Policy)),
        default="deny",
        means="What holds where no Consent decides: `deny`, `basic-normal`, "
        "`all-normal` or `break-glass-only`, as docs/consent.md defines them. A "
        "change is written to the audit log at the next start.",
    ),
    Setting(
        name="update_creates",
        parse=_boolean,
        default="false",
        means="Whether a PUT to an id that does not exist creates the resource. "
        "Where it does, a client can tell that an id of its own choice is taken by "
        "what it may not see: that is 404.",
    ),
    Setting(
        name="encrypt_bodies",
        parse=_boolean,
        default="true",
        means="Whether resource bodies are encrypted in the database.",
    ),
    Setting(
        name="audit_wait",
        parse=_one_of("durable", "not-awaited"),
        default="durable",
        means="Whether a response waits until its audit row is on disk. "
        "`not-awaited` is for measuring alone.",
    ),
    Setting(
        name="audit_checkpoint_s",
        parse=_integer(1, _DAY_S),
        default="60",
        means="Seconds between signed checkpoints of the audit log.",
    ),
    Setting(
        name="raw_payload_days",
        parse=_integer(0, 3650),
        default="30",
        means="Days for which a device's payload is kept as it came, encrypted, so "
        "that a mapping that was put right can be replayed; 0 keeps none.",
    ),
    Setting(
        name="token_lifetime_s",
        parse=_integer(30, 3600),
        default="300",
        means="Seconds for which an access token is good.",
    ),
    Setting(
        name="refresh_lifetime_s",
        parse=_integer(300, 366 * _DAY_S),
        default=str(90 * _DAY_S),
        means="Seconds that an app may go on with `offline_access`; registration of "
        "the client may say otherwise.",
    ),
    Setting(
        name="page_lifetime_s",
        parse=_integer(60, 7 * _DAY_S),
        default="3600",
        means="Seconds for which the link to a next page is good; not less than an "
        "access token.",
    ),
    Setting(
        name="session_lifetime_s",
        parse=_integer(60, 7 * _DAY_S),
        default="28800",
        means="Seconds after which a person logs in again.",
    ),
    Setting(
        name="second_factor_roles",
        parse=_several_of(*ROLES),
        default="",
        means="Roles, with commas between, whose logins open nothing before a second "
        f"factor is set up: {', '.join(f'`{role}`' for role in ROLES)}.",
        default_means="none",
    ),
    Setting(
        name="mqtt_url",
        parse=_mqtt_url,
        default="",
        means="Broker of `fhir-service mqtt`: `mqtts://HOST` (TLS, port 8883) or "
        "`mqtt://HOST` (port 1883), perhaps with a port. The broker speaks MQTT 5.",
        default_means="none",
    ),
    Setting(
        name="mqtt_user",
        parse=_word,
        default="",
        means="User name at the broker.",
        default_means="none",
    ),
    Setting(
        name="mqtt_password",
        parse=_word,
        default="",
        means="Password at the broker; better in a file.",
        default_means="none",
    ),
    Setting(
        name="mqtt_password_file",
        parse=_file,
        default="",
        means="File whose first line is the password at the broker.",
        default_means="none",
    ),
    Setting(
        name="mqtt_ca",
        parse=_file,
        default="",
        means="File of the authorities (PEM) that the broker's certificate is "
        "verified by.",
        default_means="those of the system",
    ),
    Setting(
        name="mqtt_certificate",
        parse=_file,
        default="",
        means="File of the certificate (PEM) by which the broker knows the service.",
        default_means="none",
    ),
    Setting(
        name="mqtt_key",
        parse=_file,
        default="",
        means="File of that certificate's private key (PEM, not encrypted).",
        default_means="none",
    ),
    Setting(
        name="mqtt_client_id",
        parse=_mqtt_name,
        default="fhir-service",
        means="Name of the session at the broker; each process has its own.",
    ),
    Setting(
        name="mqtt_group",
        parse=_mqtt_name,
        default="",
        means="Name of a shared subscription, so that several processes divide the "
        "messages among them. A broker repeats no retained message to a group.",
        default_means="none: each process gets every message",
    ),
    Setting(
        name="mqtt_topics",
        parse=_subscriptions,
        default="",
        means="What is subscribed to, and as which source it is read: "
        "`FILTER=SOURCE` with commas between, such as `zigbee2mqtt/#=zigbee2mqtt`. "
        "The first filter that matches a topic decides.",
        default_means="nothing",
    ),
    Setting(
        name="mqtt_acting_client",
        parse=_word,
        default="",
        means="Id of the registered client for whom messages are delivered.",
        default_means="none",
    ),
    Setting(
        name="mqtt_receive_maximum",
        parse=_integer(1, 65_535),
        default="2000",
        means="Messages that the broker sends before the first of them is "
        "acknowledged; many brokers have a limit of their own "
        "(`max_inflight_messages` of Mosquitto).",
    ),
    Setting(
        name="mqtt_session_s",
        parse=_integer(0, 4_294_967_294),
        default=str(7 * _DAY_S),
        means="Seconds for which the broker keeps messages while the service is away.",
    ),
    Setting(
        name="log_level",
        parse=_one_of("debug", "info", "warning", "error"),
        default="info",
        means="`debug`, `info`, `warning` or `error`.",
    ),
    Setting(
        name="log_format",
        parse=_one_of("json", "text"),
        default="json",
        means="`json`, one object a line, or `text` for people.",
    ),
    Setting(
        name="access_log",
        parse=_boolean,
        default="true",
        means="Whether each request gets a log line (the audit log is another thing "
        "and cannot be switched off).",
    ),
    Setting(
        name="metrics",
        parse=_boolean,
        default="true",
        means="Whether `/metrics` answers.",
    ),
)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` names, defaults for the rest.

    Raises:
        SettingsError: one line a variable that is unknown or holds a bad value.

    """
    values: dict[str, Any] = {}
    problems = list(_unknown(environment))
    for setting in SETTINGS:
        problems.extend(_read(setting, environment, values))
    if not problems:
        problems.extend(_contradictions(values))
    if problems:
        raise SettingsError("\n".join(problems))
    return Settings(**values)


def process_settings() -> Settings:
    """Return the settings of this process's environment.

    Raises:
        SettingsError: as `read_settings`.

    """
    return read_settings(os.environ)  # noqa: TID251 - the one place that reads it


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which another process has these settings.

    Secrets are in it: it is for a process of ours alone.
    """
    kept = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - the one place that reads it
        if not name.startswith(PREFIX)
    }
    told = {
        setting.variable: _text(getattr(settings, setting.name), "")
        for setting in SETTINGS
    }
    return kept | told


def share_metrics(directory: Path) -> None:
    """Name the folder through which worker processes add up their metrics.

    prometheus-client reads it when it is first imported, in each worker.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)  # noqa: TID251 - its only interface


def shared_metrics() -> Path | None:
    """Return the folder that `share_metrics` named, in this process or its parent."""
    name = os.environ.get("PROMETHEUS_MULTIPROC_DIR")  # noqa: TID251 - its only interface
    return Path(name) if name else None


def _read(
    setting: Setting, environment: Mapping[str, str], values: dict[str, Any]
) -> Iterable[str]:
    text = environment.get(setting.variable, "").strip()
    if not text:
        default = setting.default
        text = default if isinstance(default, str) else default(values)
    try:
        values[setting.name] = setting.parse(text)
    except ValueError as error:
        yield f"{setting.variable} {error}."


def _unknown(environment: Mapping[str, str]) -> Iterable[str]:
    known = {setting.variable for setting in SETTINGS}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            if name.startswith(TEST_PREFIX):
                continue
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            yield f"{name} is not a setting{hint}"


def _contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    if _on_sqlite(values) and values["workers"] > 1:
        yield f"{PREFIX}WORKERS must be 1 on SQLite, which has one writer."
    if values["stop_deadline_s"] < values["body_deadline_s"]:
        yield f"{PREFIX}STOP_DEADLINE_S must not be less than {PREFIX}BODY_DEADLINE_S."
    if values["page_lifetime_s"] < values["token_lifetime_s"]:
        yield (
            f"{PREFIX}PAGE_LIFETIME_S must not be less than {PREFIX}TOKEN_LIFETIME_S."
        )
    if values["body_memory_bytes"] < values["device_body_bytes"]:
        yield (
            f"{PREFIX}BODY_MEMORY_BYTES must not be less than "
            f"{PREFIX}DEVICE_BODY_BYTES."
        )
    yield from _tls_contradictions(values)
    yield from _mqtt_contradictions(values)


def _mqtt_contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    certificate, key = values["mqtt_certificate"], values["mqtt_key"]
    if (certificate is None) != (key is None):
        yield f"{PREFIX}MQTT_CERTIFICATE and {PREFIX}MQTT_KEY must be set together."
    if values["mqtt_password"] and values["mqtt_password_file"]:
        yield (
            f"{PREFIX}MQTT_PASSWORD and {PREFIX}MQTT_PASSWORD_FILE exclude each other."
        )
    is_plain = not values["mqtt_url"].startswith("mqtts:")
    if is_plain and (certificate or values["mqtt_ca"]):
        yield f"{PREFIX}MQTT_URL must begin with mqtts: where certificates are set."


def _tls_contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    certificate, key = values["tls_certificate"], values["tls_key"]
    if (certificate is None) != (key is None):
        yield f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY must be set together."
    if certificate is not None and not values["public_url"].startswith("https:"):
        yield f"{PREFIX}PUBLIC_URL must be https where {PREFIX}TLS_CERTIFICATE is set."


def make_data_dir(settings: Settings) -> Path:
    """Create the data folder for its owner alone, and return it.

    Raises:
        SettingsError: where the folder cannot be made.

    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}DATA_DIR cannot be created: {error.strerror}."
        ) from None
    return settings.data_dir


def shown(settings: Settings) -> dict[str, str]:
    """Return each variable and the text that would set it, secrets masked."""
    return {
        setting.variable: _text(getattr(settings, setting.name), setting.name)
        for setting in SETTINGS
    }


def _text(value: object, name: str) -> str:
    if name == "database_url":
        return masked_url(str(value))
    if name == "mqtt_password":
        return MASK if value else ""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(
            "=".join(one) if isinstance(one, tuple) else str(one) for one in value
        )
    return str(value)


def masked_url(url: str) -> str:
    """Return `url` with its password and secret parameters masked."""
    scheme, separator, rest = url.partition("://")
    parts = urlsplit(f"//{rest}")
    netloc = parts.netloc
    user, at, host = netloc.rpartition("@")
    if at and ":" in user:
        netloc = f"{user.split(':', 1)[0]}:{MASK}@{host}"
    query = urlencode(
        [
            (key, MASK if "pass" in key.lower() else value)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        safe="/*",
    )
    return f"{scheme}{separator}{netloc}{parts.path}{'?' if query else ''}{query}"


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = "\n".join(
        f"| `{setting.variable}` | {_default_text(setting)} | {setting.means} |"
        for setting in SETTINGS
    )
    return _PAGE.format(rows=rows)


def _default_text(setting: Setting) -> str:
    return setting.default_means or f"`{setting.default}`"


_PAGE = """\
# Settings

The service reads its settings from environment variables, once, when it starts.
An empty variable counts as absent.
A variable that begins with `FHIR_SERVICE_` and is not in this table is refused, so that a typing error does not go unseen.
`fhir-service serve --show-config` prints what holds, with secrets masked.

| variable | default | what it does |
|---|---|---|
{rows}

This page is printed by `python -m fhir_service.settings`, and a test compares the two.
"""  # noqa: E501 - one sentence a line, in the page

FIELDS = tuple(item.name for item in fields(Settings))
"""The fields in order; a test holds the table against them."""


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201 - this prints the page
