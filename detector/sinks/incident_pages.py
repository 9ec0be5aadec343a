"""An incident's own page, for whoever was paged: read-only HTML from the incident record alone.

Off by default, for it names clients and nobody is asked who he is (`web.incident_pages`). It runs no script and loads
nothing: its content security policy allows the one style sheet inside it by its digest. The newest revision of each of
the last 1,000 incidents lies in a folder, so that a link in an alert works after a restart.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from detector.errors import SealError, SinkError, UsageError
from detector.incidents.incident import PATTERNS
from detector.sealing import Seal, opened, sealed
from detector.sinks.jsonl import keep_names
from detector.sinks.web import Below, Handler, Page

MOST_PAGES = 1_000  # as many as there are cases (`sinks.cases`)
MOST_CLIENTS = 100  # named on a page; the incident record has up to 10,000
LONGEST = 200  # letters of a text shown: a route, a selector of a few agents
PREFIX = "/incidents"
_HERE = Path(__file__).parent / "pages"
FORMS = ("nginx", "plain", "crowdsec")  # of `report.blocking`
_HTML = "text/html; charset=utf-8"
_PLAIN = "text/plain; charset=utf-8"
_ID = frozenset("0123456789abcdef")
_ID_LENGTH = 32


class IncidentPages:
    """Pages of incidents (a ``Sink``).

    Args:
        folder: where records lie; made if it is not there. Nobody else writes there.
        seal: encrypts them; None = they lie as they are. What does not open is not shown.
        block_list: makes the list a proxy can block by, of a form and a record; `UsageError` where there is none.

    Attributes:
        facts: asked for what the list says above it, names and texts (`sinks.live.Live.facts`).

    Raises:
        SinkError: the folder cannot be used.
    """

    name = "pages"

    def __init__(
        self, folder: Path, seal: Seal | None = None, block_list: Callable[[str, Any], str] | None = None
    ) -> None:
        self.folder = folder
        self._seal, self._block_list = seal, block_list
        self.facts: Callable[[], Sequence[tuple[str, str]]] = tuple
        self._lock = threading.Lock()
        style = (_HERE / "style.css").read_text(encoding="ascii")
        digest = base64.b64encode(sha256(style.encode()).digest()).decode()
        closed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        self._policy = f"{closed}; style-src 'sha256-{digest}'"
        self._templates = Environment(loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True)
        self._templates.filters |= {"visible": visible, "number": number, "moment": moment, "estimate": estimate}
        self._templates.globals["style"] = Markup(style)  # our own file; escaped, it would be no style
        self._rows: dict[str, dict[str, Any]] = {}  # what the list says, by id, the longest unchanged first
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
                self._take(path)
        except OSError as error:
            raise SinkError(f"{folder}: pages cannot be kept: {error.strerror}") from error

    def _take(self, path: Path) -> None:
        """A record that lies there; what a crash or a hand has damaged is not shown."""
        try:
            row = _row(self._read(path.stem))
        except (SealError, ValueError, KeyError, TypeError):
            return
        if _is_id(path.stem):
            self._rows[path.stem] = row

    def _read(self, incident: str) -> Any:
        name = f"{incident}.json"
        return json.loads(opened((self.folder / name).read_bytes(), name, self._seal))

    def forget(self, incident: str) -> None:
        """Its case has been deleted: it is no longer shown."""
        with self._lock:
            self._rows.pop(incident, None)
        (self.folder / f"{incident}.json").unlink(missing_ok=True)

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Keeps one revision; see ``Sink``.

        Raises:
            SinkError: it cannot be written.
        """
        record = json.loads(incident_json)
        with self._lock:
            known = self._rows.get(incident)
        if known is not None and known["revision"] >= revision:
            return
        place = self.folder / f"{incident}.json"
        scratch = self.folder / f".{incident}.{os.getpid()}"
        try:
            with scratch.open("wb") as file:
                file.write(sealed(json.dumps(record, ensure_ascii=True).encode("ascii"), place.name, self._seal))
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(place)
            keep_names(self.folder)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise SinkError(f"{place}: a page cannot be written: {error.strerror}") from error
        with self._lock:
            self._rows.pop(incident, None)
            self._rows[incident] = _row(record)
            oldest = next(iter(self._rows)) if len(self._rows) > MOST_PAGES else None
            if oldest is not None:
                del self._rows[oldest]
        if oldest is not None:
            (self.folder / f"{oldest}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open."""

    def pages(self) -> dict[str, Handler]:
        """The list, for `sinks.web.serve`."""
        return {PREFIX: lambda _: self._list("")}

    def below(self) -> dict[str, Below]:
        """One incident, those of a pattern, or below one incident a list to block it by."""
        return {f"{PREFIX}/": self._one}

    def _list(self, pattern: str) -> Page:
        with self._lock:
            rows = [row for row in self._rows.values() if pattern in ("", row["pattern"])]
        rows.sort(key=lambda row: (row["state"] == "open", row["raised_at"], row["incident"]), reverse=True)
        return self._page("list.html", {"rows": rows, "pattern": pattern, "facts": self.facts()})

    def _one(self, name: str) -> Page:
        if name in PATTERNS:
            return self._list(name)
        name, slash, form = name.partition("/")
        try:
            if not _is_id(name) or (slash and form not in self.forms):
                raise FileNotFoundError
            record = self._read(name)
        except (FileNotFoundError, SealError, ValueError):
            return Page(404, _PLAIN, b"no such incident is kept here\n")
        if slash:
            return self._block(form, record)
        few = {**record, "clients": record["clients"][:MOST_CLIENTS]}
        return self._page("incident.html", {"one": few, "forms": self.forms})

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms of block lists there are."""
        return FORMS if self._block_list else ()

    def _block(self, form: str, record: Mapping[str, Any]) -> Page:
        """A list to block by; nothing is blocked by asking for it."""
        assert self._block_list is not None
        try:
            text = self._block_list(form, record)
        except UsageError as error:
            return Page(409, _PLAIN, f"{error}\n".encode("ascii", "backslashreplace"))
        return Page(200, "application/json" if form == "crowdsec" else _PLAIN, text.encode("utf-8"))

    def _page(self, template: str, values: Mapping[str, Any]) -> Page:
        text = self._templates.get_template(template).render(values)
        return Page(200, _HTML, text.encode("utf-8"), self._policy)


def _is_id(name: str) -> bool:
    return len(name) == _ID_LENGTH and _ID.issuperset(name)


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: record[key] for key in ("incident", "revision", "raised_at", "pattern", "severity", "state")}
    return row | {
        "suppressed_by": record["suppressed_by"],
        "gone": record["records_exposed"]["estimate"],
        "endpoint": next(iter(record["endpoints"]), ""),
    }


def visible(value: object) -> str:
    """Text with whatever cannot be seen written out: control characters, and those that turn the direction of text. Of
    a long one the beginning, and how much there is besides."""
    text = str(value)
    more = f"… ({len(text) - LONGEST:,} more characters)" if len(text) > LONGEST else ""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:LONGEST]) + more


def number(value: object) -> str:
    """A number with thousands told apart, and no more digits than help."""
    if not isinstance(value, (int, float)):
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def moment(value: object) -> str:
    """Log time to the second."""
    try:
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return ""


def estimate(value: Mapping[str, int]) -> str:
    """A count with its interval."""
    if value["low"] == value["high"]:
        return number(value["estimate"])
    return f"{number(value['estimate'])} (between {number(value['low'])} and {number(value['high'])})"
