"""The page of an incident: what it says, to whom, and that nothing in it does anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from detector.errors import SinkError
from detector.sinks import incident_pages
from detector.sinks.incident_pages import IncidentPages
from detector.sinks.jsonl import json_line
from detector.sinks.prometheus import Metrics
from detector.sinks.web import Server, serve
from tests.unit.test_suppression import walked
from tests.unit.test_web import State, ask

HOSTILE = "<script>alert(1)</script>\"'\u202e\x1b[31m&lt;{{7*7}}"


@pytest.fixture
def record() -> dict[str, Any]:
    """An incident as a sink is given it."""
    told, _ = walked()[-1]
    found: dict[str, Any] = json.loads(json_line(told))
    return found


@pytest.fixture
def pages(tmp_path: Path, record: dict[str, Any]) -> IncidentPages:
    """Pages of one incident."""
    made = IncidentPages(tmp_path / "pages")
    deliver(made, record)
    return made


@pytest.fixture
def server(pages: IncidentPages) -> Iterator[Server]:
    """That serves them."""
    started = serve("127.0.0.1:0", Metrics("0.1.0"), State(), pages.pages(), pages.below())
    yield started
    started.close()


def deliver(pages: IncidentPages, record: dict[str, Any]) -> None:
    """As the courier does."""
    pages.deliver(json.dumps(record), record["incident"], record["revision"])


class Read(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes it."""
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("href", "src", "action") or name[:2] == "on"
        ]

    def handle_data(self, data: str) -> None:
        """Notes it."""
        self.text += data


def test_a_page_tells_the_incident(server: Server, record: dict[str, Any]) -> None:
    """Number of records, moments, evidence, routes and clients; reached from the list and from that of its pattern."""
    status, headers, body = ask(server, f"/incidents/{record['incident']}")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = Read(body.decode()).text
    for told in (
        "walk",
        f"{record['records_exposed']['estimate']:,}",
        "client-0",
        record["endpoints"][0],
        "ids in order",
    ):
        assert told in text
    assert record["raised_at"][:10] in text
    for path in ("/incidents", "/incidents/walk"):
        status, _, body = ask(server, path)
        assert status == 200
        assert f"/incidents/{record['incident']}" in Read(body.decode()).addresses
    assert "None so far" in Read(ask(server, "/incidents/bulk")[2].decode()).text


def test_nothing_in_a_page_does_anything(pages: IncidentPages, server: Server, record: dict[str, Any]) -> None:
    """Text from a log or a configuration is text; no script, no address but its own; the policy allows its own style by
    its digest and nothing else."""
    for name in ("suppressed_by", "partner"):
        record[name] = HOSTILE
    record |= {"clients": [HOSTILE], "endpoints": [HOSTILE], "data_classes": [HOSTILE], "revision": 99}
    record["evidence"][0]["name"] = HOSTILE
    record["selector"] = {"text": HOSTILE}
    deliver(pages, record)
    for path in (f"/incidents/{record['incident']}", "/incidents"):
        _, headers, body = ask(server, path)
        page = Read(body.decode())
        assert set(page.tags) & {"script", "img", "iframe", "form", "object", "link"} == set()
        assert all(re.fullmatch(r"/incidents(/[0-9a-f]{32})?", address) for address in page.addresses), page.addresses
        assert "<script>alert(1)</script>" in page.text
        assert "\\u202e\\u001b[31m" in page.text
        assert not set(page.text) & {"\u202e", "\x1b"}
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert re.search(r"style-src 'sha256-[\w+/=]+'$", policy)
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_style_is_that_of_the_policy(server: Server) -> None:
    """A browser would take it: the digest in the header is that of the bytes between the tags."""
    import base64
    from hashlib import sha256

    _, headers, body = ask(server, "/incidents")
    style = re.search(rb"<style>(.*?)</style>", body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(sha256(style[1]).digest()).decode()
    assert f"'sha256-{digest}'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "name", ["", "x", "0" * 32, "../../key", "%2e%2e/key", "A" * 32, "walk/", "." * 32, "/etc/passwd"]
)
def test_other_paths_are_not_found(server: Server, name: str) -> None:
    """Nothing but 32 hexadecimal digits of an incident that is kept, or a pattern, is looked up."""
    assert ask(server, f"/incidents/{name}")[0] == 404


def test_the_newest_revision_is_shown(tmp_path: Path, pages: IncidentPages, record: dict[str, Any]) -> None:
    """A repeated or older revision changes nothing, a new one does, and a restart shows what was kept."""
    deliver(pages, {**record, "revision": record["revision"], "severity": "critical"})
    deliver(pages, {**record, "revision": record["revision"] - 1, "severity": "critical"})
    path = pages.folder / f"{record['incident']}.json"
    assert json.loads(path.read_text())["severity"] == record["severity"]
    deliver(pages, {**record, "revision": record["revision"] + 1, "severity": "critical"})
    (pages.folder / "damaged.json").write_text("{")
    (pages.folder / f"{'a' * 32}.json").write_text('{"incident": 1}')
    again = IncidentPages(pages.folder)
    assert b"critical" in again.pages()["/incidents"]("").body
    assert b"critical" in again.below()["/incidents/"](record["incident"]).body


def test_pages_are_bounded(pages: IncidentPages, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first; a page names a hundred clients and says how many there are."""
    monkeypatch.setattr(incident_pages, "MOST_PAGES", 3)
    clients = [f"c{n}" for n in range(10_000)]
    for n in range(5):
        deliver(pages, {**record, "incident": f"{n:032x}", "clients": clients, "client_count": 123_456})
    assert sorted(path.stem for path in pages.folder.glob("*.json")) == [f"{n:032x}" for n in (2, 3, 4)]
    page = pages.below()["/incidents/"](f"{4:032x}").body.decode()
    assert page.count("<code>c") == 100
    assert "123,456" in page


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """It is an error that names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="pages cannot be kept"):
        IncidentPages(tmp_path / "file" / "pages")
