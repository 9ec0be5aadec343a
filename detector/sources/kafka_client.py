"""Clients of kafka-python: opened so that nothing leaks, and their errors said in one line that names the setting."""

from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from detector.errors import InputError
from detector.sources.kafka_receive import receive_in_place

Partition = tuple[str, int]  # topic, number

WHERE = "source.kafka.consumer"

# What went wrong, by the name of the client's error: the setting that mends it, and what to say. `{at}` is where the
# client's settings are written, `{topics}` where its topic is named.
_MEANING = {
    "SaslAuthenticationFailedError": (
        "{at}.sasl_plain_username, {at}.sasl_plain_password_file",
        "the broker refuses the credentials",
    ),
    "UnsupportedSaslMechanismError": ("{at}.sasl_mechanism", "the broker offers other mechanisms"),
    "IllegalSaslStateError": ("{at}.security_protocol", "the broker speaks another protocol on this port"),
    "SSLCertVerificationError": ("{at}.ssl_cafile", "the broker's certificate is signed by nobody known here"),
    "SSLError": ("{at}.security_protocol", "no TLS could be agreed on"),
    "TopicAuthorizationFailedError": ("{topics}", "this user may not do that with the topic"),
    "GroupAuthorizationFailedError": ("{at}.group_id", "this user may not use the group"),
    "ClusterAuthorizationFailedError": ("{at}.sasl_plain_username", "this user may not do that on the cluster"),
    "InconsistentGroupProtocolError": (
        "source.kafka.sharing",
        "the group's other members share partitions out in another way",
    ),
    "FencedInstanceIdError": ("{at}.group_instance_id", "another member has the same one"),
    "InvalidSessionTimeoutError": ("{at}.session_timeout_ms", "the broker allows 6,000 to 1,800,000 unless told else"),
    "UnknownTopicOrPartitionError": ("{topics}", "the broker has no such topic"),
}
# Trying again does not help; the client would go on until its time is out.
_FINAL = ("SaslAuthenticationFailedError", "UnsupportedSaslMechanismError", "SSLCertVerificationError")


def ours(theirs: Any) -> Partition:
    """A partition in this program's words."""
    return theirs.topic, theirs.partition


def theirs(partition: Partition) -> Any:
    """A partition in kafka-python's words."""
    from kafka.structs import TopicPartition

    return TopicPartition(*partition)


def opened(make: Callable[..., Any], arguments: Mapping[str, Any], at: str = WHERE, in_place: bool = False) -> Any:
    """A client, connected.

    Args:
        make: ``KafkaConsumer``, ``KafkaProducer`` or ``KafkaAdminClient``.
        arguments: its own; ``bootstrap_servers`` among them.
        at: where in the configuration they are written.
        in_place: whether answers are received where they stay, see `kafka_receive`.

    Raises:
        InputError: no broker answers in ``bootstrap_timeout_ms``, or it refuses the credentials, or its certificate is
            no good; said as soon as it is known.
    """
    from kafka.errors import KafkaError
    from kafka.net.compat import KafkaNetClient

    clients: list[Any] = []
    reasons: list[Reason] = []

    def connected(**configs: Any) -> Any:
        clients.append(KafkaNetClient(**configs))
        _watch(clients[-1]._manager, reasons)
        _hear_last_words(clients[-1]._manager)
        if in_place:
            receive_in_place(clients[-1]._manager)
        return clients[-1]

    try:
        return make(**arguments, kafka_client=connected)
    except (KafkaError, OSError, ValueError) as error:
        for client in clients:  # one that could not be made leaves its thread and its sockets behind
            client.close()
        raise InputError(_at_start(arguments, at, reasons, error)) from error


@dataclass(frozen=True)
class Reason:
    """Why something failed: the kind of the error and its words. The error itself would keep sockets alive."""

    kind: str
    words: str

    def meaning(self, at: str = WHERE, topics: str = "source.kafka.topics") -> tuple[str, str]:
        """The setting that mends it, and what it means in one line; no setting where only the client can say."""
        setting, what = _MEANING.get(self.kind, ("", ""))
        return setting.format(at=at, topics=topics), f"{what} ({self.words})" if what else self.words


