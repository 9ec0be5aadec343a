"""How lines of a consent ledger are read: a field map for JSON, the same names as columns of a table.

The scanners are those of logs; what a name fills says `records.ledger`.
"""

from __future__ import annotations

from functools import cache

from detector.errors import FormatError
from detector.formats import variables as v
from detector.formats.fields import FIELD
from detector.formats.jsonlines import JsonFormat, compile_map
from detector.formats.table import CSV_SCHEME, SEPARATORS, parse_header
from detector.formats.text import TextFormat
from detector.formats.variables import Slot

NAMES: dict[str, str] = {
    "time": "time timestamp event_time occurred_at changed_at granted_at",
    "target": "action event type change status",
    "account": "partner party recipient grantee controller client_id app",
    "subject": "subject principal person user_id user data_subject subject_id",
    "method": "class data_class data_classes category",
    "purpose": "purpose scope",
    "session": "manner how given method",
    "key": "viewed_at shown_at view_time",
    "referer": "referrer referer page source",
    "request_id": "received_at recorded_at ledger_time",
    "consent": "consent_id consent grant_id id",
}
"""Field of `FIELDS` → the names a ledger may give it, best first."""


@cache
def json_ledger() -> JsonFormat:
    """Ledger changes as JSON, one object a line or message."""
    fields = {field: names.split() for field, names in NAMES.items() if field != "time"}
    document = {"time": dict.fromkeys(NAMES["time"].split(), "auto"), "fields": fields}
    return JsonFormat("consent ledger", compile_map(document, "consent ledger"), needs_address=False)


def table_ledger(header: str) -> TextFormat | None:
    """Ledger changes as a table with this header line; None where it names no time, action, partner and subject."""
    columns = {
        name: Slot(v.TIME_ANY, 0) if field == "time" else Slot(v.SPAN, FIELD[field], v.WORD)
        for field, names in NAMES.items()
        for name in names.split()
    }
    for separator in SEPARATORS:
        said = {name.strip().strip('"').lower() for name in header.split(separator)}
        if all(said & set(NAMES[field].split()) for field in ("time", "target", "account", "subject")):
            text = f"{CSV_SCHEME}{'' if separator == SEPARATORS[0] else separator}:{header}"
            try:
                return TextFormat("consent ledger", (parse_header(text, columns),), "a consent ledger")
            except FormatError:
                return None
    return None


def ledger_format(first: bytes) -> JsonFormat | TextFormat | None:
    """The format of a ledger by its first line."""
    if first.lstrip(b"\xef\xbb\xbf \t").startswith(b"{"):
        return json_ledger()
    return table_ledger(first.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip("\r\n"))
