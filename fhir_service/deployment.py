"""One deployment opened: its keys, its database and what is built on them.

This is the only place where the parts meet; everything below takes what it needs as
an argument.
"""

import fcntl
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random, SystemRandom

from conformance import fhir_json
from consent.audit.checkpoint import verifier_key
from consent.decision import DefaultPolicy
from consent.policy_version import policy_version
from consent.references import Deployment as Place
from fhir_service import audit_trail
from fhir_service.access import Gate
from fhir_service.audit_trail import AuditIndexer, AuthSink, CheckpointWriter
from fhir_service.auth.endpoints import oauth_uris
from fhir_service.auth.jwks_uri import KeyFetcher
from fhir_service.auth.outgoing import Outgoing, outgoing
from fhir_service.auth.services import AuthServices
from fhir_service.auth.supported_scopes import scopes_supported
from fhir_service.compliance.alert_delivery import Courier
from fhir_service.compliance.alerts import Alerter
from fhir_service.compliance.examinations import Examinations
from fhir_service.compliance.integrity import LogKey
from fhir_service.compliance.log_watch import LogWatch
from fhir_service.compliance.watch import Watch
from fhir_service.exchange import Services
from fhir_service.interactions import capabilities
from fhir_service.interactions.received import WRITABLE
from fhir_service.metrics import Metrics
from fhir_service.policy_trail import record_policy
from fhir_service.settings import Settings, SettingsError, make_data_dir
from fhir_service.storage import facts, migrations, patients, reindex, relabel
from fhir_service.storage.audit_index import AuditIndex
from fhir_service.storage.audit_log import AuditTail
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.body import RequestSeal, body_codec
from fhir_service.storage.engine import Database, Transaction
from fhir_service.storage.keys import DataKeys, Keys
from fhir_service.storage.pseudonyms import Pseudonyms
from fhir_service.storage.repository import Repository
from mappings.vendors.table import VENDORS

CHECKPOINTS = "checkpoints"
"""Folder of exported checkpoints, in the data folder."""

DAY_US = 86_400_000_000

QUARANTINE = "quarantine"
"""What quarantined payloads are bound to when they are encrypted."""

SECRET = "secret"  # noqa: S105 - a name
"""What sealed secrets of people and of the service are bound to."""

SCOPES = scopes_supported(WRITABLE)
"""What discovery lists; clients ask for these or for parts of them."""


def now_us() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class SchemaError(SettingsError):
    """The database is not this program's, or not that of these keys."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Everything that is open.

    Attributes:
        settings: What the operator chose.
        keys: The key files.
        database: Where everything is.
        services: What interactions need.
        auth: What authorization needs.

    """

    settings: Settings
    keys: Keys
    database: Database
    services: Services
    auth: AuthServices

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are exported."""
        return self.settings.data_dir / CHECKPOINTS

    @property
    def log_key(self) -> LogKey:
        """By what is known that something is of this deployment's log."""
        return LogKey(
            origin=audit_trail.origin_of(self.keys),
            public=self.keys.audit_signing.public_key(),
            digest=self.services.digest,
        )

    @property
    def examinations(self) -> Examinations:
        """What has the log examined."""
        return Examinations(
            self.database, self.log_key, self.checkpoints, self.services.clock
        )

    def checkpoint_writer(self) -> CheckpointWriter:
        """Return what exports checkpoints while the service runs."""
        return CheckpointWriter(
            self.database,
            self.checkpoints,
            self.settings.audit_checkpoint_s,
            self.keys,
            self.services.clock,
        )

    def audit_indexer(self) -> AuditIndexer:
        """Return what brings the log's index up to its end while the service runs."""
        return AuditIndexer(self.database, self.services.audit_index)

    def alert_outgoing(self) -> Outgoing:
        """Return what judges where alerts may be sent, and sends them."""
        settings = self.settings
        return outgoing(settings.public_url, settings.alert_networks)

    def watch(self) -> Watch:
        """Return what explains, alerts and delivers while the service runs."""
        services = self.services
        alerter = Alerter(services)
        return Watch(
            services,
            Courier(
                services,
                self.alert_outgoing(),
                f"{self.settings.public_url}/compliance",
            ),
            LogWatch(
                self.database,
                self.log_key,
                self.examinations,
                alerter,
                services.clock,
            ),
        )


@contextmanager
def opened(settings: Settings) -> Iterator[Deployment]:
    """Open the deployment for a command, and close it."""
    deployment = open_deployment(settings)
    try:
        yield deployment
    finally:
        deployment.database.close()


def open_deployment(
    settings: Settings,
    *,
    clock: Callable[[], int] = now_us,
    random: Random | None = None,
    metrics: Metrics | None = None,
) -> Deployment:
    """Return the deployment, its schema current, its keys made on first use.

    Args:
        settings: What the operator chose.
        clock: Microseconds since 1970.
        random: Steps between rows; the operating system's generator where None.
        metrics: Counts what happens; its own where None.

    Raises:
        SchemaError: where the schema is not this program's; an empty database is
            given it.

    """
    make_data_dir(settings)
    with alone(settings.data_dir):
        keys = Keys.load_or_create(settings.keys_dir)
        database = Database(settings.database_url)
        _check_schema(database)
        if database.url.database and settings.is_sqlite:
            Path(database.url.database).chmod(0o600)
    deployment = _assemble(
        settings,
        keys,
        database,
        clock,
        random or SystemRandom(),
        metrics or Metrics(sources=VENDORS),
    )
    if not reindex.is_current(database):
        raise SchemaError("The search index is another one: run fhir-service migrate.")
    if not relabel.is_current(database):
        raise SchemaError("The labels are of before: run fhir-service migrate.")
    with alone(settings.data_dir):
        record_policy(
            database,
            deployment.services.seal,
            policy_version(
                DefaultPolicy(settings.default_policy), str(settings.time_zone)
            ),
            clock,
        )
    return deployment


