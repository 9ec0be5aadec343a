"""The stable name of an incident."""

from __future__ import annotations

from hashlib import blake2b


def incident_id(pattern: str, route: str, client: str, time_us: int) -> str:
    """BLAKE2b-128 of pattern, lead route template, lead client as printed (or ``many``) and log time of the first
    signal, as 32 hexadecimal digits. Configuration and version are no part of it: a reload or an upgrade in
    mid-incident keeps the id."""
    text = "\x1f".join((pattern, route, client, str(time_us)))
    return blake2b(text.encode(), digest_size=16).hexdigest()
