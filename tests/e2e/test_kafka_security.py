"""TLS, passwords and rights on a real broker: the right ones read, wrong ones are one error that names the setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ACLOperation, NewTopic, ResourceType

from detector.clock import monotonic
from detector.errors import DetectorError, InputError
from detector.sources.kafka import KafkaSource
from detector.sources.kafka_check import Checked, check_connect
from detector.sources.kafka_settings import KafkaSettings
from detector.sources.kafka_store import TopicStore
from tests.e2e.broker import Unavailable, skip_or_fail
from tests.e2e.broker_security import PASSWORDS, Guarded

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 30.0
VALUE = b'{"path": "/orders/1"}'


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The broker, with a topic that `reader` may read as the group `readers`, and that `nobody` may not."""
    try:
        started = Guarded.start(tmp_path_factory.mktemp("guarded"))
    except Unavailable as why:
        skip_or_fail(why)
    if not started.broker.owned:
        pytest.skip("the broker is not ours to guard")
    with started.broker:
        with KafkaAdminClient(bootstrap_servers=started.broker.bootstrap) as admin:
            admin.create_topics([NewTopic("access", 1, 1), NewTopic("empty", 1, 1)])
            admin.wait_for_topics(["access", "empty"])
        with KafkaProducer(bootstrap_servers=started.broker.bootstrap) as producer:
            producer.send("access", VALUE).get(10)
        started.allow("reader", ResourceType.TOPIC, "access", ACLOperation.READ)
        started.allow("reader", ResourceType.TOPIC, "empty", ACLOperation.READ)
        for group in ("readers", "PLAIN", "SCRAM-SHA-512"):
            started.allow("reader", ResourceType.GROUP, group, ACLOperation.READ)
        started.allow("nobody", ResourceType.TOPIC, "access", ACLOperation.DESCRIBE)
        started.allow("nobody", ResourceType.GROUP, "readers", ACLOperation.DESCRIBE)
        yield started


def settings(consumer: dict[str, Any], topic: str = "access") -> KafkaSettings:
    """A source with these settings of the consumer."""
    return KafkaSettings((topic,), "earliest", consumer)


def first_value(source: KafkaSource) -> bytes:
    """The first record it reads.

    Raises:
        DetectorError: it cannot.
    """
    deadline = monotonic() + PATIENCE_SECONDS
    while monotonic() < deadline:
        for chunk in source.poll(0.2):
            return chunk.buffer.tobytes()[chunk.starts[0] : chunk.starts[0] + chunk.lengths[0]]
    raise AssertionError("nothing read and nothing said")


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_the_right_credentials_read(guarded: Guarded, mechanism: str) -> None:
    """Through TLS, with a password from a file, as a member of a group; checked beforehand step by step."""
    said = settings(guarded.settings(mechanism=mechanism, **{"group.id": mechanism}))
    checked = check_connect(said)
    assert checked.is_ok, checked.lines
    assert checked.value == VALUE
    assert [line.split(":")[0] for line in checked.lines] == [
        "ok source.kafka.consumer.bootstrap_servers",
        "ok source.kafka.topics",
        "ok source.kafka.consumer.group_id",
        "ok source.kafka.topics",
    ]
    source = KafkaSource(said)
    assert first_value(source) == VALUE
    assert source.commit({("access", 0): 1})
    source.close()
    assert check_connect(settings(guarded.settings(mechanism=mechanism), "empty")).value is None


WRONG = [
    ({"sasl.username": "nobody"}, "sasl_plain_username, source.kafka.consumer.sasl_plain_password_file: .*refuses"),
    ({"sasl.mechanism": "SCRAM-SHA-256"}, "sasl_mechanism: .*other mechanisms"),
    ({"ssl.ca.location": "{folder}/other.pem"}, "ssl_cafile: .*signed by nobody known"),
    ({"security.protocol": "SASL_PLAINTEXT"}, "bootstrap_servers: .*no broker answers in 1 s"),
    ({"bootstrap.servers": "{plain}"}, "security_protocol: .*no TLS"),
    ({"bootstrap.servers": "127.0.0.1:1"}, "bootstrap_servers: .*no broker answers in 1 s: .*ECONNREFUSED"),
    ({"sasl.password_file": "{folder}/none"}, "sasl_plain_password_file: .*No such file"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[next(iter(one[0])) + str(n) for n, one in enumerate(WRONG)])
def test_wrong_settings_are_named(guarded: Guarded, change: dict[str, str], message: str) -> None:
    """Password, mechanism, authority, protocol, address: one line that names the setting, soon, without the secret."""
    places = {"folder": guarded.folder, "plain": guarded.broker.bootstrap}
    changed = {name: value.format(**places) for name, value in change.items()}
    said = settings({**guarded.settings(), "bootstrap_timeout_ms": 1_000, **changed})
    began = monotonic()
    with pytest.raises(DetectorError, match=rf"^source\.kafka\.consumer\.{message}") as caught:
        KafkaSource(said)
    assert monotonic() - began < 8
    assert "\n" not in str(caught.value)
    assert not any(secret in str(caught.value) for secret in PASSWORDS.values())
    checked = check_connect(said)
    assert not checked.is_ok
    assert checked.lines == [str(caught.value)]


def check(said: KafkaSettings) -> Checked:
    """A check that takes no longer than it may."""
    began = monotonic()
    checked = check_connect(said)
    assert monotonic() - began < PATIENCE_SECONDS
    return checked


def test_missing_rights_are_named(guarded: Guarded) -> None:
    """No right to read the topic, to see it, or to use the group: said by the source and by the check."""
    may_not = guarded.settings("nobody")
    source = KafkaSource(settings(may_not))
    with pytest.raises(InputError, match=r"^source\.kafka\.topics: .*may not .*TopicAuthorizationFailedError.*access"):
        first_value(source)
    source.close()
    assert check(settings(may_not)).lines[-1].startswith("source.kafka.topics: ")
    with pytest.raises(InputError, match=r"^source\.kafka\.topics: .*no topic empty, or this user may not see it"):
        KafkaSource(settings(may_not, "empty"))
    for group in ("readers", "strangers"):
        source = KafkaSource(settings({**may_not, "group.id": group}))
        with pytest.raises(InputError, match=rf"^source\.kafka\.consumer\.group_id: .*may not.*{group}"):
            first_value(source)
        source.close()
        checked = check(settings({**may_not, "group.id": group}))
        assert not checked.is_ok
        assert any(line.startswith("source.kafka.consumer.group_id: ") for line in checked.lines)


def test_a_topic_for_snapshots_that_may_not_be_made(guarded: Guarded) -> None:
    """The error names the setting and says what to do."""
    with pytest.raises(InputError, match=r"^state\.shared\.topic: snapshots .*cleanup\.policy=compact"):
        TopicStore("snapshots", guarded.settings())
