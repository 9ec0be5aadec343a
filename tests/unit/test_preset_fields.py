"""What presets read beside the usual: whose record, what for, how many, and who the client is beyond its address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.formats import load
from tests.format_lines import parsed, scan

WHO = {"subject": "patient-7", "purpose": "care", "consent": "c-9"}

CLOUDFLARE = {
    "ClientIP": "1.2.3.4",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/a",
    "EdgeStartTimestamp": "2026-03-04T05:06:07Z",
    "EdgeResponseStatus": 200,
    "JA4": "t13d1516h2_8daaf6152771_b186095e22b6",
    "VerifiedBotCategory": "Search Engine Crawler",
    "RequestHeaders": {"x-purpose": "care", "x-consent-id": "c-9"},
    "ResponseHeaders": {"x-subject-id": "patient-7", "x-record-count": "25"},
}
ENVOY = {
    "start_time": "2026-03-04T05:06:07Z",
    "downstream_remote_address": "1.2.3.4:5",
    "method": "GET",
    "path": "/a",
    "downstream_peer_subject": "CN=partner",
    "tls_ja4_fingerprint": "t13d",
    "upstream_cluster": "inbound|80||",
    "jwt_sub": "ann",
    "consent_id": "c-9",
    "purpose": "care",
    "subject_id": "patient-7",
    "rows": 25,
    "sample_rate": 0.1,
}
OTEL = {
    "client.address": "1.2.3.4",
    "url.path": "/a",
    "subject.id": "patient-7",
    "purpose": "care",
    "consent.id": "c-9",
    "http.response.header.x-record-count": "25",
    "tls.client.subject": "CN=partner",
    "sampling.probability": "0.1",
}
ECS = {
    "@timestamp": "2026-03-04T05:06:07Z",
    "source": {"ip": "1.2.3.4"},
    "url": {"original": "/a"},
    "user": {"id": "ann", "target": {"id": "patient-7"}},
    "labels": {"purpose": "care", "consent_id": "c-9"},
    "numeric_labels": {"rows": 25},
    "tls": {"client": {"subject": "CN=partner"}},
}
AUDIT = {
    "time": "2026-03-04T05:06:07Z",
    "actor": {"id": "ann"},
    "action": "view",
    "resource": "/a",
    "subject": {"id": "patient-7"},
    "purpose": "care",
    "consent": {"id": "c-9"},
    "rows": 25,
}
CADDY = {
    "ts": 1.0,
    "request": {"client_ip": "1.2.3.4", "uri": "/a", "tls": {"client_common_name": "partner"}},
}
LINES: list[tuple[str, dict[str, Any], dict[str, str], int]] = [
    ("cloudflare", CLOUDFLARE, WHO | {"ja4": CLOUDFLARE["JA4"], "verified": "Search Engine Crawler"}, 25),  # type: ignore[dict-item]
    (
        "envoy_json",
        ENVOY,
        WHO | {"certificate": "CN=partner", "ja4": "t13d", "upstream": "inbound|80||", "account": "ann"},
        25,
    ),
    (
        "otel",
        {
            "startTimeUnixNano": "1732204862123456789",
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in OTEL.items()],
        },
        WHO | {"certificate": "CN=partner", "sample_rate": "0.1"},
        25,
    ),
    ("ecs", ECS, WHO | {"certificate": "CN=partner", "account": "ann"}, 25),
    ("audit", AUDIT, WHO | {"account": "ann"}, 25),
    ("caddy", CADDY, {"certificate": "partner"}, 1),
    (
        "aws_apigateway",
        {"requestTimeEpoch": 1, "ip": "1.2.3.4", "path": "/a", "clientCertSubjectDN": "CN=p"},
        {"certificate": "CN=p"},
        1,
    ),
    (
        "fastly_json",
        {"timestamp": "2026-03-04T05:06:07Z", "client_ip": "1.2.3.4", "url": "/a", "ja4": "t13d", "sample_rate": 10},
        {"ja4": "t13d", "sample_rate": "10"},
        1,
    ),
]


@pytest.mark.parametrize(("name", "line", "want", "rows"), LINES, ids=[line[0] for line in LINES])
def test_fields_of_presets(name: str, line: dict[str, Any], want: dict[str, str], rows: int) -> None:
    """Each field lands in its column."""
    row = parsed(*scan(load(name), [json.dumps(line).encode()]), 0)
    assert row.reason == "ok"
    assert {field: row.values[field].decode() for field in want} == want
    assert row.rows == rows


def test_columns_of_tables() -> None:
    """A CSV export names the same things."""
    header = "csv:time,client_ip,path,consent_id,ja4,client_dn,sample_rate"
    row = parsed(*scan(load(header), [b"2026-03-04T05:06:07Z,1.2.3.4,/a,c-9,t13d,CN=p,0.5"]), 0)
    got = {name: row.values[name] for name in ("consent", "ja4", "certificate", "sample_rate")}
    assert got == {"consent": b"c-9", "ja4": b"t13d", "certificate": b"CN=p", "sample_rate": b"0.5"}
