"""What the variables of nginx's ``log_format`` and Apache's ``LogFormat`` mean to us: literal tables, no code.

A variable is a :class:`Slot`: what is read there (kind), into which column (code) and how its end is found (mode).
Sources: the variables of nginx's ``ngx_http_core_module`` and ``ngx_http_log_module``, Apache's ``mod_log_config``.
"""

from __future__ import annotations

from typing import NamedTuple

from detector.formats.fields import FIELD

# kinds of operations, shared with text_kernel.py (which may not import this module's objects at run time)
HEAD, SPAN, TIME_CLF, TIME_ISO, TIME_EPOCH, STATUS, BYTES, ROWS, REQUEST, ADDRESS, ADDRESSES, END = range(12)
TIME_LOCAL, TIME_US, DAY, CLOCK, TIME_ANY, REQUEST_URL = range(12, 18)

# modes: how a field's end is found
WORD = 0  # no space inside: ends where the following text begins
QUOTED = 1  # ends at the first double quote that no backslash escapes
FREE = 2  # may hold anything: ends at the first place where all that follows fits
REST = 3  # the last field: to the end of the line
CELL = 4  # of a table: ends at the separator, or is in double quotes and a quote inside is doubled

SKIP = -1  # code of a field that is read and dropped


class Slot(NamedTuple):
    """Meaning of one variable: an operation's kind, its column in FIELDS (or SKIP, or a power of ten), its mode.

    ``plus``: a ``+`` in it is a blank. ``rounds``: how often it was percent-encoded, at most 3. Both are undone.
    """

    kind: int
    code: int = SKIP
    mode: int = WORD
    plus: bool = False
    rounds: int = 0


def _span(field: str, mode: int = FREE) -> Slot:
    return Slot(SPAN, FIELD[field], mode)


_WORD = Slot(SPAN, SKIP, WORD)
_FREE = Slot(SPAN, SKIP, FREE)

NGINX: dict[str, Slot] = {
    "remote_addr": Slot(ADDRESS, FIELD["address"]),
    "remote_addrs": Slot(ADDRESSES, FIELD["address"], FREE),  # ours: a list, the last of which is the peer
    "remote_user": _span("account"),
    "jwt_claim_sub": _span("account"),
    "time_local": Slot(TIME_CLF, 0),
    "time_iso8601": Slot(TIME_ISO, 0),
    "msec": Slot(TIME_EPOCH, 0),
    "request": Slot(REQUEST, FIELD["target"], FREE),
    "request_method": _span("method", WORD),
    "request_uri": _span("target"),
    "uri": _span("target"),
    "document_uri": _span("target"),
    "args": _span("query"),
    "query_string": _span("query"),
    "status": Slot(STATUS),
    "body_bytes_sent": Slot(BYTES),
    "bytes_sent": Slot(BYTES),
    "host": _span("host", WORD),
    "http_host": _span("host", WORD),
    "server_name": _span("host", WORD),
    "request_id": _span("request_id", WORD),
    "http_x_request_id": _span("request_id"),
    "http_referer": _span("referer"),
    "http_user_agent": _span("agent"),
    "http_x_forwarded_for": _span("forwarded"),
    "proxy_add_x_forwarded_for": _span("forwarded"),
    "http_x_real_ip": _span("forwarded"),
    "http_forwarded": _span("forwarded"),
    "http_x_api_key": _span("key"),
    "http_api_key": _span("key"),
    "http_apikey": _span("key"),
    "http_x_purpose": _span("purpose"),
    "http_x_consent_id": _span("consent"),
    "http_consent_id": _span("consent"),
    "http_x_subject_id": _span("subject"),
    "sent_http_x_subject_id": _span("subject"),
    "ssl_client_s_dn": _span("certificate"),
    "ssl_client_s_dn_legacy": _span("certificate"),
    "http_ssl_ja4": _span("ja4"),
    "ssl_ja4": _span("ja4"),
    "http_x_ja4": _span("ja4"),
    "sent_http_x_record_count": Slot(ROWS),
    "upstream_http_x_record_count": Slot(ROWS),
    # ours, for servers whose logs no variable of nginx describes
    "time_haproxy": Slot(TIME_LOCAL, 0),
    "time_cpanel": Slot(TIME_US, 0),
    "time_iso": Slot(TIME_ISO, 0),
    "request_id_quoted": _span("request_id"),
    "host_quoted": _span("host"),
    "request_with_host": Slot(REQUEST_URL, FIELD["target"], FREE),
    "upstream_cluster": _span("upstream", WORD),
    "sample_rate": _span("sample_rate", WORD),
    "word": _WORD,
    "skipped": _FREE,
    "sent_http_x_total_count": _FREE,  # the size of the collection, not of this page
}

