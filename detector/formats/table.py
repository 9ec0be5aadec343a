"""Tables: W3C extended logs and CSV, whose columns a header names. A header becomes a layout like any other.

A header is a format string too, for logs that have lost theirs (``log_format``): ``#Fields: date time c-ip …`` or
``csv:time,client_ip,…``; after ``csv;:`` and ``csv\\t:`` the separator is a semicolon or a tab.
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.errors import FormatError
from detector.formats import variables as v
from detector.formats.fields import FIELD
from detector.formats.layout import Layout, Piece, require
from detector.formats.variables import Slot

W3C_HEADER = "#Fields:"
CSV_SCHEME = "csv"
SEPARATORS = (",", ";", "\t")
CLOUDFRONT_ONLY = ("x-edge-location", "x-edge-result-type", "x-edge-request-id")
MOST_COLUMNS = 200  # of any export; CloudFront's real-time log has 65

_SKIPPED = Slot(v.SPAN, v.SKIP, v.WORD)


def _span(field: str) -> Slot:
    return Slot(v.SPAN, FIELD[field], v.WORD)


# W3C extended log file format (working draft 1996-03-23), with the names IIS and CloudFront have added
W3C: dict[str, Slot] = {
    "date": Slot(v.DAY, 0),
    "time": Slot(v.CLOCK, 0),
    "timestamp": Slot(v.TIME_ANY, 0),  # real-time CloudFront: epoch seconds with fractions
    "c-ip": Slot(v.ADDRESS, FIELD["address"]),
    "cs-username": _span("account"),
    "cs-method": _span("method"),
    "cs-uri-stem": _span("target"),
    "cs-uri-query": _span("query"),
    "cs-uri": _span("target"),
    "sc-status": Slot(v.STATUS),
    "sc-bytes": Slot(v.BYTES),
    "cs(user-agent)": _span("agent")._replace(plus=True),
    "cs-user-agent": _span("agent"),
    "cs(referer)": _span("referer")._replace(plus=True),
    "cs-referer": _span("referer"),
    "cs-host": _span("host"),
    "cs(host)": _span("host"),
    "x-host-header": _span("host"),
    "x-forwarded-for": _span("forwarded"),
    "cs(x-forwarded-for)": _span("forwarded"),
    "cs(x-api-key)": _span("key"),
    "x-edge-request-id": _span("request_id"),
}
# CloudFront writes no + for a blank, it percent-encodes what it finds, and older logs twice
_CLOUDFRONT = {
    "cs(user-agent)": _span("agent")._replace(rounds=2),
    "cs(referer)": _span("referer")._replace(rounds=2),
    "x-forwarded-for": _span("forwarded")._replace(rounds=2),
}

# Names of exported columns, in small letters and with `_` for `-`, `.`, `@` and blanks, as in JSON logs
_NAMES: tuple[tuple[Slot, str], ...] = (
    (
        Slot(v.TIME_ANY, 0),
        "time timestamp _timestamp ts datetime date_time event_time eventtime start_time time_micros time_local "
        "time_iso8601 msec edgestarttimestamp requesttime request_time_epoch",
    ),
    (
        Slot(v.ADDRESS, FIELD["address"]),
        "remote_addr remote_address remote_ip client_ip clientip client client_address c_ip source_ip src_ip "
        "source_address sourceipaddress ip ip_address address",
    ),
    (_span("forwarded"), "x_forwarded_for xff http_x_forwarded_for forwarded_for"),
    (_span("account"), "user user_id userid username user_name account account_id actor remote_user sub"),
    (_span("key"), "api_key apikey api_key_id key x_api_key http_x_api_key"),
    (_span("session"), "session session_id sessionid device_id"),
    (_span("method"), "method http_method request_method verb http_request_method cs_method"),
    (
        Slot(v.REQUEST_URL, FIELD["target"]),
        "request path uri url target request_uri request_url url_path url_original uri_path cs_uri",
    ),
    (_span("query"), "query query_string args url_query"),
    (Slot(v.STATUS), "status status_code response_status http_status response_code sc_status"),
    (Slot(v.BYTES), "bytes bytes_out bytes_sent body_bytes_sent response_size response_bytes size sc_bytes"),
    (_span("agent"), "agent user_agent useragent http_user_agent cs_user_agent"),
    (_span("referer"), "referer referrer http_referer cs_referer"),
    (_span("host"), "host hostname vhost http_host server_name domain cs_host"),
    (_span("request_id"), "request_id requestid trace_id correlation_id s_request_id"),
    (_span("subject"), "subject subject_id person_id patient_id customer_id"),
    (_span("purpose"), "purpose"),
    (_span("consent"), "consent consent_id"),
    (_span("certificate"), "client_certificate certificate_subject client_dn ssl_client_s_dn tls_client_subject"),
    (_span("ja4"), "ja4 ja4_fingerprint tls_ja4"),
    (_span("verified"), "verified_bot_category signature_agent"),
    (_span("sample_rate"), "sample_rate sampling_rate sample_interval"),
    (Slot(v.ROWS), "rows row_count rows_returned record_count records"),
)
CSV: dict[str, Slot] = {name: slot for slot, names in _NAMES for name in names.split()}


def is_header(text: str) -> bool:
    """Whether a format string, or a line of a log, is a header of :func:`parse_header`'s kind."""
    return text.startswith(W3C_HEADER) or _csv_separator(text) != ""