def _watch(manager: Any, reasons: list[Reason]) -> None:
    """Keeps why connections fail while the client looks for a broker: it tries on and says but that time is out. What
    is final ends the search. Later the last failure of each broker is kept until it answers again."""
    from kafka.errors import KafkaError

    class _RefusedError(KafkaError):  # type: ignore[misc]
        """Trying again is no use."""

    connect = manager.get_connection
    failing: dict[Any, Reason] = {}
    manager._failing = failing

    def watched(node_id: Any, *args: Any, **options: Any) -> Any:
        if not manager.bootstrapped and reasons and reasons[-1].kind in _FINAL:
            raise _RefusedError(reasons[-1].words)
        connection = connect(node_id, *args, **options)

        def failed(error: BaseException) -> None:
            _close_left_behind(error)
            failing[node_id] = _reason(error)
            if not manager.bootstrapped:
                reasons.append(failing[node_id])

        if not getattr(connection, "_watched", False):
            connection._watched = True
            connection.init_future.add_errback(failed)
            connection.init_future.add_callback(lambda _: failing.pop(node_id, None))
        return connection

    manager.get_connection = watched


_CONNECTING = ("sock_connect", "connect", "create_connection", "_build_transport", "_connect")  # of the client


def _close_left_behind(error: BaseException | None) -> None:
    """Closes the sockets of a connection that was never made: 3.0.12 leaves them to the garbage collector."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            for name in ("sock", "transport") if frame.f_code.co_name in _CONNECTING else ():
                value = frame.f_locals.get(name)
                left = getattr(value, "_sock", value)
                if isinstance(left, socket.socket):
                    left.close()
        error = error.__context__


def trouble(client: Any, at: str = WHERE) -> str:
    """Why brokers could not be connected to when that was tried last, a line; empty where all answer."""
    for node_id, reason in list(client._client._manager._failing.items()):
        setting, what = reason.meaning(at)
        return f"{setting or at + '.bootstrap_servers'}: broker {node_id}: {what}"
    return ""


def _hear_last_words(manager: Any) -> None:
    """A broker that refuses somebody says why and hangs up; 3.0.12 throws away what arrives together with the end."""
    build = manager._build_transport

    async def heard(*args: Any, **options: Any) -> Any:
        transport = await build(*args, **options)
        receive = transport._sock_recv

        def received() -> tuple[bytes, Any]:
            data, error = receive()
            return data, None if data else error  # the next call meets the end again

        transport._sock_recv = received
        return transport

    manager._build_transport = heard


def _at_start(arguments: Mapping[str, Any], at: str, reasons: Sequence[Reason], error: BaseException) -> str:
    servers = arguments.get("bootstrap_servers")
    for reason in reversed(reasons):
        setting, what = reason.meaning(at)
        if setting:
            return f"{setting}: Kafka at {servers}: {what}"
    if not reasons:  # not a broker, but what was asked of the client
        setting, what = meaning(error, at)
        return f"{setting or at}: {what}"
    seconds = arguments.get("bootstrap_timeout_ms", 30_000) / 1000
    return f"{at}.bootstrap_servers: Kafka at {servers}: no broker answers in {seconds:g} s: {reasons[-1].words}"


def _reason(error: BaseException) -> Reason:
    """An error's kind, or that of the TLS error which a failed handshake hides, and its words."""
    words = text(error)
    if isinstance(error.__context__, ssl.SSLError):
        error = error.__context__
    kind = type(error).__name__
    for known in (ssl.SSLCertVerificationError, ssl.SSLError):
        if isinstance(error, known):
            return Reason(known.__name__, words)
    return Reason(kind, words)


def meaning(error: BaseException, at: str = WHERE, topics: str = "source.kafka.topics") -> tuple[str, str]:
    """The setting that mends an error, and what it means in one line; no setting where only the client can say."""
    return _reason(error).meaning(at, topics)


@contextmanager
def said(doing: str, at: str = WHERE, topics: str = "source.kafka.topics") -> Iterator[None]:
    """Turns the client's errors into one line that says what was being done; those handled apart pass through."""
    from kafka.errors import (
        CorruptRecordError,
        KafkaError,
        LogTruncationError,
        NoOffsetForPartitionError,
        OffsetOutOfRangeError,
    )

    try:
        yield
    except (CorruptRecordError, LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError):
        raise
    except KafkaError as error:
        setting, what = meaning(error, at, topics)
        raise InputError(
            f"{setting}: Kafka, {doing}: {what}" if setting else f"Kafka, {doing}: {text(error)}"
        ) from error


def text(error: BaseException) -> str:
    """An error's kind and words on one line."""
    words = " ".join(str(error).split())
    return words if type(error).__name__ in words else f"{type(error).__name__}: {words}"
