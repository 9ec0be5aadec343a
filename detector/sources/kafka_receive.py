"""Answers of a broker received where they stay.

kafka-python 3.0.12 reads its sockets 4 kB at a time, joins what came, copies that twice into the place of the answer,
twice out of it, and the records once more; all of that holds the interpreter. Here the socket writes into that place
itself, and the records are read from there: the client's thread spends 0.3 s a million records of 250 bytes, not 1.3
(measured). All else stays the client's own: it sees the first bytes of an answer, its length among them, and the last.

TLS keeps the client's way: of what its library has decrypted already no socket tells.
"""

from __future__ import annotations

from typing import Any

HEAD_BYTES = 4096  # as the client: an answer no longer than that it mostly reads alone
TURN_BYTES = 4 << 20  # received before others have their turn on the client's thread, heartbeats among them: 1 ms


def receive_in_place(manager: Any) -> None:
    """Makes the connections of a client of kafka-python, still to be opened, receive in place where that is possible.

    Args:
        manager: its ``KafkaConnectionManager``.
    """
    build = manager._build_transport
    _leave_records()

    async def built(*args: Any, **options: Any) -> Any:
        """The client's transport, hooked."""
        transport = await build(*args, **options)
        if not unsupported(transport):
            _hook(transport)
        return transport

    manager._build_transport = built


def unsupported(transport: Any) -> str:
    """Why a transport must be left as it is, empty where it need not: the private parts used here, looked at."""
    from kafka.net.transport import KafkaTCPTransport

    if type(transport) is not KafkaTCPTransport:
        return type(transport).__name__
    missing = [name for name in ("_sock", "_protocol", "_sock_recv") if not hasattr(transport, name)]
    return f"the transport has no {missing[0]}" if missing else ""


def _hook(transport: Any) -> None:
    receive = transport._sock_recv

    def received() -> tuple[bytes, Any]:
        frame = _unfinished(transport)
        try:
            if frame is not None and not _fill(transport._sock, frame):
                return b"", None
            data = transport._sock.recv(HEAD_BYTES)
        except (BlockingIOError, InterruptedError):
            return b"", None
        except OSError:
            data = b""
        if data:
            return data, None
        end: tuple[bytes, Any] = receive()  # meets it as well, and says it in the client's words
        return end

    transport._sock_recv = received


def _unfinished(transport: Any) -> Any:
    """The answer that is being received; None where none is, or the client does not keep it as it did."""
    parser = getattr(transport._protocol, "parser", None)
    frame = getattr(parser, "_rbuffer", None) if getattr(parser, "_receiving", False) else None
    if not isinstance(frame, bytearray) or not hasattr(frame, "seek"):
        return None
    if "read" not in vars(frame):
        vars(frame)["read"] = _reader(frame)
    return frame


def _fill(sock: Any, frame: Any) -> bool:
    """Receives all but the last byte of an answer, which the client must see, `TURN_BYTES` at most; whether that is
    all, or the connection has ended, which the client must see too.

    Raises:
        OSError: of the socket, as when there is no more yet; what came before has been kept.
    """
    place, last = frame.tell(), len(frame) - 1
    stop = min(last, place + TURN_BYTES)
    with memoryview(frame) as whole:
        try:
            while place < stop:
                with whole[place:stop] as room:
                    got = sock.recv_into(room)
                if not got:
                    return True
                place += got
        finally:
            frame.seek(place)
    return bool(place >= last)


def _reader(frame: Any) -> Any:
    """``read`` of an answer that gives what is left of it without copying it."""
    read = type(frame).read

    def lean(size: int | None = None) -> Any:
        if size is not None:
            return read(frame, size)
        rest = memoryview(frame)[frame.tell() :]
        frame.seek(len(frame))
        return rest

    return lean


def _leave_records() -> None:
    """Makes the client leave the records of an answer where they are: its decoder copies them, and reads the copy.

    For all consumers of this process, as the decoder is one for all; they only ever read slices of them. Where the
    client's code does not look as it did nothing changes.
    """
    from kafka.protocol.consumer import FetchResponse
    from kafka.protocol.schemas.fields.codecs import Bytes

    class Left(Bytes):  # type: ignore[misc]
        """Bytes that stay where they are."""

        @classmethod
        def emit_decode_from(cls, ctx: Any, var_name: str, indent: str, compact: bool = False) -> None:
            """The client's own lines without the copy."""
            before = len(ctx.lines)
            super().emit_decode_from(ctx, var_name, indent, compact=compact)
            ctx.lines[before:] = [line.replace(" = bytes(data[", " = (data[") for line in ctx.lines[before:]]

    try:
        topics = FetchResponse._struct.fields["responses"].array_of
        records = topics.fields["partitions"].array_of.fields["records"]
        compiled = FetchResponse._struct._compiled_encoders
        if records._type is Bytes:
            records._type = Left
            for key in [key for key in compiled if key[0] == "decode"]:
                del compiled[key]
    except (AttributeError, KeyError, TypeError):
        return
