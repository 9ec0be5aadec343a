"""`detector inspect` on a topic of a real broker: what an OpenTelemetry collector sends by default is recognised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import otlp_requests as otlp
from tests.e2e.broker import Broker
from tests.e2e.stream import ROOT, make_topic

pytestmark = pytest.mark.e2e

START = 1_795_000_000_000_000_000
REQUESTS, SPANS = 60, 20


def batch(number: int) -> bytes:
    """One message of the collector's Kafka exporter: some requests of a few clients."""
    spans = [
        (
            START + (SPANS * number + k) * 10**9,
            {
                "client.address": f"203.0.113.{k}",
                "http.request.method": "GET",
                "url.path": f"/people/{1_000 + SPANS * number + k}",
                "http.response.status_code": 200,
                "http.response.body.size": 700,
                "user_agent.original": "Mozilla/5.0",
                "enduser.id": f"desk-{k % 4}",
            },
        )
        for k in range(SPANS)
    ]
    return otlp.spans(*spans).SerializeToString()


def test_a_topic_of_otlp_protobuf(tmp_path: Path, broker: Broker) -> None:
    """Format, envelope, routes and clients are told, and the configuration printed is one that checks and reads it."""
    from kafka import KafkaProducer

    topic = f"otlp-{tmp_path.name.replace('_', '-')}"
    make_topic(broker.bootstrap, topic, 2)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for number in range(REQUESTS):
        producer.send(topic, batch(number), partition=number % 2)
    producer.close()

    def detector(*arguments: str) -> str:
        command = [sys.executable, "-m", "detector", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    seen = json.loads(detector("inspect", topic, "--bootstrap-server", broker.bootstrap, "--output", "json"))
    assert (seen["envelope"], seen["format"], seen["rejected"]) == ("otlp_proto", "otel", {})
    assert (seen["lines"], seen["client_count"]) == (REQUESTS * SPANS, 4)
    assert [route["name"] for route in seen["routes"]] == ["GET /people/{id}"]
    path = tmp_path / "detector.yaml"
    path.write_text(seen["configuration"], encoding="utf-8")
    assert 'envelope: "otlp_proto"' in seen["configuration"]
    assert "ok one record" in detector("check", "--connect", str(path))
