"""Answers received in place: the same as the client's own, however the bytes come."""

from __future__ import annotations

import socket
import struct
import threading
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.consumer import FetchRequest, FetchResponse
from kafka.protocol.parser import KafkaProtocol

from detector.sources import kafka_receive
from detector.sources.kafka_receive import receive_in_place, unsupported

VERSION = 12
TOPIC = FetchResponse.FetchableTopicResponse
PARTITION = TOPIC.PartitionData


def answer(correlation: int, records: bytes | None) -> bytes:
    """A fetch response as a broker sends it."""
    part = PARTITION(partition_index=0, error_code=0, high_watermark=7, aborted_transactions=[], records=records)
    response = FetchResponse(throttle_time_ms=0, responses=[TOPIC(topic="t", partitions=[part])])
    text = struct.pack(">ib", correlation, 0) + bytes(response.encode(version=VERSION))  # header: no tagged fields
    return struct.pack(">i", len(text)) + text


def transport_of(sock: socket.socket, answers: int, in_place: bool) -> Any:
    """A transport of the client with a parser that waits for so many answers."""
    transport = KafkaTCPTransport(SimpleNamespace(), sock)
    parser = KafkaProtocol(client_id="test")
    for _ in range(answers):
        parser.send_request(FetchRequest(max_wait_ms=0, min_bytes=1, topics=[], version=VERSION))
    transport.set_protocol(SimpleNamespace(parser=parser))
    if in_place:
        kafka_receive._hook(transport)
    return transport


def received(data: bytes, cuts: list[int], answers: int, in_place: bool) -> list[tuple[int, bytes | None]]:
    """What the parser makes of the bytes when they come in pieces: correlation and records of each answer."""
    ours, broker = socket.socketpair()
    ours.setblocking(False)
    found: list[Any] = []
    with ours, broker:
        transport = transport_of(ours, answers, in_place)
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for begin, end in pairwise(edges):
            sender = threading.Thread(target=broker.sendall, args=(data[begin:end],))
            sender.start()
            while sender.is_alive():
                found += take(transport)
            sender.join()
            for _ in range(60):  # turns: more than any of these answers takes
                found += take(transport)
    return [(number, keep(response)) for number, response in found]


def take(transport: Any) -> list[Any]:
    """One turn of the client's reading."""
    data, error = transport._sock_recv()
    assert error is None
    answers: list[Any] = transport._protocol.parser.receive_bytes(data)
    return answers


def keep(response: Any) -> bytes | None:
    """The records of an answer."""
    records = response.responses[0].partitions[0].records
    return None if records is None else bytes(records)


@given(
    st.lists(st.none() | st.binary(max_size=20_000), min_size=1, max_size=4),
    st.lists(st.integers(0, 40_000), max_size=6),
    st.sampled_from([1_000, 1 << 22]),
)
@settings(max_examples=60, deadline=None)
def test_answers_are_those_of_the_client(values: list[bytes | None], cuts: list[int], turn: int) -> None:
    """Answers of any size, cut anywhere, several at a time: the same ones, in the same order."""
    kafka_receive._leave_records()
    data = b"".join(answer(n + 1, value) for n, value in enumerate(values))
    wanted = [(n + 1, value) for n, value in enumerate(values)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_receive, "TURN_BYTES", turn)
        assert received(data, cuts, len(values), in_place=True) == wanted
    assert received(data, cuts, len(values), in_place=False) == wanted


def test_records_lie_where_they_were_received() -> None:
    """A large answer's records are a stretch of memory that may be written to, not a copy."""
    kafka_receive._leave_records()
    ours, broker = socket.socketpair()
    ours.setblocking(False)
    with ours, broker:
        transport = transport_of(ours, 1, in_place=True)
        sender = threading.Thread(target=broker.sendall, args=(answer(1, bytes(300_000)),))
        sender.start()
        found: list[Any] = []
        while not found:
            found = take(transport)
        sender.join()
    records = found[0][1].responses[0].partitions[0].records
    assert isinstance(records, memoryview)
    assert not records.readonly
    assert len(records) == 300_000


def test_a_broker_that_hangs_up_is_the_client_s_to_tell() -> None:
    """The end of a connection, in the middle of an answer, comes back as the client's own error."""
    ours, broker = socket.socketpair()
    ours.setblocking(False)
    with ours:
        transport = transport_of(ours, 1, in_place=True)
        broker.sendall(answer(1, bytes(50_000))[:30_000])
        assert not take(transport)
        assert not take(transport)
        broker.close()
        data, error = transport._sock_recv()
    assert data == b""
    assert "disconnected" in str(error)


def test_tls_keeps_the_client_s_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is changed where the transport is another, or has other parts."""
    assert unsupported(KafkaSSLTransport.__new__(KafkaSSLTransport)) == "KafkaSSLTransport"
    ours, broker = socket.socketpair()
    with ours, broker:
        transport = KafkaTCPTransport(SimpleNamespace(), ours)
        assert unsupported(transport) == ""
        monkeypatch.delattr(KafkaTCPTransport, "_sock_recv")
        assert unsupported(transport) == "the transport has no _sock_recv"


def test_this_client_can_receive_in_place() -> None:
    """The client installed has the parts that are hooked: its transports are built where they are looked for."""
    from kafka.net.manager import KafkaConnectionManager

    assert hasattr(KafkaConnectionManager, "_build_transport")
    manager = SimpleNamespace(_build_transport=None)
    receive_in_place(manager)
    records = FetchResponse._struct.fields["responses"].array_of.fields["partitions"].array_of.fields["records"]
    assert records._type.__name__ == "Left"