def parse_header(text: str, columns: Mapping[str, Slot] = CSV) -> Layout:
    """The layout of the lines below a header.

    Args:
        text: the header as a format string.
        columns: what the columns of a CSV fill, by their names in small letters.

    Raises:
        FormatError: no column is a time or a request; or there are more than MOST_COLUMNS.
    """
    separator = _csv_separator(text)
    if separator:
        names = [name.strip().strip('"') for name in text[text.index(":") + 1 :].split(separator)]
        slots = [columns.get(_plain(name), _SKIPPED) for name in names]
        return _table(text, names, slots, separator, v.CELL)
    names = text[len(W3C_HEADER) :].split()
    table = W3C | (_CLOUDFRONT if any(name in names for name in CLOUDFRONT_ONLY) else {})
    slots = [table.get(name.lower(), _SKIPPED) for name in names]
    tab = "\t" if any(name in names for name in CLOUDFRONT_ONLY) else " "
    return _table(text, names, slots, tab, v.WORD)


def _table(text: str, names: list[str], slots: list[Slot], separator: str, mode: int) -> Layout:
    if len(names) > MOST_COLUMNS:
        raise FormatError(f"{len(names)} columns; at most {MOST_COLUMNS} are read", text, 0)
    seen: set[tuple[int, int]] = set()
    pieces = []
    for place, (name, slot) in enumerate(zip(names, slots, strict=True)):
        what = (slot.kind, slot.code)
        if mode == v.CELL and what in seen:
            slot = _SKIPPED  # of two columns that say the same the first counts
        seen.add(what)
        if slot.kind in v.MOMENTS:
            slot = slot._replace(kind=v.TIME_ANY)
        follow = b"" if place + 1 == len(names) else separator.encode()
        pieces.append(Piece(name, slot._replace(mode=mode), follow, place))
    layout = Layout(text, b"", tuple(pieces))
    require(layout)
    return layout


def _csv_separator(text: str) -> str:
    """What parts the columns of a ``csv:`` string; empty where it is none."""
    if not text.startswith(CSV_SCHEME):
        return ""
    rest = text[len(CSV_SCHEME) :]
    if rest.startswith(":"):
        return SEPARATORS[0]
    return rest[0] if rest[1:2] == ":" and rest[0] in SEPARATORS else ""


def _plain(name: str) -> str:
    """A column's name as CSV's keys are written."""
    small = name.strip().lower()
    return "".join("_" if c in "-.@ /:" else c for c in small)


def find_headers(lines: list[bytes]) -> list[str]:
    """The headers among the first lines of a log, as format strings, each once: of W3C anywhere, of CSV the first line.

    A first line is a header of CSV where its names make a readable table; a line of data hardly ever does.
    """
    found: list[str] = []
    for line in lines:
        if line.startswith(W3C_HEADER.encode()):
            text = " ".join(line.decode("utf-8", "replace").split())
            if text not in found:
                found.append(text)
    if found or not lines:
        return [text for text in found if _readable(text)]
    first = lines[0].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip("\r\n")
    for separator in SEPARATORS:
        names = [name.strip().strip('"') for name in first.split(separator)]
        known = sum(_plain(name) in CSV for name in names)
        if known >= 3 and len(names) <= MOST_COLUMNS:  # a time, a request and somebody: fewer are no log
            scheme = CSV_SCHEME + ("" if separator == SEPARATORS[0] else separator)
            text = f"{scheme}:{separator.join(names)}"
            if _readable(text):
                found.append(text)
                break
    return found


def _readable(text: str) -> bool:
    try:
        parse_header(text)
    except FormatError:
        return False
    return True