def migrate(settings: Settings, told: Callable[[int], None]) -> int:
    """Bring schema, labels and search index up to date; return how many were indexed.

    Args:
        settings: What the operator chose.
        told: Called with the number of resources that are indexed so far.

    """
    make_data_dir(settings)
    with alone(settings.data_dir):
        keys = Keys.load_or_create(settings.keys_dir)
        database = Database(settings.database_url)
        try:
            migrations.upgrade(database.engine)
            deployment = _assemble(
                settings,
                keys,
                database,
                now_us,
                SystemRandom(),
                Metrics(sources=VENDORS),
            )
            repository = deployment.services.repository
            if not relabel.is_current(database):
                relabel.relabel(database, repository, told)
            if reindex.is_current(database):
                return 0
            return reindex.reindex(database, repository, told)
        finally:
            database.close()


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Let one process at a time make keys and schema in a data folder."""
    with (data_dir / ".opening").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_schema(database: Database) -> None:
    applied = migrations.applied(database.engine)
    if applied is None:
        migrations.upgrade(database.engine)
    elif applied != migrations.newest():
        raise SchemaError("The schema is of another version: run fhir-service migrate.")


def _initialise(database: Database, keys: Keys, data_keys: DataKeys) -> None:
    """Compare the keys with the database's, and make what every database has."""

    def work(transaction: Transaction) -> bool:
        if not facts.agree(transaction, "keys", keys.identity):
            return False
        patients.create_shared(transaction, data_keys.new)
        return True

    if not database.write(work):
        raise SchemaError(
            "The keys in the data folder are not those of this database: restore the "
            "folder that belongs to it."
        )


def _assemble(  # noqa: PLR0913, PLR0917 - the parts that meet here
    settings: Settings,
    keys: Keys,
    database: Database,
    clock: Callable[[], int],
    random: Random,
    metrics: Metrics,
) -> Deployment:
    blind = BlindIndex(keys.index)
    data_keys = DataKeys(keys, patients.data_key)
    base_url = f"{settings.public_url}/fhir"
    repository = Repository(
        codec=body_codec(data_keys, encrypt=settings.encrypt_bodies),
        payloads=body_codec(data_keys, encrypt=True, table=QUARANTINE),
        blind=blind,
        deployment=Place(zone=settings.time_zone, own_bases=(base_url,)),
        clock=clock,
        random=random,
    )
    database.tail = AuditTail(audit_trail.signer(keys, clock))
    _initialise(database, keys, data_keys)
    seal = RequestSeal(data_keys)
    auth = AuthServices(
        database=database,
        audit=AuthSink(database=database, seal=seal, pseudonym=blind.pseudonym),
        secrets=RequestSeal(data_keys, SECRET),
        clock=clock,
        random=secrets.token_bytes,
        public_url=settings.public_url,
        scopes_supported=SCOPES,
        fetcher=KeyFetcher(outgoing(settings.public_url, settings.jwks_networks)),
        token_lifetime_s=settings.token_lifetime_s,
        refresh_lifetime_s=settings.refresh_lifetime_s,
        session_lifetime_s=settings.session_lifetime_s,
        second_factor_roles=frozenset(settings.second_factor_roles),
    )
    pseudonyms = Pseudonyms(blind.pseudonym)
    gate = Gate(
        repository, DefaultPolicy(settings.default_policy), clock, metrics.failed
    )
    database.on_lost_work.append(gate.forget)
    database.on_rollback.append(gate.forget)
    database.on_rollback.append(lambda: metrics.failed("durability"))
    services = Services(
        database=database,
        repository=repository,
        gate=gate,
        base_url=base_url,
        page_key=keys.page_token,
        pseudonym=blind.pseudonym,
        seal=seal,
        clock=clock,
        metrics=metrics,
        capabilities=cache(
            lambda: fhir_json.dumps(
                capabilities.statement(
                    base_url, oauth_uris(auth), update_creates=settings.update_creates
                )
            )
        ),
        page_lifetime_s=settings.page_lifetime_s,
        audit_key=verifier_key(
            audit_trail.origin_of(keys), keys.audit_signing.public_key()
        ),
        audit_index=AuditIndex(pseudonyms.custodian, blind.seal),
        digest=blind.seal,
        pseudonyms=pseudonyms,
        raw_lifetime_us=settings.raw_payload_days * DAY_US,
        update_creates=settings.update_creates,
        heartbeats=settings.data_dir / CHECKPOINTS / audit_trail.HEARTBEATS,
        awaits_audit=settings.audit_wait == "durable",
    )
    return Deployment(
        settings=settings,
        keys=keys,
        database=database,
        services=services,
        auth=auth,
    )
