"""The page of an incident out of a running sidecar, which follows a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.stream import Member, Setting, incidents_of, wait
from tests.e2e.walked import Walked

pytestmark = pytest.mark.e2e


@dataclass
class WithPages(Setting):
    """A setting whose sidecars serve pages of incidents."""

    def write(self, name: str) -> Path:
        """The configuration with the pages turned on."""
        path = super().write(name)
        path.write_text(path.read_text().replace("web: {", "web: {incident_pages: true, "))
        return path


def test_an_incident_has_a_page(tmp_path: Path, walked: Walked) -> None:
    """Each incident that the file sink has is on the list and has a page that names its client, also after a restart; a
    sidecar without the setting has neither."""
    log = tmp_path / "access.log"
    log.write_bytes(b"\n".join(walked.before) + b"\n")
    setting = WithPages(tmp_path, "none:1", "", lateness=1.0)
    for life in (1, 2):
        with Member(setting, options=[str(log)]) as member:
            wait(
                lambda: len({one["incident"] for one in incidents_of(setting.incidents())}) >= 3,
                40,
                "incidents",
                member,
            )
            found = {one["incident"]: one for one in incidents_of(setting.incidents())}
            wait(lambda due=tuple(found): all(name in member.get("/incidents")[1] for name in due), 20, f"list {life}")
            for name, record in found.items():
                status, page = member.get(f"/incidents/{name}")
                assert status == 200
                assert record["clients"][0] in page
            assert member.metric("detector_sink_deliveries_total", sink="pages") >= (len(found) if life == 1 else 0)
            member.kill()
    plain = Setting(tmp_path / "plain", "none:1", "", lateness=1.0)
    with Member(plain, options=[str(log)]) as member:
        assert member.get("/incidents")[0] == 404
        assert member.get(f"/incidents/{next(iter(found))}")[0] == 404
