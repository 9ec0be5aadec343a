"""What servers write of a request, in this project's own words: a line of text for each format, fields in braces.

`describe` has the fields: in JSON they are escaped, ``_plus`` and ``_twice`` are what IIS and CloudFront make of
a text.
"""

from __future__ import annotations

from detector.simulate.site import HOST

_NCSA = '{address} - {account} [{clf}] "{method} {target} HTTP/1.1" {status} {size}'
_COMBINED = _NCSA + ' "{referer}" "{agent}"'
_W3C = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status "
    "sc-substatus sc-win32-status sc-bytes time-taken"
)
_CLOUDFRONT = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
    "x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    "fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end"
)
_CSV = "time,client_ip,user,method,path,status,bytes,referer,user_agent"
_ALB_END = (
    '"{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.3 arn:aws:tg/shop "Root=1-67a" "{host}" "arn:aws:cert/1" 0 {iso} '
    '"forward" "-" "-" "10.0.0.5:8080" "{status}" "-" "-" TID_7'
)

TEMPLATES: dict[str, str] = {
    "apache_ssl_request": '[{clf}] {address} TLSv1.3 TLS_AES_256_GCM_SHA384 "{method} {target} HTTP/1.1" {size}',
    "bunkerweb": '{host} {address} - 7be1 {account} [{clf}] "{method} {target} HTTP/1.1" {status} {size}'
    ' "{referer}" "{agent}"',
    "nginx_addresses": "203.0.113.9, " + _COMBINED,
    "nginx_main": _COMBINED + ' "-"',
    "nginx_ingress": _COMBINED + " 412 0.004 [shop-api-8080] [] 10.0.0.5:8080 {size} 0.004 {status} 7be1",
    "nginx_proxy_manager": '[{clf}] - {status} {status} - {method} https {host} "{target}" [Client {address}] '
    '[Length {size}] [Gzip -] [Sent-to 10.0.0.5] "{agent}" "{referer}"',
    "npmplus": '[{clf}] {host} {address} 0.004 "{method} {target} HTTP/1.1" {status} {size} 412 {referer} {agent}',
    "apisix_text": '{address} - {account} [{clf}] {host} "{method} {target} HTTP/1.1" {status} {size} 0.004 '
    '"{referer}" "{agent}" 10.0.0.5:8080 {status} 0.004 "http://{host}{path}"',
    "traefik_clf": _COMBINED + ' 7 "shop@file" "http://10.0.0.5:8080" 4ms',
    "vhost_common": "{host}:443 " + _NCSA,
    "zoraxy": "{slashed} [{date} {clock}.000000] [router:host-http] [origin:{host}] [client: {address}] "
    "[useragent: {agent}] {method} {target} {status}",
    "cpanel": '{address} - {account} [{us}] "{method} {target} HTTP/1.1" {status} {size} "{referer}" "{agent}"'
    ' "s" "-" 2083',
    "haproxy": "{address}:40112 [{local}] in~ shop/api1 0/0/1/3/4 {status} {size} - - ---- 9/9/0/0/0 0/0 {{{host}|}} "
    "{{|}} "
    '"{method} {target} HTTP/1.1"',
    "envoy_text": '[{iso}] "{method} {target} HTTP/1.1" {status} - 0 {size} 4 3 "203.0.113.9, {address}" "{agent}" "7'
    'be1" '
    '"{host}" "10.0.0.5:8080"',
    "aws_alb": "https {iso} app/shop/50dc {address}:40112 10.0.0.5:8080 0.000 0.004 0.000 {status} {status} 412 {size} "
    '"{method} https://{host}:443{target} HTTP/1.1" ' + _ALB_END,
    "aws_elb": "{iso} shop {address}:40112 10.0.0.5:8080 0.0 0.004 0.0 {status} {status} 412 {size} "
    '"{method} https://{host}:443{target} HTTP/1.1" "{agent}" - -',
    "aws_s3": '79a5 shop [{clf}] {address} {account} 7BE1 REST.GET.OBJECT {path} "{method} {target} HTTP/1.1" {status'
    "} - "
    '{size} {size} 4 4 "{referer}" "{agent}" - 7be1 SigV4 - AuthHeader {host} TLSv1.3 -',
    "aws_apigateway_clf": '{address} - {account} [{clf}]"{method} {target} HTTP/1.1" {status} {size} 7be1',
    "squid": "{epoch}.000      4 {address} TCP_MISS/{status} {size} {method} https://{host}{target} {account} "
    "HIER_DIRECT/10.0.0.5 application/json",
    "w3c": "{date} {clock} 10.0.0.5 {method} {path} {query} 443 {account} {address} {agent_plus} {referer} {status} 0"
    " 0 "
    "{size} 4",
    "cloudfront": "{date}\t{clock}\tFRA50\t{size}\t{address}\t{method}\td1.cdn.example\t{path}\t{status}\t{referer}"
    "\t{agent_twice}\t{query}\t-\tMiss\t7be1\t{host}\thttps\t412\t0.004\t-\tTLSv1.3\tAES\tMiss\tHTTP/2.0\t-\t-\t40112"
    "\t0.004"
    "\tMiss\tapplication/json\t{size}\t-\t-",
    "gcp_storage": '"{epoch}000000","{address}","1","","{method}","{target}","{status}","412","{size}","4000","{host}",'
    '"{referer}","{agent}","7be1","GET_Object","shop","x"',
    "csv": '{iso},{address},{account},{method},"{target}",{status},{size},"{referer}","{agent}"',
    "caddy": '{{"level":"info","ts":{epoch}.0,"logger":"http.log.access","msg":"handled request","request":{{"remote_'
    'ip":'
    '"{address}","client_ip":"{address}","proto":"HTTP/2.0","method":"{method}","host":"{host}","uri":"{target}","hea'
    'ders":'
    '{{"User-Agent":["{agent}"],"Referer":["{referer}"]}}}},"user_id":"{account}","duration":0.004,"size":{size},"sta'
    'tus":'
    "{status}}}",
    "envoy_json": '{{"start_time":"{iso}","method":"{method}","path":"{target}","protocol":"HTTP/2","response_code":{'
    "status},"
    '"bytes_received":0,"bytes_sent":{size},"duration":4,"user_agent":"{agent}","request_id":"7be1","authority":"{hos'
    't}",'
    '"upstream_cluster":"outbound|8080||shop","downstream_remote_address":"{address}:40112","x_forwarded_for":null}}',
    "fastly_json": '{{"timestamp":"{iso}","client_ip":"{address}","host":"{host}","url":"{target}","request_method":"'
    '{method}"'
    ',"request_referer":"{referer}","request_user_agent":"{agent}","response_status":{status},"response_body_size":{s'
    "ize}}}",
    "kong": '{{"started_at":{epoch}000,"client_ip":"{address}","consumer":{{"username":"{account}"}},"request":{{"met'
    'hod":'
    '"{method}","uri":"{target}","size":412,"headers":{{"user-agent":"{agent}","referer":"{referer}","host":"{host}"}'
    "}}},"
    '"response":{{"status":{status},"size":{size}}},"latencies":{{"request":4}}}}',
    "apisix": '{{"start_time":{epoch}000,"client_ip":"{address}","consumer":{{"username":"{account}"}},"route_id":"1"'
    ',"request":'
    '{{"method":"{method}","uri":"{target}","url":"http://{host}{target}","headers":{{"user-agent":"{agent}","referer":'
    '"{referer}","host":"{host}"}}}},"response":{{"status":{status},"size":{size}}},"latency":4}}',
    "nginx_json": '{{"time_iso8601":"{iso}","remote_addr":"{address}","remote_user":"{account}","request_method":"{me'
    'thod}",'
    '"request_uri":"{target}","status":"{status}","body_bytes_sent":"{size}","http_referer":"{referer}","http_user_ag'
    'ent":'
    '"{agent}","host":"{host}","request_time":"0.004","purpose":"{purpose}","consent_id":"{consent}"}}',
    "traefik_json": '{{"ClientAddr":"{address}:40112","ClientHost":"{address}","ClientUsername":"{account}","Downstre'
    'amStatus":'
    '{status},"DownstreamContentSize":{size},"Duration":4000000,"RequestMethod":"{method}","RequestPath":"{target}",'
    '"RequestHost":"{host}","RouterName":"shop@file","StartUTC":"{iso}","request_User-Agent":"{agent}","request_Refer'
    'er":'
    '"{referer}"}}',
    "tomcat_json": '{{"host":"{address}","logicalUserName":"-","user":"{account}","time":"[{clf}]","request":'
    '"{method} {target} HTTP/1.1","statusCode":"{status}","size":"{size}","requestHeaders":{{"Referer":"{referer}",'
    '"User-Agent":"{agent}"}}}}',
    "aws_apigateway": '{{"requestId":"7be1","ip":"{address}","caller":"-","user":"-","principalId":"{account}","reque'
    'stTime":'
    '"{clf}","requestTimeEpoch":"{epoch}000","httpMethod":"{method}","path":"{target}","status":"{status}","responseL'
    'ength":'
    '"{size}","userAgent":"{agent}"}}',
    "aws_cloudtrail": '{{"eventVersion":"1.10","eventTime":"{iso}","eventSource":"s3.amazonaws.com","eventName":"GetO'
    'bject",'
    '"sourceIPAddress":"{address}","userAgent":"{agent}","userIdentity":{{"type":"IAMUser","arn":"{account}"}},'
    '"requestParameters":{{"bucketName":"shop","key":"{target}"}},"additionalEventData":{{"bytesTransferredOut":{size'
    "}}},"
    '"eventCategory":"Data"}}',
    "gcp_load_balancer": '{{"timestamp":"{iso}","httpRequest":{{"requestMethod":"{method}","requestUrl":'
    '"https://{host}{target}","status":{status},"requestSize":"412","responseSize":"{size}","userAgent":"{agent}","re'
    'ferer":'
    '"{referer}","remoteIp":"{address}","latency":"0.004s"}},"trace":"7be1"}}',
    "azure_app_gateway": '{{"timeStamp":"{iso}","resourceId":"/shop","operationName":"ApplicationGatewayAccess","prop'
    'erties":'
    '{{"clientIP":"{address}","httpMethod":"{method}","requestUri":"{path}","originalRequestUriWithArgs":"{target}",'
    '"userAgent":"{agent}","httpStatus":{status},"sentBytes":{size},"timeTaken":0.004,"originalHost":"{host}"}}}}',
    "cloudflare": '{{"EdgeStartTimestamp":"{iso}","ClientIP":"{address}","ClientRequestMethod":"{method}","ClientRequ'
    'estHost":'
    '"{host}","ClientRequestURI":"{target}","ClientRequestUserAgent":"{agent}","ClientRequestReferer":"{referer}",'
    '"EdgeResponseStatus":{status},"EdgeResponseBytes":{size},"RayID":"7be1"}}',
    "otel": '{{"traceId":"7be1","spanId":"7be1","name":"{method}","kind":2,"startTimeUnixNano":"{epoch}000000000","at'
    'tributes":['
    '{{"key":"client.address","value":{{"stringValue":"{address}"}}}},{{"key":"user.id","value":{{"stringValue":"{acc'
    'ount}"}}}},'
    '{{"key":"http.request.method","value":{{"stringValue":"{method}"}}}},{{"key":"url.path","value":{{"stringValue":'
    '"{path}"}}}},{{"key":"url.query","value":{{"stringValue":"{query}"}}}},{{"key":"http.response.status_code","valu'
    'e":'
    '{{"intValue":"{status}"}}}},{{"key":"http.response.body.size","value":{{"intValue":"{size}"}}}},{{"key":'
    '"user_agent.original","value":{{"stringValue":"{agent}"}}}}]}}',
    "ecs": '{{"@timestamp":"{iso}","source":{{"ip":"{address}"}},"user":{{"name":"{account}"}},"url":{{"original":"{t'
    'arget}",'
    '"domain":"{host}"}},"http":{{"request":{{"method":"{method}","referrer":"{referer}"}},"response":{{"status_code"'
    ":{status},"
    '"body":{{"bytes":{size}}}}}}},"user_agent":{{"original":"{agent}"}}}}',
    "audit": '{{"time":"{iso}","actor":{{"id":"{account}","ip":"{address}"}},"action":"{method}","resource":"{target}'
    '","status":'
    '{status},"bytes":{size},"purpose":"{purpose}","user_agent":"{agent}"}}',
}
HEADINGS = {
    "w3c": f"#Software: {HOST}\n#Version: 1.0\n#Fields: {_W3C}\n",
    "cloudfront": f"#Version: 1.0\n#Fields: {_CLOUDFRONT}\n",
    "csv": f"{_CSV}\n",
}
