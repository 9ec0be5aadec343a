"""What a stream has found, held against what replay finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FACTS = ("pattern", "raised_at", "first_seen", "endpoints", "client_kind", "records_at_alert")


def differences(found: Mapping[str, Mapping[str, Any]], due: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is lost, undue or told otherwise than by replay."""
    said = [f"lost {identity}" for identity in due if identity not in found]
    said += [f"undue {identity}: {found[identity]}" for identity in found if identity not in due]
    for identity in due.keys() & found.keys():
        mine, theirs = found[identity], due[identity]
        said += [f"{identity} {f}: {mine[f]} for {theirs[f]}" for f in FACTS if mine[f] != theirs[f]]
    return said
