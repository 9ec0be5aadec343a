"""What an inspected log lacks and how to add it, and the configuration that reads it as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from detector.engines.inspecting import Inspection
from detector.records.batch import KINDS
from detector.records.identity import DEFAULT_LADDER, PROXY_ADDRESSES, PROXY_SHARE, identity_report


class Remedy(NamedTuple):
    """What to add to a server's log, by what is missing."""

    key: str
    account: str
    forwarded: str
    agent: str
    size: str
    time: str
    rows: str


NGINX = Remedy(
    "$http_x_api_key", "$remote_user", "$http_x_forwarded_for", "$http_user_agent", "$body_bytes_sent", "$msec",
    "$sent_http_x_record_count",
)  # fmt: skip
APACHE = Remedy(
    "%{X-Api-Key}i", "%u", "%{X-Forwarded-For}i", "%{User-Agent}i", "%B", "%{usec}t", "%{X-Record-Count}o"
)  # fmt: skip
ENVOY = Remedy(
    "%REQ(X-API-KEY)%", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%", "%REQ(X-FORWARDED-FOR)%",
    "%REQ(USER-AGENT)%", "%BYTES_SENT%", "%START_TIME%", "%RESP(X-RECORD-COUNT)%",
)  # fmt: skip
TRAEFIK = Remedy(
    "accesslog.fields.headers.names.X-Api-Key=keep", "basicAuth or forwardAuth (ClientUsername)",
    "accesslog.fields.headers.names.X-Forwarded-For=keep", "accesslog.fields.headers.names.User-Agent=keep",
    "DownstreamContentSize", "accesslog.format=json (StartUTC)", "a response header X-Record-Count",
)  # fmt: skip
KONG = Remedy(
    "the key-auth plugin (authenticated_entity.id)", "a consumer for each caller (consumer.username)",
    "request.headers.x-forwarded-for", "request.headers.user-agent", "response.size", "started_at",
    "custom_fields_by_lua for X-Record-Count",
)  # fmt: skip
OTHER = Remedy(
    "the id of the API key", "the authenticated account or the token's subject", "X-Forwarded-For",
    "the User-Agent header", "the bytes sent", "the time in milliseconds", "how many records a response holds",
)  # fmt: skip
REMEDIES = {  # by the beginning of the preset's name
    "nginx": NGINX, "combined": NGINX, "common": NGINX, "vhost": NGINX, "npm": NGINX, "bunkerweb": NGINX,
    "apache": APACHE, "tomcat": APACHE, "envoy": ENVOY, "istio": ENVOY, "traefik": TRAEFIK, "kong": KONG,
}  # fmt: skip

FEW = 0.01  # a field that fewer lines have is as good as missing (judgement)


def remedy(name: str) -> Remedy:
    """What to add where logs have the format ``name``."""
    return next((found for start, found in REMEDIES.items() if name.startswith(start)), OTHER)


def identified_by(seen: Inspection) -> list[tuple[str, float]]:
    """Kinds of identity and the share of requests each names, the ladder's order, ``none`` last."""
    total = max(seen.identities.rows, 1)
    counts = dict(zip(KINDS, seen.identities.kinds, strict=True))
    return [(kind, counts[kind] / total) for kind in (*KINDS[2:], KINDS[1], KINDS[0]) if counts[kind]]


def advice(seen: Inspection) -> list[str]:
    """What would make findings better, the weightiest first, a line each."""
    add = remedy(seen.format)
    has = seen.present
    lines = identity_report(seen.identities)
    if not lines and not any(has.get(name, 0) >= FEW for name in ("account", "key", "session")):
        lines.append(
            f"The log has no account field: clients are addresses, and a scraper who changes his address is many "
            f"clients. Add {add.key} or {add.account}."
        )
    if has.get("forwarded", 0) >= FEW and not lines:
        lines.append(
            "The log has a forwarding header, which is read only of proxies declared as identity.trusted_proxies."
        )
    for name, what, how in (
        ("agent", "no user agent: campaigns that share one cannot be told", add.agent),
        ("bytes", "no response sizes: nothing can be said of bytes gone", add.size),
        ("status", "no status: misses cannot be told from reads", "the response status"),
        ("rows", "no count of records in a response: a list of 1,000 counts as one page", add.rows),
    ):
        if has and has.get(name, 0) < FEW:
            lines.append(f"The log has {what}. Add {how}.")
    if seen.whole_seconds:
        lines.append(f"Times are whole seconds: the order within a second is lost. Add {add.time}.")
    return lines


def proxies(seen: Inspection) -> list[str]:
    """Private addresses that look like proxies in front, where the log has a forwarding header to be believed."""
    counts = seen.identities
    if seen.present.get("forwarded", 0) < FEW or not counts.private:
        return []
    top = sorted(counts.private.items(), key=lambda item: (-item[1], item[0]))[:PROXY_ADDRESSES]
    return sorted(name for name, _ in top) if sum(n for _, n in top) > PROXY_SHARE * counts.rows else []


def configuration(seen: Inspection, log_format: str | None, kafka: Mapping[str, Any] | None = None) -> str:
    """A configuration for `detector run` that reads this log: YAML that `detector check` accepts.

    Args:
        seen: what was found.
        log_format: the format as the user gave it; None = as detected.
        kafka: ``topics``, ``start`` and ``consumer`` of the source where it is one; None = a file.
    """
    lines = ["source:", f"  format: {_text(log_format or seen.format)}"]
    if seen.envelope not in ("none", "lines", "array"):
        lines.append(f"  envelope: {_text(seen.envelope)} # records are {seen.envelope_about}")
    if kafka is not None:
        lines.append("  kafka:")
        lines.append(f"    topics: [{', '.join(_text(topic) for topic in kafka['topics'])}]")
        lines.append(f"    start: {kafka.get('start') or 'earliest'} # where a group without offsets begins")
        lines.append("    consumer:")
        lines += [f"      {_text(name)}: {_text(value)}" for name, value in kafka["consumer"].items()]
    elif seen.name != "-":
        lines += ["  files:", f"    paths: [{_text(str(Path(seen.name).absolute()))}]"]
    ladder = [rung for rung in DEFAULT_LADDER if rung == "address" or seen.present.get(rung, 0) > 0]
    lines += ["identity:", f"  ladder: [{', '.join(ladder)}] # what this log has, best first"]
    believed = proxies(seen)
    if believed:
        lines.append("  # these carry most requests and hand on a forwarding header; keep them only if they are yours")
        lines.append(f"  trusted_proxies: [{', '.join(map(_text, believed))}]")
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    """A value as YAML: JSON's quotes are YAML's too."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return json.dumps(value) if isinstance(value, bool | int | float) else json.dumps(str(value))
