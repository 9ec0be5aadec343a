"""Incidents as alerts of Alertmanager, one each, for as long as they are active.

Alertmanager forgets an alert that nobody repeats; so those of active incidents are repeated, and one whose activity has
ended is not: it resolves, and fires again when the activity returns. What is suppressed,
informational or in somebody's care is not sent.
Source of the format: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postAlerts).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from detector import clock
from detector.errors import ConfigError, SinkError
from detector.incidents.incident import NEW, SEVERITIES
from detector.sinks.alert_names import alert_of
from detector.sinks.posting import Post, problems_of
from detector.sinks.sink import Refused

EVERY_S = 60.0  # between two repeats: a third of how long an alert holds, so that two may be lost
HOLD_S = 180.0
PATH = "/api/v2/alerts"

Record = dict[str, Any]


@dataclass(frozen=True)
class AlertmanagerSettings:
    """Where, and what is said.

    Attributes:
        url: of Alertmanager itself, without the path of its interface.
        secret_file: a bearer token.
        min_severity: the least severe that is sent; never informational.
        labels: added to every alert.
        clients: whether the first clients' names are among the annotations.
        incident_url: of an incident's own page, with ``{incident}`` in it.
        runbooks: where configs/runbooks is published.
        dashboard: of one pattern's incidents, with ``{pattern}`` in it.

    Raises ``ConfigError`` with every problem, a line each.
    """

    url: str
    secret_file: Path | None = None
    min_severity: str = "low"
    labels: Mapping[str, str] = field(default_factory=dict)
    clients: bool = False
    incident_url: str = ""
    runbooks: str = ""
    dashboard: str = ""
    timeout_s: float = 10.0
    where: str = "sinks.alertmanager"

    def __post_init__(self) -> None:
        problems = problems_of(self.url, self.where)
        if self.min_severity not in SEVERITIES[1:]:
            problems.append(f"{self.where}.min_severity: {self.min_severity!r}; allowed: {', '.join(SEVERITIES[1:])}")
        if problems:
            raise ConfigError(problems)


class Alertmanager:
    """An Alertmanager (a ``Sink``) that is also told, each minute, which incidents are active still.

    Args:
        settings: where, and what is said.
        active: the records of the incidents that are active at this moment; called on a thread of its own.
        every_s: seconds between two repeats.
    """

    name = "alertmanager"

    def __init__(
        self, settings: AlertmanagerSettings, active: Callable[[], Sequence[Record]], every_s: float = EVERY_S
    ) -> None:
        self.settings = settings
        self._active = active
        self._every_s = every_s
        self._least = SEVERITIES.index(settings.min_severity)
        self._begun: dict[str, str] = {}  # wall-clock moment each was first sent, while it is open
        self._sending = threading.Lock()
        url = settings.url.rstrip("/") + PATH
        self._post = Post(url, settings.timeout_s, None, settings.secret_file, settings.where)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="alertmanager", daemon=True)
        self._thread.start()

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Sends one incident, or its end.

        Raises:
            Refused: Alertmanager will not take it.
            SinkError: no answer, or one that says to come again.
        """
        record = json.loads(incident_json)
        if self._pages(record):
            self._send([record])

    def close(self) -> None:
        """Ends the repeats: what is active is said by whoever reads on, or resolves."""
        self._ended.set()
        self._thread.join(self.settings.timeout_s)
        self._post.close()

    def _pages(self, record: Record) -> bool:
        if record["suppressed_by"] is not None or record.get("status", NEW) != NEW:
            return False
        return SEVERITIES.index(record["severity"]) >= self._least

    def _repeat(self) -> None:
        while not self._ended.wait(self._every_s):
            records = [record for record in self._active() if self._pages(record)]
            if records:
                try:
                    self._send(records)
                except (SinkError, Refused):
                    continue  # the outbox says so when there is news; what is active is repeated in a minute

    def _send(self, records: Sequence[Record]) -> None:
        with self._sending:
            now = clock.wall()
            alerts = [
                self._alert(record, now.isoformat(), (now + timedelta(seconds=HOLD_S)).isoformat())
                for record in records
            ]
            self._post.send(json.dumps(alerts), {})

    def _alert(self, record: Record, now: str, until: str) -> Record:
        identity, said = record["incident"], self.settings
        closed = record["state"] == "closed"
        begun = self._begun.pop(identity, now) if closed else self._begun.setdefault(identity, now)
        labels = {
            "alertname": "DetectorIncident",
            "incident": identity,
            "pattern": record["pattern"],
            "severity": record["severity"],
        }
        return {
            "labels": {**said.labels, **labels},
            "annotations": self._annotations(record),
            "startsAt": begun,
            "endsAt": now if closed else until,
        } | ({"generatorURL": said.incident_url.replace("{incident}", identity)} if said.incident_url else {})

    def _annotations(self, record: Record) -> dict[str, str]:
        said, pattern = self.settings, record["pattern"]
        gone = record["records_exposed"]
        found = {
            "summary": f"{pattern}: {gone['estimate']:,} records exposed by {_clients(record['client_count'])}",
            "description": f"On {', '.join(record['endpoints'][:3])}, since {record['first_seen']}; "
            f"{gone['low']:,} to {gone['high']:,} records.",
        }
        if said.clients:
            found["clients"] = ", ".join(record["clients"][:10])
        for name, template in (
            ("incident_url", said.incident_url),
            ("runbook_url", said.runbooks and f"{said.runbooks.rstrip('/')}/{alert_of(pattern)}.md"),
            ("dashboard_url", said.dashboard),
        ):
            if template:
                found[name] = template.replace("{incident}", record["incident"]).replace("{pattern}", pattern)
        return found


def _clients(count: int) -> str:
    return "one client" if count == 1 else f"{count:,} clients"
