"""An incident as a list that a proxy can block by: nginx, plain lines, CrowdSec decisions.

Nothing is blocked by this program: whoever loads a list answers for whom it hits.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

from detector.errors import UsageError
from detector.incidents.pseudonyms import is_pseudonym
from detector.masking import MASK
from detector.report import words

Record = dict[str, Any]
DURATION = "24h"  # of a CrowdSec decision: addresses change hands within days (judgement)
LONGEST = 512  # of a text: nginx reads parameters of at most 4,096 bytes, the detector keeps 160 of an agent
VARIABLE = "$detector_blocked"
_WORDS = ("default", "hostnames", "include", "volatile")  # have a meaning of their own inside a map


def nginx(record: Record) -> str:
    """Blocks for the ``http`` context: ``$detector_blocked`` is 1 for whom the incident names.

    Networks and agents of a selector must both fit, as in the selector
    (https://nginx.org/en/docs/http/ngx_http_geo_module.html, ngx_http_map_module.html).
    """
    head = f"# incident {_plain(record.get('incident'))}; in a server or location: if ({VARIABLE}) {{ return 429; }}\n"
    clients, accounts = _places(record), _accounts(record)
    rule = words.table(record.get("selector"))
    networks, agents = _ranges(words.many(rule.get("networks"))), _known(words.many(rule.get("agents")))
    if rule.get("actionable") and (networks or agents) and not clients:
        parts = [_geo("$detector_network", networks)] if networks else []
        parts += [_map("$http_user_agent", "$detector_agent", agents)] if agents else []
        names = (["$detector_network"] if networks else []) + (["$detector_agent"] if agents else [])
        return head + "".join(parts) + _map(f'"{"".join(names)}"', VARIABLE, ["1" * len(names)])
    if accounts:
        return head + _map("$remote_user", VARIABLE, accounts)
    return head + _geo(VARIABLE, clients)


def plain(record: Record) -> str:
    """One address, network or account a line."""
    rule = words.table(record.get("selector"))
    found = _places(record) or _accounts(record) or _ranges(words.many(rule.get("networks")))
    return "".join(f"{one}\n" for one in found)


def crowdsec(record: Record) -> str:
    """What ``cscli decisions import --format json`` takes
    (https://docs.crowdsec.net/docs/cscli/cscli_decisions_import/)."""
    rule = words.table(record.get("selector"))
    reason = f"detector/{_plain(record.get('pattern'))}"
    told = [(_scope(one), one) for one in _places(record) or _ranges(words.many(rule.get("networks")))]
    told += [("username", one) for one in _accounts(record)]
    decisions = [
        {"duration": DURATION, "reason": reason, "scope": scope, "type": "ban", "value": value} for scope, value in told
    ]
    return json.dumps(decisions, indent=1) + "\n"


def _scope(place: str) -> str:
    return "range" if "/" in place else "ip"


def _places(record: Record) -> list[str]:
    return _ranges(words.many(record.get("clients"))) if record.get("client_kind") in ("address", "network") else []


def _ranges(texts: list[Any]) -> list[str]:
    """Those that are addresses or networks, in their usual form."""
    found = []
    for text in texts:
        try:
            network = ipaddress.ip_network(str(text), strict=False)
        except ValueError:
            continue  # a host name, or a hash where the text was not kept
        found.append(str(network if network.num_addresses > 1 else network.network_address))
    return found


def _accounts(record: Record) -> list[str]:
    return _known(words.many(record.get("clients"))) if record.get("client_kind") == "account" else []


def _known(texts: list[Any]) -> list[str]:
    """Printable texts that fit and are whole: no hashes of texts that were not kept, nothing with a secret left out."""
    told = [str(text) for text in texts]
    return [
        t for t in told if t.isascii() and t.isprintable() and t[:1] != "~" and MASK not in t and 0 < len(t) <= LONGEST
    ]


def _geo(variable: str, places: list[str]) -> str:
    return f"geo {variable} {{\n    default 0;\n" + "".join(f"    {place} 1;\n" for place in places) + "}\n"


def _map(source: str, variable: str, values: list[str]) -> str:
    lines = "".join(f"    {_quoted(value)} 1;\n" for value in values)
    return f"# long texts need: map_hash_bucket_size 512;\nmap {source} {variable} {{\n    default 0;\n{lines}}}\n"


def _quoted(text: str) -> str:
    """A value of a map that stands for itself: no regular expression, no word of nginx's own."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"\\{inner}"' if text in _WORDS or text[:1] in ("~", "*", ".", "\\") else f'"{inner}"'


def _plain(value: Any) -> str:
    return "".join(c for c in str(value) if c.isascii() and (c.isalnum() or c in "_-"))


LISTS: dict[str, Callable[[Record], str]] = {"nginx": nginx, "plain": plain, "crowdsec": crowdsec}


def block_list(form: str, record: Record) -> str:
    """The list in a form of `LISTS`.

    Raises:
        UsageError: the incident tells pseudonyms, by which nothing can be blocked.
    """
    rule = words.table(record.get("selector"))
    if any(is_pseudonym(str(one)) for one in (*words.many(record.get("clients")), *words.many(rule.get("networks")))):
        raise UsageError(
            f"{_plain(record.get('incident'))}: its clients are pseudonyms, by which nothing can be blocked; "
            "detector unmask ID --block FORM joins them again"
        )
    return LISTS[form](record)
