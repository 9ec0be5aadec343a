"""What clients of Kafka call their settings: dotted names of the Java client and of librdkafka to kafka-python's.

One table serves the consumer that reads the stream, the producer of the incidents' topic and the topic of snapshots;
each says which names it knows and where in the configuration they were written.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from detector.errors import ConfigError

# Dotted names that are not kafka-python's with dots for underscores: librdkafka's CONFIGURATION.md, Kafka's consumer
# and producer configuration.
_OTHER_NAMES = {
    "metadata.broker.list": "bootstrap_servers",
    "fetch.wait.max.ms": "fetch_max_wait_ms",
    "fetch.message.max.bytes": "max_partition_fetch_bytes",
    "queue.buffering.max.ms": "linger_ms",
    "message.max.bytes": "max_request_size",
    "message.send.max.retries": "retries",
    "compression.codec": "compression_type",
    "request.required.acks": "acks",
    "socket.receive.buffer.bytes": "receive_buffer_bytes",
    "socket.send.buffer.bytes": "send_buffer_bytes",
    "receive.message.max.bytes": "receive_message_max_bytes",
    "topic.metadata.refresh.interval.ms": "metadata_max_age_ms",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "sasl.kerberos.service.name": "sasl_kerberos_service_name",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.crl.location": "ssl_crlfile",
    "ssl.cipher.suites": "ssl_ciphers",
    "partition.assignment.strategy": "partition_assignment_strategy",
}
SECRETS = ("sasl_plain_password", "ssl_password")


def translated(
    settings: Mapping[str, Any],
    known: Set[str],
    where: str,
    forced: Mapping[str, Any] | None = None,
    withheld: Set[str] = frozenset(),
) -> tuple[dict[str, Any], list[str]]:
    """Settings by kafka-python's names, secrets still as ``…_file``; and what is wrong, a line each.

    Args:
        settings: as written, by any client's names.
        known: kafka-python's own names for this kind of client (``set(KafkaProducer.DEFAULT_CONFIG)``).
        where: the place in the configuration, for the messages: ``source.kafka.consumer``.
        forced: what delivery rests on; the same value may be written down, no other.
        withheld: known names that cannot be set.
    """
    forced = forced or {}
    known = (set(known) - withheld - set(SECRETS)) | {f"{name}_file" for name in SECRETS}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for given, value in settings.items():
        name, value = _translate(given, value)
        if name in forced:
            problem = "" if value == forced[name] else f"is always {forced[name]!r}: nothing is lost only so"
        elif name in SECRETS:
            problem = f"secrets are read from files: write {name}_file"
        elif name in withheld:
            problem = "cannot be set"
        else:
            problem = _unknown(name, known)
        if not problem and name in values:
            problem = "is given twice, by two of its names"
        if problem:
            problems.append(f"{where}.{given}: {problem}")
        else:
            values[name] = value
    if "bootstrap_servers" not in values:
        problems.append(f"{where}: bootstrap_servers is missing")
    return values, problems


def with_secrets(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What :func:`translated` gave, with the files of secrets read; a line end at the end of a file is dropped.

    Raises:
        ConfigError: a file cannot be read, or is not UTF-8.
    """
    read = dict(values)
    problems = []
    for name in SECRETS:
        path = read.pop(f"{name}_file", None)
        if path is None:
            continue
        try:
            read[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            problems.append(f"{where}.{name}_file: {path}: {reason}")
    if problems:
        raise ConfigError(problems)
    return read


def _translate(given: str, value: Any) -> tuple[str, Any]:
    """kafka-python's name of a setting and its value there."""
    if given == "ssl.endpoint.identification.algorithm":
        return "ssl_check_hostname", value not in ("", "none", None)
    plain = given.removesuffix("_file") if given.endswith("_file") and "." in given else given
    name = _OTHER_NAMES.get(plain, plain.replace(".", "_"))
    return name + given[len(plain) :], value


def _unknown(name: str, known: Set[str]) -> str:
    if name in known:
        return ""
    near = difflib.get_close_matches(name, sorted(known), 1)
    return "unknown" + (f"; did you mean {near[0]}?" if near else "")
