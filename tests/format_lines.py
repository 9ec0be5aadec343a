"""One plain line of every preset, and the scanners' columns in the reference parser's words."""

from __future__ import annotations

import numpy as np

from detector.formats.fields import FIELDS, REASONS, Fields
from detector.formats.presets import Format
from detector.formats.reference import Parsed

PLAIN = {
    "apache_ssl_request": (
        b'[10/Aug/2018:09:45:56 +0200] 172.30.0.119 TLSv1.2 ECDHE-RSA-AES128 "GET /a?b=c HTTP/1.1" 1375'
    ),
    "bunkerweb": b'www.example.com 172.18.0.1 - 7bde - [22/Oct/2025:14:31:07 +0000] "GET / HTTP/1.1" 301 162 "-" "x"',
    "combined": b'127.0.0.1 - frank [14/Oct/2022:09:55:53 +0200] "PUT /api/v2 HTTP/1.1" 404 134 "-" "Report \\"Runner"',
    "common": b'host.example - - [26/Dec/2016:16:16:29 +0200] "GET /favicon.ico HTTP/1.1" 404 -',
    "nginx_addresses": b'2a03::8, 10.2.2.121 - - [30/Dec/2016:06:47:09 +0000] "GET /t HTTP/1.1" 404 8571 "-" "agent"',
    "nginx_main": b'1.2.3.4 - - [30/Dec/2016:06:47:09 +0000] "GET /t HTTP/1.1" 404 8571 "-" "agent" "6.7.8.9, 1.1.1.1"',
    "nginx_proxy_manager": (
        b'[24/Jan/2022:16:51:02 +0000] - 404 404 - GET http a.local "/sdf" [Client 1.2.3.4] [Length 192] [Gzip 3.10] '
        b'[Sent-to openresty] "Mozilla/5.0" "-"'
    ),
    "npmplus": b'[10/Feb/2024:21:23:40 +0100] example.com 192.168.1.1 0.002 "GET / HTTP/1.1" 401 77 935 - Uptime (x) 1',
    "traefik_clf": (
        b'172.17.0.1 - - [08/Dec/2021:09:16:05 +0000] "GET /up?t=a HTTP/1.1" 200 405 "-" - 502 "t@d" "http://1:80" 0ms'
    ),
    "vhost_combined": (
        b'website.com:443 1.2.3.4 - - [25/Oct/2021:11:05:52 +0200] "GET /web HTTP/1.1" 403 6963 "abc.com" "agent"'
    ),
    "vhost_common": b'website.com:443 1.2.3.4 - u [25/Oct/2021:11:05:52 +0200] "GET /web HTTP/1.1" 403 6963',
    "caddy": (
        b'{"level":"info","ts":1693840791.7564995,"request":{"remote_ip":"172.17.0.1","client_ip":"127.0.0.1","method":'
        b'"GET","host":"h:8080","uri":"/\\u00e9","headers":{"User-Agent":["curl/7.74.0","x"]}},"size":0,"status":0}'
    ),
    "envoy_json": (
        b'{":authority":"a.example","bytes_sent":12,"downstream_remote_address":"10.0.0.12:5","method":"GET","x":null,'
        b'"response_code":200,"start_time":"2025-12-31T16:37:40.479Z","user_agent":"M","x-envoy-origin-path":"/a.webp"}'
    ),
    "fastly_json": (
        b'{"timestamp":"2021-11-12T16:59:45+0000","client_ip":"1.2.3.4","url":"/z","request_method":"GET",'
        b'"request_user_agent":"M","response_status":404,"response_body_size":564,"fastly_is_edge":true}'
    ),
    "kong": (
        b'{"started_at":1732204862123,"client_ip":"1.2.3.4","request":{"uri":"/a","method":"GET","headers":{"user-agent":'
        b'"M"}},"response":{"status":200,"size":"12"},"consumer":{"username":"u"}}'
    ),
    "nginx_json": (
        b'{"time_iso8601":"2021-11-12T16:59:45Z","remote_addr":"1.2.3.4","request":"GET /a HTTP/1.1","status":"200"}'
    ),
    "traefik_json": (
        b'{"ClientAddr":"172.17.0.1:39496","ClientHost":"172.17.0.1","ClientUsername":"-","DownstreamStatus":200,'
        b'"DownstreamContentSize":357,"RequestMethod":"GET","RequestPath":"/5","StartUTC":"2026-01-08T14:19:15.980170592Z"}'
    ),
}


def scan(format: Format, lines: list[bytes]) -> tuple[Fields, bytes]:
    """The kernel's columns of some lines, and the buffer their spans point into."""
    lengths = np.array([len(line) for line in lines], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths + 1)])[:-1].astype(np.int64)
    buffer = np.frombuffer(bytearray(b"\n".join(lines) + b"\n"), np.uint8)
    fields = format.columns(buffer, starts, lengths)
    return fields, buffer.tobytes()


def parsed(fields: Fields, buffer: bytes, i: int) -> Parsed:
    """Row ``i`` in the reference's words."""
    if fields.reason[i]:
        assert (fields.span[i, :, 1] == -1).all()
        return Parsed(REASONS[fields.reason[i]])
    spans = {name: fields.span[i, code] for code, name in enumerate(FIELDS)}
    values = {name: buffer[start : start + length] for name, (start, length) in spans.items() if length >= 0}
    return Parsed(
        "ok",
        bool(fields.torn[i]),
        int(fields.time_us[i]),
        int(fields.status[i]),
        int(fields.bytes_out[i]),
        int(fields.rows[i]),
        values,
    )
