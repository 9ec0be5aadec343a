"""Export requests of OpenTelemetry by its own generated classes, and the same records as lines of OTLP JSON."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

TRACE, SPAN = bytes(range(16)), bytes(range(8))


def value_of(value: Any) -> AnyValue:
    """A Python value as an attribute's."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[value_of(item) for item in value]))
    return AnyValue(string_value=value)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes as messages."""
    return [KeyValue(key=key, value=value_of(value)) for key, value in attributes.items()]


def spans(*records: tuple[int, dict[str, Any]]) -> ExportTraceServiceRequest:
    """A request of spans, each a start in nanoseconds and attributes; a resource, a scope and ends beside them."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.37.0")
    resource.resource.attributes.extend(pairs({"service.name": "shop", "client.address": "6.6.6.6"}))
    scope = resource.scope_spans.add()
    scope.scope.name = "http"
    for start, attributes in records:
        scope.spans.add(
            trace_id=TRACE,
            span_id=SPAN,
            parent_span_id=SPAN,
            name="GET",
            kind=2,
            start_time_unix_nano=start,
            end_time_unix_nano=start + 5,
            attributes=pairs(attributes),
        )
    return request


def logs(*records: tuple[int, dict[str, Any]]) -> ExportLogsServiceRequest:
    """The same as log records."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(pairs({"service.name": "shop"}))
    scope = resource.scope_logs.add()
    for moment, attributes in records:
        scope.log_records.add(
            time_unix_nano=moment,
            observed_time_unix_nano=moment + 7,
            severity_text="INFO",
            body=AnyValue(string_value="GET /"),
            attributes=pairs(attributes),
            trace_id=TRACE,
            span_id=SPAN,
        )
    return request


def bodies(*lines: Any, attributes: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    """A request as the collector's filelog receiver makes it: each line the body of a log record, its file beside it.
    What is no string becomes a body of that kind."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(pairs({"service.name": "shop", "message": "6.6.6.6"}))
    scope = resource.scope_logs.add()
    for number, line in enumerate(lines):
        scope.log_records.add(
            time_unix_nano=number,
            observed_time_unix_nano=1_732_204_862_123_456_789,
            body=None if line is None else value_of(line),
            attributes=pairs(attributes or {"log.file.name": "access.log"}),
        )
    return request


def in_json(request: ExportLogsServiceRequest) -> bytes:
    """A request as protobuf's own JSON, on one line."""
    return MessageToJson(request, indent=None).encode()


def framed(*requests: bytes) -> bytes:
    """Requests as the collector's file exporter writes them with `format: proto`."""
    return b"".join(len(request).to_bytes(4, "big") + request for request in requests)


def as_json(kind: str, records: list[tuple[int, dict[str, Any]]]) -> bytes:
    """What the collector's JSON exporters write of such a request."""
    key = "startTimeUnixNano" if kind == "spans" else "timeUnixNano"
    made = [
        {
            "traceId": TRACE.hex(),
            "spanId": SPAN.hex(),
            key: str(moment),
            "attributes": [{"key": name, "value": _json(value)} for name, value in attributes.items()],
        }
        for moment, attributes in records
    ]
    outer, inner, last = (
        ("resourceSpans", "scopeSpans", "spans")
        if kind == "spans"
        else (
            "resourceLogs",
            "scopeLogs",
            "logRecords",
        )
    )
    return json.dumps({outer: [{"resource": {}, inner: [{"scope": {}, last: made}]}]}).encode()


def _json(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_json(item) for item in value]}}
    return {"stringValue": value}