# server-side words without a space: they end where the text after them begins, whatever else the line holds
_WORDS = """
    binary_remote_addr remote_port server_addr server_port server_protocol scheme https pid connection hostname
    connection_requests connection_time request_time request_length request_completion bytes_received gzip_ratio
    nginx_version pipe limit_rate content_length is_args tcpinfo_rtt ssl_protocol ssl_cipher ssl_session_reused
    ssl_session_id ssl_server_name realip_remote_addr realip_remote_port proxy_protocol_addr upstream_cache_status
    http2 http3 geoip_country_code geoip2_country_code
"""
NGINX |= dict.fromkeys(_WORDS.split(), _WORD)

# Names of cookies and headers that carry a session or device (judgement from the defaults of PHP, Java, Express,
# Rails, Django, Laravel and the mobile kits); any other cookie is a preference, not an identity.
SESSION_WORDS = ("sess", "sid", "device", "visitor", "token", "jwt")

APACHE: dict[str, Slot] = {
    "h": Slot(ADDRESS, FIELD["address"]),
    "a": Slot(ADDRESS, FIELD["address"]),
    "l": _WORD,
    "u": _span("account"),
    "t": Slot(TIME_CLF, 0),
    "r": Slot(REQUEST, FIELD["target"], FREE),
    "m": _span("method", WORD),
    "U": _span("target"),
    "q": _span("query"),
    "s": Slot(STATUS),
    "b": Slot(BYTES),
    "B": Slot(BYTES),
    "O": Slot(BYTES),
    "v": _span("host", WORD),
    "V": _span("host", WORD),
    "L": _span("request_id", WORD),
    "f": _FREE,
    "R": _FREE,
} | dict.fromkeys(tuple("ADEHIPSTXcdgijkpnxyz"), _WORD)

# %{NAME}i request headers and %{NAME}o response headers, lower case
APACHE_REQUEST_HEADERS = {
    "user-agent": _span("agent"),
    "referer": _span("referer"),
    "referrer": _span("referer"),
    "x-forwarded-for": _span("forwarded"),
    "x-real-ip": _span("forwarded"),
    "forwarded": _span("forwarded"),
    "x-api-key": _span("key"),
    "api-key": _span("key"),
    "apikey": _span("key"),
    "host": _span("host", WORD),
    "x-request-id": _span("request_id"),
    "x-purpose": _span("purpose"),
    "x-consent-id": _span("consent"),
    "x-subject-id": _span("subject"),
    "x-ja4": _span("ja4"),
}
APACHE_RESPONSE_HEADERS = {"x-record-count": Slot(ROWS), "x-request-id": _span("request_id")}

# %{FORMAT}t: the strftime patterns that are one of our kinds of time
APACHE_TIMES = {
    "sec": Slot(TIME_EPOCH, 0),
    "msec": Slot(TIME_EPOCH, 3),
    "usec": Slot(TIME_EPOCH, 6),
    "%d/%b/%Y:%H:%M:%S %z": Slot(TIME_CLF, 0),
    "%Y-%m-%dT%H:%M:%S%z": Slot(TIME_ISO, 0),
    "%FT%T%z": Slot(TIME_ISO, 0),
    "%Y-%m-%dT%H:%M:%SZ": Slot(TIME_ISO, 0),
    "%FT%TZ": Slot(TIME_ISO, 0),
    "%Y-%m-%dT%H:%M:%S": Slot(TIME_ISO, 0),
    "%FT%T": Slot(TIME_ISO, 0),
    "%Y-%m-%d %H:%M:%S": Slot(TIME_ISO, 0),
    "%F %T": Slot(TIME_ISO, 0),
}

MOMENTS = (TIME_CLF, TIME_ISO, TIME_LOCAL, TIME_US)  # end by themselves, whatever follows
# the most precise first: of several times in a line the first of these counts
TIMES = (TIME_EPOCH, TIME_ISO, TIME_ANY, CLOCK, DAY, TIME_LOCAL, TIME_US, TIME_CLF)


def nginx_slot(name: str) -> Slot:
    """The slot of ``$name``; what is not in the table is a session, or a text that is read and dropped.

    ``$http_authorization`` is never kept: it holds secrets.
    """
    name = name.lower()
    if name in NGINX:
        return NGINX[name]
    prefix, _, rest = name.partition("_")
    if prefix == "cookie" or name.startswith("http_x_"):
        return session_slot(rest)
    return _FREE


def session_slot(name: str) -> Slot:
    """A cookie or ``X-`` header by its name: the session where the name says so, else read and dropped."""
    name = name.lower()
    if any(word in name for word in SESSION_WORDS) and "authorization" not in name:
        return _span("session")
    return _FREE
