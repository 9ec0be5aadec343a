"""What the owner has declared, from the configuration's words to what rows are compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.config import Config
from detector.config_checks import DAY_US, expiry_us, hours
from detector.config_model import MatchConfig
from detector.config_policy import PartyConfig
from detector.errors import UsageError
from detector.evidence.contract import Terms
from detector.evidence.policy import Party, Policy
from detector.evidence.tripwire import Wire
from detector.formats.fields import FIELD, Fields
from detector.incidents.suppression import Suppression
from detector.records.batch import DEPTH, Batch
from detector.records.declared import Declared, Partner, token
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.last_seen import read_last_seen
from detector.records.ledger import MANNERS
from detector.records.published import read_names, read_networks
from detector.records.resolve import Resolver
from detector.sources.chunk import Chunk

REASON_BYTES = 64  # of what incidents say in ``suppressed_by``, as snapshots keep it
MAX_IDS = 1_000_000  # of all tripwires: 24 MB of table


def taken_over(config: Config, new: Config) -> Config:
    """A configuration with those sections of a new one that may change while a stream runs."""
    return replace(
        config,
        detection=new.detection,
        partners=new.partners,
        suppressions=new.suppressions,
        tripwires=new.tripwires,
    )


def partners(config: Config) -> list[Partner]:
    """The partners of a configuration.

    Raises:
        UsageError: a file of networks or names cannot be read.
    """
    return [
        Partner(p.name, p.match.accounts, p.match.keys, tuple(declared_networks(p.match)), p.match.bots)
        for p in config.partners
    ]


def parties(config: Config) -> list[Partner]:
    """How the parties of the policy are recognised; one that is a partner too is recognised as that."""
    known = {p.name for p in config.partners}
    return [
        Partner(p.name, m.accounts, m.keys, m.networks, (), m.account_prefixes, is_quiet=False)
        for p in config.policy.parties
        if p.name not in known and (m := p.match)
    ]


def policy(config: Config) -> Policy:
    """Whose data may be read by whom, and for what.

    Raises:
        UsageError: two parties have one token, or one name; countries nobody can tell; `policy.last_seen` is no such
            file.
    """
    said = [_party(p) for p in config.policy.parties]
    if len({party.token for party in said}) < len(said):
        raise UsageError("policy.parties: two names cannot be told apart; change one of them")
    where = config.identity
    if any(p.countries for p in said) and (where.country_database is None or where.asn_database is not None):
        raise UsageError(
            "policy.parties: countries need identity.country_database, and no identity.asn_database beside it, "
            "for a network is told by one of them"
        )
    made = Policy(said, config.policy.purpose_classes, hash_key(config))
    made.dormant_us = config.policy.dormant_days * DAY_US
    if config.policy.last_seen is not None:
        made.last_seen = read_last_seen(config.policy.last_seen, hash_key(config))
    return made


def _party(p: PartyConfig) -> Party:
    return Party(
        name=p.name,
        token=token(p.name),
        kind=p.kind,
        classes=p.classes,
        purposes=p.purposes,
        hours=tuple(hours(text) for text in p.hours),
        countries=p.countries,
        persons_a_day=p.persons_per_day,
        until_us=expiry_us(p.valid_until) if p.valid_until else 0,
        consent=p.consent.classes if p.consent else (),
        manners=tuple(MANNERS.index(name) for name in p.consent.manners) if p.consent else (0,),
        background=p.background,
    )


def declared_networks(match: MatchConfig) -> list[str]:
    """The networks a partner is recognised by: those named, those it publishes, those whose DNS names are its own.

    Raises:
        UsageError: a file of them cannot be read.
    """
    published = read_networks(match.networks_file) if match.networks_file else []
    named = read_names(match.names_file, match.names) if match.names_file else []
    return [*match.networks, *published, *named]


def declared(config: Config) -> Declared:
    """The partners of a configuration as the resolver knows them."""
    return Declared([*partners(config), *parties(config)])


def hash_key(config: Config) -> HashKey:
    """The key under which identities and ids are hashed."""
    return HashKey.from_file(config.state.key_file) if config.state.key_file else REPLAY_KEY


def contracts(config: Config) -> tuple[Terms, ...]:
    """What was agreed with the partners.

    Raises:
        UsageError: two names have one token (a chance of one in four thousand million a pair).
    """
    key = hash_key(config)
    terms = []
    for known, said in zip(partners(config), config.partners, strict=True):
        agreed = said.contract
        open_at = tuple(hours(text) for text in agreed.hours)
        clients = tuple(known.clients(key))
        terms.append(
            Terms(known.name, token(known.name), agreed.records_per_day, agreed.routes, open_at, agreed.learn, clients)
        )
    if len({said.token for said in terms}) < len(terms):
        raise UsageError("partners: two names cannot be told apart; change one of them")
    return tuple(terms)


def suppressions(config: Config) -> tuple[Suppression, ...]:
    """What is kept quiet."""
    key = hash_key(config)
    return tuple(
        Suppression(
            said.name or said.reason.encode("ascii", "replace")[:REASON_BYTES].decode("ascii"),
            expiry_us(said.expires),
            frozenset(said.match.clients),
            frozenset(said.match.accounts),
            said.match.networks,
            frozenset(key.of_text(agent.encode()) for agent in said.match.agents),
            said.match.routes,
            frozenset(said.match.patterns),
        )
        for said in config.suppressions
    )


def tripwires(config: Config) -> tuple[Wire, ...]:
    """The records nobody may read.

    Raises:
        UsageError: a file of ids cannot be read, an id is none, or there are too many.
    """
    wires, total = [], 0
    for number, said in enumerate(config.tripwires):
        ids = [*said.ids, *(_lines(said.ids_file) if said.ids_file else [])]
        total += len(ids)
        if total > MAX_IDS:
            raise UsageError(f"tripwires: more than {MAX_IDS:,} ids")
        wires.append(Wire(said.name, _objects(said.route, ids, config, f"tripwires[{number}]"), said.route))
    return tuple(wires)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', '') or 'not UTF-8'}") from error
    return [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]


def _objects(route: str, ids: list[str], config: Config, where: str) -> tuple[int, ...]:
    """The objects of requests for these ids, as a log line of each would be resolved: once whole, and once as they are
    where their place has proved to hold values (`records.routes`)."""
    resolver = Resolver(key=hash_key(config), slug_after=config.routes.slug_after)
    method, _, path = route.rpartition(" ")
    before, _, rest = path.partition("{")
    after = rest.partition("}")[2]
    batch = _resolved(resolver, method or "GET", [f"{before}{value}{after}" for value in ids])
    place = min(before.count("/") - 1, DEPTH - 1)
    whole = batch.object != 0
    found = np.where(whole, batch.object, batch.slug[:, place])
    if (found == 0).any():
        raise UsageError(f"{where}: {ids[int(np.flatnonzero(found == 0)[0])]!r} is no id on {route}")
    return tuple(found.tolist())


def _resolved(resolver: Resolver, method: str, paths: list[str]) -> Batch:
    """Requests for these paths through the resolver."""
    fields = Fields.empty(len(paths))
    fields.status[:] = 200
    texts = [path.encode() for path in paths]
    start = len(method)
    span: Any = fields.span
    for row, text in enumerate(texts):
        span[row, FIELD["method"]] = 0, len(method)
        span[row, FIELD["target"]] = start, len(text)
        start += len(text)
    whole = method.encode() + b"".join(texts)
    buffer = np.frombuffer(whole + bytes(64), np.uint8).copy()
    zeros = np.zeros(len(paths), np.int64)
    return resolver.resolve(Chunk(buffer, zeros, zeros, zeros, 0), fields)
