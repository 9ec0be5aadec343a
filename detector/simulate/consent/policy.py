"""The configuration the owner of the simulated platform has: routes with their classes, parties, the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from detector.simulate.consent.parties import CHAT, FORM_OF, HONEST, INTEREST, Party
from detector.simulate.site import FORMS

_HEADING = "# What the owner of the simulated platform has agreed with whom; made by `detector simulate P14`.\n"


def policy(breaching: Party, ledger: str, declared: list[dict[str, Any]], last_seen: str = "") -> dict[str, Any]:
    """The configuration as plain data.

    Args:
        breaching: the party that will break it, declared like the others.
        ledger: the file of changes, as seen from the configuration's folder.
        declared: partners that read in bulk by agreement, beside the parties.
        last_seen: the file of when persons were last there, likewise; empty = none.
    """
    parties = [*HONEST, breaching]
    by_account = [_bulk(party) for party in parties]
    return {
        "routes": {"templates": [_template(*item) for item in FORM_OF.items()]},
        "partners": [*declared, *by_account],
        "policy": {
            "purpose_classes": [CHAT],
            "parties": [_party(party) for party in parties],
            "ledger": {"files": [ledger]},
            **({"last_seen": last_seen} if last_seen else {}),
        },
    }


def write_policy(
    path: Path, breaching: Party, ledger: Path, declared: list[dict[str, Any]], last_seen: str = ""
) -> None:
    """Writes it as YAML.

    Raises:
        OSError: the file cannot be written.
    """
    name = os.path.relpath(ledger.absolute(), path.absolute().parent)
    said = policy(breaching, name, declared, last_seen)
    text = yaml.safe_dump(said, sort_keys=False, width=110, default_flow_style=None)
    path.write_text(_HEADING + text, "utf-8")


def _template(data_class: str, form: str) -> dict[str, Any]:
    return {"route": FORMS[form].route.replace("{id}", "{user}"), "data_classes": [data_class]}


def _bulk(party: Party) -> dict[str, Any]:
    """Its access is valid, and much is agreed; what is not agreed is not a question of how much."""
    return {"name": party.name, "match": {"accounts": list(party.accounts)}, "contract": {"learn": False}}


def _party(party: Party) -> dict[str, Any]:
    said: dict[str, Any] = {"name": party.name, "kind": party.kind}
    said["match"] = {"account_prefixes": [party.prefix]} if party.prefix else {"accounts": list(party.accounts)}
    said |= {"classes": [party.data_class], "purposes": [party.purpose, *([party.also] if party.also else [])]}
    if (party.opens, party.closes) != (0, 24):
        said["hours"] = [f"{party.opens:02d}:00-{party.closes:02d}:00"]
    if party.data_class not in (CHAT, INTEREST):
        said["consent"] = {"classes": [party.data_class], "manners": ["explicit"]}
    return said
