"""The subscriber: MQTT 5 messages are stored, and then acknowledged.

A message of QoS 1 is acknowledged once the transaction that holds it is committed, in
the order in which the messages came (MQTT 5 §4.6). What was not acknowledged is sent
again by the broker: it is then known as what waits here or is stored, and after the end
of the process by the time at which it came first, so that nothing is stored twice. An
acknowledgement belongs to the connection on which its message came last: another one
may have given the number anew.

While the database does not answer nothing is acknowledged, and the broker keeps what it
may not send yet: no more than the receive maximum is ever in flight.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
https://eclipse.dev/paho/files/paho.mqtt.python/html/
"""

import queue
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTv5,
    topic_matches_sub,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from fhir_service.ingest.messages import (
    Message,
    Storing,
    UnavailableError,
    gathered,
)
from fhir_service.ingest.mqtt_journal import Journal
from fhir_service.logs import describe

MAX_PACKET_BYTES = 1024 * 1024
"""Of a message; the broker is told, and sends no longer one (MQTT 5 §3.1.2.11.4)."""

MAX_UNACKNOWLEDGED = 10_000
"""Messages that wait before one of QoS 0 is dropped, which nobody sends again."""


KEEP_ALIVE_S = 15
RECONNECT_S = (1, 2)
"""Shortest and longest pause before the broker is asked again."""

RETRY_S = (0.25, 5.0)
"""Shortest and longest pause before messages are stored again."""

