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
        b'{"started_at":1732204862123,"client_ip":"1.2.3.4","request":{"uri":"/a","method":"GET","headers":{"u'
        b'ser-agent":'
        b'"M"}},"response":{"status":200,"size":"12"},"consumer":{"username":"u"}}'
    ),
    "nginx_json": (
        b'{"time_iso8601":"2021-11-12T16:59:45Z","remote_addr":"1.2.3.4","request":"GET /a HTTP/1.1","status":"200"}'
    ),
    "traefik_json": (
        b'{"ClientAddr":"172.17.0.1:39496","ClientHost":"172.17.0.1","ClientUsername":"-","DownstreamStatus":200,'
        b'"DownstreamContentSize":357,"RequestMethod":"GET","RequestPath":"/5","StartUTC":"2026-01-08T14:19:15'
        b'.980170592Z"}'
    ),
    "apisix": (
        b'{"start_time":1732204862123,"client_ip":"1.2.3.4","request":{"uri":"/a?b=c","url":"http://h.example:'
        b'9080/a?b=c",'
        b'"method":"GET","headers":{"user-agent":"M","host":"h.example"}},"response":{"status":200,"size":12},'
        b'"consumer":{"username":"u"}}'
    ),
    "apisix_text": (
        b'1.2.3.4 - - [30/Dec/2016:06:47:09 +0000] h.example:9080 "GET /t HTTP/1.1" 404 8571 0.002 "-" "agent" '
        b'10.0.0.1:80 404 0.001 "http://h.example/t"'
    ),
    "audit": (
        b'{"time":"2026-03-04T05:06:07Z","actor":{"id":"dr.a","ip":"1.2.3.4"},"action":"view","resource":"/patients/7",'
        b'"subject":"patient-7","purpose":"treatment","rows":1}'
    ),
    "aws_alb": (
        b'https 2023-04-26T12:23:00.186641Z app/api/5 192.0.2.11:44740 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET '
        b'https://h.example:443/r?x=1 HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 arn:aws:x "Root=1-5" "h.example" "'
        b'arn:aws:y" 1 '
        b'2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1'
    ),
    "aws_apigateway": (
        b'{"requestId":"r","ip":"1.2.3.4","caller":"-","user":"-","requestTime":"14/Oct/2022:09:55:53 +0000","'
        b'httpMethod":'
        b'"GET","resourcePath":"/pets/{id}","path":"/pets/7","status":"200","protocol":"HTTP/1.1","responseLen'
        b'gth":"12"}'
    ),
    "aws_apigateway_clf": b'1.2.3.4 - - [14/Oct/2022:09:55:53 +0000]"GET /pets/{id} HTTP/1.1" 200 12 c6af9ac6-7b61',
    "aws_cloudtrail": (
        b'{"eventTime":"2026-03-04T05:06:07Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","source'
        b'IPAddress":'
        b'"1.2.3.4","userAgent":"[aws-cli]","userIdentity":{"arn":"arn:aws:iam::1:user/a","accessKeyId":"AK"},'
        b'"requestParameters":{"bucketName":"b","key":"a/7.json"},"additionalEventData":{"bytesTransferredOut":12.0}}'
    ),
    "aws_elb": (
        b"2015-05-13T23:39:43.945958Z my-lb 192.0.2.11:2817 10.0.0.1:80 0.0 0.001 0.0 200 200 0 29 "
        b'"GET http://h.example:80/a HTTP/1.1" "curl/7.38.0" - -'
    ),
    "aws_s3": (
        b'79a5 bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 arn:u 3E57 REST.GET.OBJECT a/7 "GET /bucket/a/7 H'
        b'TTP/1.1" 200 '
        b'- 113 113 7 7 "-" "S3Console/0.4" - host SigV4 ECDHE AuthHeader b.s3.example TLSV1.2 -'
    ),
    "azure_app_gateway": (
        b'{"timeStamp":"2021-10-14T22:17:11+00:00","resourceId":"/S","properties":{"clientIP":"1.2.3.4","clientPort":1,'
        b'"httpMethod":"GET","requestUri":"/a","requestQuery":"x=1","userAgent":"M","httpStatus":200,"sentBytes":12,'
        b'"originalHost":"h.example","timeTaken":0.1}}'
    ),
    "cloudflare": (
        b'{"ClientIP":"1.2.3.4","ClientRequestHost":"h.example","ClientRequestMethod":"GET","ClientRequestURI"'
        b':"/a?b=c",'
        b'"ClientRequestUserAgent":"M","EdgeStartTimestamp":1732204862123456789,"EdgeResponseStatus":200,'
        b'"EdgeResponseBytes":12,"RayID":"r"}'
    ),
    "cloudfront": (
        b"2024-03-12\t15:22:28\tCDG50-P2\t703\t1.2.3.4\tGET\td.example\t/a\t400\t-\tMozilla/5.0%2520(X)\tx=1\t"
        b"-\tError\tR=="
        b"\th.example\thttps\t62\t0.113\t-\tTLSv1.3\tAES\tError\tHTTP/2.0\t-\t-\t51754\t0.113\tError\ttext/pla"
        b"in\t20\t-\t-"
    ),
    "cpanel": b'1.2.3.4 - u [07/05/2021:13:11:25 -0000] "GET /login HTTP/1.1" 200 0 "-" "agent" "-" "-" 2083',
    "ecs": (
        b'{"@timestamp":"2026-03-04T05:06:07.5Z","source":{"ip":"1.2.3.4"},"user":{"name":"u"},"url":{"original":'
        b'"https://h.example/a?b=c"},"http":{"request":{"method":"GET"},"response":{"status_code":200,"body":{'
        b'"bytes":12}}},'
        b'"user_agent":{"original":"M"}}'
    ),
    "envoy_text": (
        b'[2026-01-24T01:34:36.743Z] "GET /t?a=b HTTP/1.1" 200 - 0 256 50 25 "6.7.8.9, 1.2.3.4" "agent" "rid" '
        b'"h.example" '
        b'"tcp://10.0.0.1:80"'
    ),
    "gcp_load_balancer": (
        b'{"timestamp":"2026-03-04T05:06:07.123456Z","httpRequest":{"requestMethod":"GET","requestUrl":'
        b'"https://h.example/a?b=c","status":200,"responseSize":"12","userAgent":"M","remoteIp":"1.2.3.4","lat'
        b'ency":"0.1s"},'
        b'"jsonPayload":{"statusDetails":"x"}}'
    ),
    "gcp_storage": (
        b'"1732204862123456","1.2.3.4","1","","GET","/b/a.json","200","0","12","7000","storage.example","","ag'
        b'ent ""x"", y",'
        b'"rid","GET_Object","b","a.json"'
    ),
    "haproxy": (
        b"1.2.3.4:38862 [30/Jul/2018:09:03:52.726] in~ be/srv 0/0/1/0/2 304 168 - - ---- 6/6/0/0/0 0/0 {h.exam"
        b"ple||} {|||} "
        b'"GET /component.js HTTP/1.1"'
    ),
    "nginx_ingress": (
        b'1.2.3.4 - - [30/Dec/2016:06:47:09 +0000] "GET /t HTTP/1.1" 200 8571 "-" "agent" 344 0.002 [ns-svc-80] [] '
        b"10.0.0.1:80 8571 0.002 200 5d0d"
    ),
    "otel": (
        b'{"traceId":"t","spanId":"s","kind":2,"startTimeUnixNano":"1732204862123456789","attributes":[{"key":'
        b'"client.address"'
        b',"value":{"stringValue":"1.2.3.4"}},{"key":"http.request.method","value":{"stringValue":"GET"}},{"ke'
        b'y":"url.path",'
        b'"value":{"stringValue":"/a"}},{"key":"http.response.status_code","value":{"intValue":"200"}},{"key":'
        b'"http.request.header.x-forwarded-for","value":{"arrayValue":{"values":[{"stringValue":"6.7.8.9"},{"s'
        b'tringValue":'
        b'"x"}]}}},{"key":"user_agent.original","value":{"stringValue":"M"}}]}'
    ),
    "squid": b"1286536309.586    921 1.2.3.4 TCP_MISS/200 507 GET http://h.example/a?b=c - DIRECT/10.0.0.1 text/html",
    "tomcat_json": (
        b'{"host":"1.2.3.4","logicalUserName":"-","user":"-","time":"[14/Oct/2022:09:55:53 +0200]","request":"'
        b'GET /a HTTP/1.1"'
        b',"statusCode":"200","size":"12","requestHeaders":{"Referer":"-","User-Agent":"M"}}'
    ),
    "w3c": (
        b"2018-01-01 08:09:10 10.0.0.1 GET /a q=100 80 u 1.2.3.4 Mozilla/5.0+(X;+rv:57.0) http://r.example/ 200 0 0 123"
    ),
    "zoraxy": (
        b"2025/05/01 07:57:03 [2025-05-01 07:57:03.150624] [router:host-http] [origin:h.example] [client: 1.2.3.4] "
        b"[useragent: Mozilla] GET /a 404"
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
