"""How fast messages of a real broker become durable Observations.

A Mosquitto of the bench's own holds the messages of a session before the clock starts;
then the subscriber takes them: received, stored, committed, acknowledged. So the
publisher costs nothing of what is measured. Each message is one temperature of one of
the sensors of one patient.

https://mosquitto.org/man/mosquitto-conf-5.html
"""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fhir_service.bench.figures import Measured
from fhir_service.bench.processes import free_port
from fhir_service.bench.stage import BenchError, Stage
from fhir_service.ingest.messages import MAX_MESSAGES, Storing
from fhir_service.ingest.mqtt import Broker, Subscriber
from fhir_service.ingest.mqtt_journal import Journal
from mappings.vendors.zigbee2mqtt.device import ZIGBEE_ADDRESS

SENSORS = 20
SESSION = "fhir-service"
FILTER = "zigbee2mqtt/#"
_RECEIVE_MAXIMUM = 2000
_START_S = 20.0
_END_S = 300.0
_KEPT_S = 3600

_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
log_type none
"""


class NoMosquitto(Exception):  # noqa: N818 - a state of the machine, not a fault
    """There is none that can be used on this machine."""


def rate(stage: Stage, folder: Path, messages: int) -> Measured:
    """Return messages a second, from the broker to the acknowledgement.

    Raises:
        NoMosquitto: where the program is not installed.
        BenchError: where a message was not stored.

    """
    [patient] = stage.add_patients(1)
    for number in range(SENSORS):
        stage.create(_device(patient, number))
    with _mosquitto(folder) as port:
        _hold(port, messages)
        seconds = _taken(stage, port, messages)
    return Measured(
        key="mqtt.rate",
        value=messages / seconds,
        note=f"{messages} messages of {SENSORS} sensors, QoS 1, one subscriber",
    )


def _device(patient: str, number: int) -> dict[str, object]:
    address = f"00:15:8D:00:00:00:00:{number:02X}"
    return {
        "resourceType": "Device",
        "identifier": [{"system": ZIGBEE_ADDRESS, "value": address}],
        "status": "active",
        "patient": {"reference": f"Patient/{patient}"},
    }


def _message(number: int) -> tuple[str, bytes]:
    topic = f"zigbee2mqtt/0x00158d00000000{number % SENSORS:02x}"
    return topic, b'{"temperature":%d.%02d}' % (15 + number // 100 % 20, number % 100)


@contextmanager
def _mosquitto(folder: Path) -> Iterator[int]:
    """Yield the port of a broker of the bench's own."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        raise NoMosquitto("no Mosquitto on this machine")
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(_CONFIGURATION.format(port=port), encoding="ascii")
    configuration.chmod(0o644)
    process = subprocess.Popen([program, "-c", configuration])  # noqa: S603 - as found
    try:
        _await(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise BenchError("Mosquitto did not start.")


def _hold(port: int, messages: int) -> None:
    """Leave messages with the broker, for a session that is away."""
    session = Client(CallbackAPIVersion.VERSION2, client_id=SESSION, protocol=MQTTv5)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # the library's
    properties.SessionExpiryInterval = _KEPT_S
    subscribed = threading.Event()
    session.on_subscribe = lambda *_: subscribed.set()
    session.connect("127.0.0.1", port, clean_start=False, properties=properties)
    session.loop_start()
    session.subscribe(FILTER, qos=1)
    if not subscribed.wait(_START_S):
        raise BenchError("Mosquitto does not answer.")
    session.disconnect()
    session.loop_stop()
    sender = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    sender.max_inflight_messages_set(_RECEIVE_MAXIMUM)
    sender.connect("127.0.0.1", port)
    sender.loop_start()
    sent = [sender.publish(*_message(number), qos=1) for number in range(messages)]
    for one in sent:
        one.wait_for_publish(_END_S)
    sender.disconnect()
    sender.loop_stop()


def _taken(stage: Stage, port: int, messages: int) -> float:
    """Return the seconds in which a subscriber has stored all messages."""
    services = stage.deployment.services
    broker = Broker(
        host="127.0.0.1",
        port=port,
        client_id=SESSION,
        topics=((FILTER, "zigbee2mqtt"),),
        receive_maximum=_RECEIVE_MAXIMUM,
        session_s=_KEPT_S,
    )
    client = stage.grant(stage.gateway).client_id
    storing = Storing(services=services, client_id=client, gateway=broker.name)
    journal = Journal(
        stage.folder / "mqtt.journal",
        services.repository.content_secret,
        room=_RECEIVE_MAXIMUM + MAX_MESSAGES,
    )
    subscriber = Subscriber(broker, storing, journal, services.clock)
    thread = threading.Thread(target=subscriber.run)
    began = time.perf_counter()
    thread.start()
    try:
        while subscriber.taken < messages:
            if time.perf_counter() - began > _END_S:
                raise BenchError("Messages were not stored.")
            time.sleep(0.01)
        return time.perf_counter() - began
    finally:
        subscriber.stop()
        thread.join()
