"""Incidents posted to a URL as JSON, with a key by which the receiver can tell what it has had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from detector.errors import ConfigError
from detector.incidents.incident import NEW, SEVERITIES
from detector.sinks.jsonl import rendered
from detector.sinks.posting import Post, plain, problems_of
from detector.sinks.sink import Revisions

_OURS = {"content-type", "content-length", "host", "idempotency-key", "authorization", "transfer-encoding"}


@dataclass(frozen=True)
class WebhookSettings:
    """Where and how to post.

    Attributes:
        url: ``http`` or ``https``; certificates are verified, redirects not followed.
        secret_file: its text goes along as ``Authorization: Bearer …``; read anew for every delivery.
        headers: sent along; not for secrets.
        min_severity: the least severe that is posted; what has been posted once is followed to its end.
        timeout_s: how long to wait for an answer.
        ca_file: certificates to trust in place of the system's.
        where: the place in the configuration, for messages.

    Raises ``ConfigError`` with every problem, a line each.
    """

    url: str = field(repr=False)
    secret_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    min_severity: str = "informational"
    timeout_s: float = 10.0
    ca_file: Path | None = None
    where: str = "sinks.webhook"

    def __post_init__(self) -> None:
        problems = problems_of(self.url, self.where)
        if self.min_severity not in SEVERITIES:
            problems.append(f"{self.where}.min_severity: {self.min_severity!r}; allowed: {', '.join(SEVERITIES)}")
        for name, value in self.headers.items():
            if name.lower() in _OURS:
                problems.append(f"{self.where}.headers.{name}: cannot be set")
            elif not (name.isascii() and name.replace("-", "").isalnum() and plain(value)):
                problems.append(f"{self.where}.headers.{name}: names are letters, digits and -, values ASCII")
        for name, path in (("secret_file", self.secret_file), ("ca_file", self.ca_file)):
            if path is not None and not path.is_file():
                problems.append(f"{self.where}.{name}: {path}: no such file")
        if problems:
            raise ConfigError(problems)


class Webhook:
    """A URL that incidents are posted to (a ``Sink``). One attempt a delivery: the outbox waits and tries again.

    Taken is what is answered by 2xx. ``408``, ``425``, ``429``, ``5xx``, a redirect, and no answer are tried again, and
    not before the time that ``Retry-After`` asks for; any other answer is a refusal. The header ``Idempotency-Key`` is
    ``incident:revision``.

    Args:
        settings: where and how.
        name: of the sink.
        schema: what an incident is written as (`sinks.jsonl.json_line`).
    """

    def __init__(self, settings: WebhookSettings, name: str = "webhook", *, schema: str = "native") -> None:
        self.settings = settings
        self.schema = schema
        self.name = name
        self._least = SEVERITIES.index(settings.min_severity)
        self._posted = Revisions()
        self._post = Post(settings.url, settings.timeout_s, settings.ca_file, settings.secret_file, settings.where)

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Posts one incident, unless it is less severe than what is asked for.

        Raises:
            Refused: the receiver will not take it.
            SinkError: no answer, or one that says to come again.
        """
        if self._posted.has(incident, revision) or not self._asked_for(incident_json, incident):
            return
        headers = {**self.settings.headers, "Idempotency-Key": f"{incident}:{revision}"}
        self._post.send(rendered(incident_json, self.schema), headers)
        self._posted.add(incident, revision)

    def close(self) -> None:
        """Ends the connections."""
        self._post.close()

    def _asked_for(self, incident_json: str, incident: str) -> bool:
        """Severe enough, not suppressed and in nobody's care yet, or posted before: that is followed to its end."""
        if self._posted.has(incident, 1):
            return True
        told = json.loads(incident_json)
        if told.get("suppressed_by") or told.get("status", NEW) != NEW:
            return False
        return SEVERITIES.index(told["severity"]) >= self._least