_REFUSED = 0x80
"""Reason codes from here on are refusals (MQTT 5 §2.4)."""

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where messages come from.

    Attributes:
        host: Its name or address.
        port: Where it listens.
        tls: What verifies it; None for plain TCP.
        user: User name; empty for none.
        password: Its password.
        client_id: Name of the session.
        group: Name of the shared subscription; empty for none.
        topics: Filters, and the source of what comes under each.
        receive_maximum: Messages in flight.
        session_s: Seconds for which the broker keeps the session.

    """

    host: str
    port: int
    client_id: str
    topics: Sequence[tuple[str, str]]
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    group: str = ""
    receive_maximum: int = 2000
    session_s: int = 0

    @property
    def name(self) -> str:
        """Return what Provenance calls it."""
        return f"mqtt {self.host}:{self.port}"


class SubscriptionError(Exception):
    """The broker lets nobody subscribe to what is wanted."""


class Subscriber:
    """One connection to a broker, renewed for as long as it runs.

    `run` stores in the thread that calls it; the library's own thread receives.

    Attributes:
        taken: Messages that were stored or kept in quarantine.

    """

    def __init__(
        self,
        broker: Broker,
        storing: Storing,
        journal: Journal,
        clock: Callable[[], int],
    ) -> None:
        self._broker = broker
        self._storing = storing
        self._clock = clock
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._refused = threading.Event()
        self._session = 0
        self.taken = 0
        self._dropped = 0
        self._newest_us = 0
        self._journal = journal
        self._pending: dict[bytes, int] = {}
        self._stored: set[bytes] = set()
        self._acknowledging = threading.Lock()
        self._client = self._made()

    def _made(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            protocol=MQTTv5,
            manual_ack=True,
        )
        client.reconnect_delay_set(*RECONNECT_S)
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password or None)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        return client

    def run(self) -> None:
        """Receive and store until `stop` is called.

        Raises:
            SubscriptionError: where the broker refuses a subscription.

        """
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # the library's
        properties.SessionExpiryInterval = self._broker.session_s
        properties.ReceiveMaximum = self._broker.receive_maximum
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            keepalive=KEEP_ALIVE_S,
            clean_start=False,
            properties=properties,
        )
        self._client.loop_start()
        try:
            while not self._stopping.is_set():
                self._take(gathered(self._waiting))
        finally:
            self._client.disconnect()
            self._client.loop_stop()
        if self._refused.is_set():
            raise SubscriptionError("The broker refuses a subscription.")

    def stop(self) -> None:
        """End `run` once what is being stored is stored and acknowledged."""
        self._stopping.set()

    def _take(self, messages: list[Message]) -> None:
        """Store and acknowledge; try again until it is done or `stop` is called."""
        pause_s = RETRY_S[0]
        self._journal.write([(one.key, one.received_us) for one in messages if one.key])
        while messages and not self._stopping.is_set():
            try:
                self._storing.store(messages)
            except UnavailableError as error:
                _log.error("mqtt-waiting", count=len(messages), **describe(error))
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, RETRY_S[1])
            else:
                self._acknowledge(messages)
                self.taken += len(messages)
                return

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        with self._acknowledging:
            for message in messages:
                if message.number:
                    self._acknowledge_one(message)

    def _acknowledge_one(self, message: Message) -> None:
        if self._pending.pop(message.key, None) == self._session:
            self._client.ack(message.number, 1)
        else:
            self._stored.add(message.key)

    def _is_known(self, key: bytes, number: int) -> bool:
        """Whether what the broker sends again waits here, or is stored already."""
        with self._acknowledging:
            if key in self._pending:
                self._pending[key] = self._session
                return True
            if key in self._stored:
                self._stored.discard(key)
                self._client.ack(number, 1)
                return True
        return False

    def _connected(
        self,
        client: Client,
        _userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        """Subscribe, always: the session may be gone, and old news come once."""
        if reason.is_failure:
            _log.warning("mqtt-lost", outcome="refused", status=reason.value)
            return
        _log.info(
            "mqtt-connected", outcome="resumed" if flags.session_present else "new"
        )
        share = f"$share/{self._broker.group}/" if self._broker.group else ""
        options = SubscribeOptions(
            qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        )
        client.subscribe(
            [(f"{share}{topic}", options) for topic, _ in self._broker.topics]
        )

    def _not_connected(self, _client: Client, _userdata: object) -> None:
        _log.warning("mqtt-lost", outcome="unreachable")

    def _disconnected(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        """Let no number of this connection be acknowledged on another one."""
        with self._acknowledging:
            self._session += 1
            if len(self._stored) > MAX_UNACKNOWLEDGED:
                self._stored.clear()
        if not self._stopping.is_set():
            _log.warning("mqtt-lost", outcome="disconnected", status=reason.value)

    def _subscribed(
        self,
        _client: Client,
        _userdata: object,
        _number: int,
        reasons: Sequence[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.value >= _REFUSED for reason in reasons):
            self._refused.set()
            self._stopping.set()

    def _received(
        self, _client: Client, _userdata: object, message: MQTTMessage
    ) -> None:
        topic, payload = message.topic, bytes(message.payload)
        number, key, received_us = 0, b"", None
        if message.qos:
            number = message.mid
            key = self._journal.key(number, topic, payload)
            if message.dup:
                if self._is_known(key, number):
                    return
                received_us = self._journal.received_us(key)
            self._pending[key] = self._session
        elif self._waiting.qsize() >= MAX_UNACKNOWLEDGED:
            self._drop()
            return
        self._waiting.put(
            Message(
                self._source(topic),
                topic,
                payload,
                received_us or self._now_us(),
                message.retain,
                number,
                key,
            )
        )

    def _now_us(self) -> int:
        """Return a time that no other message has: two at once are two readings."""
        self._newest_us = max(self._clock(), self._newest_us + 1)
        return self._newest_us

    def _drop(self) -> None:
        """Say now and then how many messages of QoS 0 found no room."""
        self._dropped += 1
        if self._dropped % MAX_UNACKNOWLEDGED == 1:
            _log.error("mqtt-dropped", count=self._dropped)

    def _source(self, topic: str) -> str:
        """Return how a topic is read: as the first filter that matches says."""
        for wanted, source in self._broker.topics:
            if topic_matches_sub(wanted, topic):
                return source
        return self._broker.topics[0][1]
