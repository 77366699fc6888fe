"""Messages of a real broker: stored, then acknowledged; none lost, none twice."""

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokers import Mosquitto, publish, publisher, require_mosquitto
from certificates import certificate_for
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from sqlalchemy import func, select

from consent.audit.entry import Interaction
from fhir_service.commands import mqtt as command
from fhir_service.ingest import messages as ingest_messages
from fhir_service.ingest.messages import Message, Storing, UnavailableError
from fhir_service.ingest.mqtt import Broker, Subscriber, SubscriptionError
from fhir_service.ingest.mqtt_journal import Journal
from fhir_service.settings import SettingsError, read_settings
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import (
    audit_entry,
    observation_time,
    quarantine,
)
from mappings.vendors.zigbee2mqtt.device import ZIGBEE_ADDRESS

ADDRESS = "00:15:8D:00:01:02:03:04"
TOPIC = "zigbee2mqtt/0x00158d0001020304"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def _mosquitto():
    require_mosquitto()


@pytest.fixture
def broker(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    found = Mosquitto(folder)
    found.start()
    yield found
    found.kill()


@pytest.fixture
def home(clinic):
    """Return the clinic with a sensor in a room of its patient."""
    clinic.consented()
    room = clinic.world.create(
        {"resourceType": "Location", "status": "active", "name": "Bedroom"},
        clinic.admin,
    )
    clinic.world.create(
        {
            "resourceType": "Device",
            "identifier": [{"system": ZIGBEE_ADDRESS, "value": ADDRESS}],
            "status": "active",
            "patient": {"reference": f"Patient/{clinic.patient}"},
            "location": {"reference": f"Location/{room['id']}"},
        },
        clinic.admin,
    )
    return clinic


def at(port, **more):
    return Broker(
        host="127.0.0.1",
        port=port,
        client_id="fhir-service",
        topics=(("zigbee2mqtt/#", "zigbee2mqtt"),),
        session_s=3600,
        **more,
    )


class Failures(list):
    """What has ended a subscriber."""

    def __init__(self, subscriber):
        super().__init__()
        self.subscriber = subscriber


@contextmanager
def subscribed(home, broker, storing=None):
    """Run a subscriber in a thread, until it is told to stop."""
    deployment = home.world.deployment
    subscriber = Subscriber(
        broker,
        storing or to_store(home),
        Journal(home.world.data / "mqtt.journal", b"k" * 32, room=3000),
        deployment.services.clock,
    )
    failures = Failures(subscriber)

    def run():
        try:
            subscriber.run()
        except SubscriptionError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failures
    finally:
        subscriber.stop()
        thread.join(30)
        assert not thread.is_alive()


def to_store(home, client_id="gateway"):
    services = home.world.deployment.services
    return Storing(services=services, client_id=client_id, gateway="mqtt test")


def temperature(number):
    return (TOPIC, b'{"temperature":%d.%02d}' % (10 + number // 100, number % 100))


def counted(database, table=observation_time):
    count = Statement(select(func.count()).select_from(table))
    with database.read() as snapshot:
        [(found,)] = snapshot.all(count)
    return found


def waited(ready, seconds=30.0):
    """Wait until something is so; return whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.02)
    return False


def settle(database):
    """Wait until nothing more is written: what is sent again is acknowledged too."""
    before, since = -1, time.monotonic()
    end = since + 90
    while time.monotonic() < min(since + 2, end):
        now = counted(database, audit_entry)
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.1)


def unacknowledged(port, client_id="fhir-service"):
    """Return whether a session still waits for messages, by looking what it is sent."""
    found = []
    client = publisher_of_session(port, client_id, found)
    time.sleep(0.5)
    client.disconnect()
    client.loop_stop()
    return found


def publisher_of_session(port, client_id, found):
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTv5,
        manual_ack=True,
    )
    client.on_message = lambda _client, _data, message: found.append(message.payload)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    return client


def is_subscribed(home, port):
    """Publish something of a topic that nobody reads until it arrives."""
    database = home.world.deployment.database
    before = counted(database)
    publish(port, [(TOPIC, b'{"humidity":40.5}')])
    return waited(lambda: counted(database) > before, 5)


def test_a_message_is_stored_with_the_time_of_its_coming_and_audited(home, broker):
    with subscribed(home, at(broker.port)):
        assert waited(lambda: is_subscribed(home, broker.port))

    [found] = home.found("Observation?_count=5")
    assert found["valueQuantity"]["value"] == 40.5
    assert found["effectiveDateTime"].startswith("2026-11-20T12:00:00")
    [record] = [
        one
        for one in home.world.audited()
        if one.interaction is Interaction.INGEST and one.counts
    ]
    assert (record.client, record.request) == ("gateway", "mqtt zigbee2mqtt")
    assert record.counts == (("stored", 1),)
    assert unacknowledged(broker.port) == []


def test_many_messages_share_a_transaction_and_each_is_kept(home, broker):
    database = home.world.deployment.database
    with subscribed(home, at(broker.port)):
        assert waited(lambda: is_subscribed(home, broker.port))
        publish(broker.port, [temperature(number) for number in range(300)])

        assert waited(lambda: counted(database) == 301)

    batches = [
        one for one in home.world.audited() if one.interaction is Interaction.INGEST
    ]
    assert len(batches) < 60


def test_a_retained_message_is_told_from_news_and_not_dated_by_its_coming(home, broker):
    publish(broker.port, [temperature(1)], retain=True)
    database = home.world.deployment.database

    with subscribed(home, at(broker.port)):
        assert waited(lambda: counted(database, quarantine) == 1)

    assert counted(database) == 0
    with database.read() as snapshot:
        [row] = snapshot.all(Statement(select(quarantine.c.reason)))
    assert row == ("no-time",)


def test_a_shared_subscription_divides_the_messages(home, broker):
    database = home.world.deployment.database
    with subscribed(home, at(broker.port, group="fhir")):
        assert waited(lambda: is_subscribed(home, broker.port))
        publish(broker.port, [temperature(number) for number in range(20)])

        assert waited(lambda: counted(database) == 21)


def test_a_message_that_is_not_json_spoils_no_other_one(home, broker):
    database = home.world.deployment.database
    bad = [b"\xff\xfe", b"{", b"\x00", b"[" * 5000, b'{"a":1,"a":2}', b"NaN", b"{}"]
    with subscribed(home, at(broker.port)):
        assert waited(lambda: is_subscribed(home, broker.port))
        publish(
            broker.port,
            [(TOPIC, body) for body in bad] + [temperature(1), ("zigbee2mqtt/x", b"1")],
        )

        assert waited(lambda: counted(database) == 2)
        assert waited(lambda: counted(database, quarantine) == 7)

    assert unacknowledged(broker.port) == []


def test_a_message_that_breaks_its_parser_is_kept_and_acknowledged(
    home, broker, monkeypatch
):
    real = ingest_messages.arrive

    def breaking(services, arrival):
        if b"poison" in arrival.body:
            raise RuntimeError
        return real(services, arrival)

    monkeypatch.setattr(ingest_messages, "arrive", breaking)
    database = home.world.deployment.database
    with subscribed(home, at(broker.port)):
        assert waited(lambda: is_subscribed(home, broker.port))
        sent = [temperature(number) for number in range(9)]
        publish(broker.port, [*sent[:5], (TOPIC, b'{"poison":1}'), *sent[5:]])

        assert waited(lambda: counted(database) == 10)
        assert waited(lambda: counted(database, quarantine) == 1)

    assert unacknowledged(broker.port) == []


class Away(Storing):
    """A database that does not answer for the first calls."""

    calls = 0

    def store(self, messages):
        type(self).calls += 1
        if self.calls <= 3:
            raise UnavailableError
        super().store(messages)


def test_nothing_is_acknowledged_while_the_database_does_not_answer(home, broker):
    services = home.world.deployment.services
    database = home.world.deployment.database
    Away.calls = 0
    storing = Away(services=services, client_id="gateway", gateway="mqtt test")
    with subscribed(home, at(broker.port), storing):
        time.sleep(0.5)
        publish(broker.port, [temperature(1)])

        assert waited(lambda: counted(database) == 1)

    assert Away.calls == 4
    assert unacknowledged(broker.port) == []


def test_a_client_that_was_removed_stores_nothing_and_loses_nothing(home, broker):
    storing = to_store(home, "nobody")
    with subscribed(home, at(broker.port), storing):
        time.sleep(0.5)
        publish(broker.port, [temperature(1)])
        time.sleep(0.8)

    assert counted(home.world.deployment.database) == 0
    assert unacknowledged(broker.port) == [temperature(1)[1]]


def test_what_is_sent_again_over_a_new_connection_is_stored_once(home, broker):
    """The broker takes the connection away before anything is acknowledged."""
    database = home.world.deployment.database
    held, go = threading.Event(), threading.Event()

    class Slow(Storing):
        def store(self, messages):
            super().store(messages)
            held.set()
            go.wait(20)

    storing = Slow(
        services=home.world.deployment.services,
        client_id="gateway",
        gateway="mqtt test",
    )
    with subscribed(home, at(broker.port), storing):
        time.sleep(0.5)
        publish(broker.port, [temperature(1)])
        assert held.wait(10)
        take_over(broker.port)
        time.sleep(2.5)
        go.set()
        time.sleep(1.0)

    assert counted(database) == 1
    assert unacknowledged(broker.port) == []


def take_over(port):
    """Connect under the name of the subscriber, so that the broker lets it go."""
    found = []
    client = publisher_of_session(port, "fhir-service", found)
    time.sleep(0.3)
    client.disconnect()
    client.loop_stop()


def test_a_broker_that_refuses_the_subscription_ends_the_subscriber(home, broker):
    refusal = ReasonCode(PacketTypes.SUBACK, "Not authorized")
    with subscribed(home, at(broker.port)) as failures:
        # No rule of Mosquitto's own refuses a subscription, so its word is put in.
        subscriber = failures.subscriber
        subscriber._client.on_subscribe(None, None, 1, [refusal], None)

        assert waited(lambda: bool(failures), 10)


def test_the_journal_remembers_times_over_the_end_of_the_process(tmp_path):
    path = tmp_path / "folder" / "journal"
    first = Journal(path, b"secret", room=2)
    keys = [first.key(number, "t", b"p") for number in range(3)]
    first.write([(key, 100 + at) for at, key in enumerate(keys)])

    second = Journal(path, b"secret", room=2)

    assert [second.received_us(key) for key in keys] == [None, 101, 102]
    assert path.stat().st_mode & 0o777 == 0o600
    assert Journal(path, b"another", room=2).key(0, "t", b"p") != keys[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert Journal(path, b"secret", room=2).received_us(keys[1]) == 101


def test_a_repetition_is_told_from_another_message_by_number_topic_and_payload():
    journal = Journal(Path("/nonexistent/journal"), b"secret", room=2)
    keys = {
        journal.key(1, "t", b"p"),
        journal.key(2, "t", b"p"),
        journal.key(1, "u", b"p"),
        journal.key(1, "t", b"q"),
    }

    assert len(keys) == 4


def test_messages_that_come_together_differ_in_time():
    one = Message("x", "t", b"1", 1_000_000, False, 0, b"")  # noqa: FBT003 - a column

    told = ingest_messages.envelope(one._replace(received_us=1_700_000_000_000_123))

    assert told == {
        "topic": "t",
        "payload": "1",
        "received_at": "2023-11-14T22:13:20.000123Z",
        "retain": False,
    }


# TLS


@pytest.fixture
def secure(tmp_path):
    folder = tmp_path / "secure"
    folder.mkdir()
    chain, key = certificate_for("127.0.0.1", folder)
    found = Mosquitto(
        folder,
        more=f"cafile {chain}\ncertfile {chain}\nkeyfile {key}",
    )
    found.start()
    yield found
    found.kill()


def broker_settings(tmp_path, port, **more):
    return read_settings(
        {
            "FHIR_SERVICE_DATA_DIR": str(tmp_path),
            "FHIR_SERVICE_MQTT_URL": f"mqtts://127.0.0.1:{port}",
            "FHIR_SERVICE_MQTT_TOPICS": "zigbee2mqtt/#=zigbee2mqtt",
            "FHIR_SERVICE_MQTT_ACTING_CLIENT": "gateway",
            **{f"FHIR_SERVICE_MQTT_{name}": text for name, text in more.items()},
        }
    )


def certificate_of(secure):
    return str(secure.folder / "chain.pem")


def test_a_broker_whose_certificate_is_known_is_spoken_to_over_tls(
    home, secure, tmp_path
):
    settings = broker_settings(tmp_path, secure.port, CA=certificate_of(secure))
    database = home.world.deployment.database

    with subscribed(home, command.broker_of(settings)):
        time.sleep(1)
        publish_securely(secure)

        assert waited(lambda: counted(database) == 1)


def publish_securely(secure):
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.tls_set_context(ssl.create_default_context(cafile=certificate_of(secure)))
    client.connect("127.0.0.1", secure.port)
    client.loop_start()
    client.publish(*temperature(1), qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


# The library leaves a socket whose handshake fails to the collector of garbage.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_broker_whose_certificate_nobody_knows_is_not_spoken_to(
    home, secure, tmp_path, capsys
):
    settings = broker_settings(tmp_path, secure.port)
    database = home.world.deployment.database

    with subscribed(home, command.broker_of(settings)):
        time.sleep(1)
        publish_securely(secure)
        time.sleep(1)

    assert counted(database) == 0
    assert "mqtt-connected" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"TOPICS": ""}, "MQTT_TOPICS must be set"),
        ({"ACTING_CLIENT": ""}, "MQTT_ACTING_CLIENT must be set"),
        ({"URL": ""}, "MQTT_URL must be set"),
        ({"CA": "/nonexistent.pem"}, "MQTT_CA: the file cannot be read"),
        ({"CA": __file__}, "no certificates"),
        ({"PASSWORD_FILE": "/nonexistent"}, "MQTT_PASSWORD_FILE: the file cannot"),
    ],
)
def test_a_setting_that_is_missing_or_cannot_be_read_is_named(tmp_path, more, says):
    settings = broker_settings(tmp_path, 1, **more)

    with pytest.raises(SettingsError, match=says):
        command.broker_of(settings)


def test_the_password_is_the_first_line_of_its_file(tmp_path):
    file = tmp_path / "password"
    file.write_text("hidden\nmore\n")
    settings = broker_settings(tmp_path, 1, USER="me", PASSWORD_FILE=str(file))

    found = command.broker_of(settings)

    assert (found.user, found.password) == ("me", "hidden")
    assert "hidden" not in repr(found)


# The end of a process


def started(home, port, **more):
    """Start `fhir-service mqtt` over the world's own data folder."""
    environment = {
        **os.environ,  # noqa: TID251 - of another process
        "FHIR_SERVICE_DATA_DIR": str(home.world.data),
        "FHIR_SERVICE_MQTT_URL": f"mqtt://127.0.0.1:{port}",
        "FHIR_SERVICE_MQTT_TOPICS": "zigbee2mqtt/#=zigbee2mqtt",
        "FHIR_SERVICE_MQTT_ACTING_CLIENT": "gateway",
        **{f"FHIR_SERVICE_MQTT_{name}": text for name, text in more.items()},
    }
    with (home.world.data / "mqtt.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", "from fhir_service.cli import main; main()", "mqtt"],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=ROOT,
        )


def log_of(home):
    return (home.world.data / "mqtt.log").read_text()


def is_connected(home, times=1):
    return waited(lambda: log_of(home).count('"mqtt-connected"') >= times, 30)


def ended(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_service_killed_in_the_middle_loses_nothing_and_stores_nothing_twice(
    home, broker
):
    database = home.world.deployment.database
    service = started(home, broker.port)
    assert is_connected(home)
    time.sleep(0.5)
    sender = publisher(broker.port)
    sent = []
    for number in range(4000):
        topic, body = temperature(number % 1500)
        sent.append(sender.publish(topic, body, qos=1))
        if number in {1000, 2000, 3000}:
            assert waited(lambda: counted(database) > 0)
            service.kill()
            service.wait()
            service = started(home, broker.port)
    for one in sent:
        one.wait_for_publish(60)
    sender.disconnect()
    sender.loop_stop()

    complete = waited(lambda: counted(database) >= 4000, 60)
    settle(database)
    ended(service)

    assert complete
    assert counted(database) == 4000
    assert unacknowledged(broker.port) == []


def test_a_broker_killed_in_the_middle_is_subscribed_to_again_within_five_seconds(
    home, broker
):
    database = home.world.deployment.database
    service = started(home, broker.port)
    assert is_connected(home)
    time.sleep(0.5)
    publish(broker.port, [temperature(number) for number in range(500)])
    time.sleep(1.5)  # Mosquitto saves once a second.
    broker.kill()
    broker.start()
    began = time.monotonic()
    again = is_connected(home, 2)
    seconds = time.monotonic() - began
    publish(broker.port, [temperature(number) for number in range(500, 600)])

    complete = waited(lambda: counted(database) >= 600, 30)
    ended(service)

    assert again
    assert seconds < 5
    assert complete
    assert counted(database) == 600


def test_sigterm_ends_it_and_what_came_meanwhile_waits_with_the_broker(home, broker):
    database = home.world.deployment.database
    service = started(home, broker.port)
    assert is_connected(home)
    time.sleep(0.5)
    ended(service)
    publish(broker.port, [temperature(1)])

    service = started(home, broker.port)
    came = waited(lambda: counted(database) == 1)
    ended(service)

    assert came


def test_the_command_says_what_keeps_it_from_beginning(home, broker):
    stranger = started(home, broker.port, ACTING_CLIENT="nobody")
    other = started(home, broker.port, TOPICS="a/#=no-source")

    assert (stranger.wait(30), other.wait(30)) == (2, 2)
    told = log_of(home)
    assert "FHIR_SERVICE_MQTT_ACTING_CLIENT is no active client." in told
    assert "FHIR_SERVICE_MQTT_TOPICS: no-source is no source here." in told
