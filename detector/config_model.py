"""What can be configured: one frozen dataclass a section. Names carry units; each option says what it does and where
its default comes from. The loader, its messages and the reference table in the README come from these fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

IDENTITY_KINDS = ("account", "key", "session", "address")


class Rule(NamedTuple):
    """What a value may be, beyond its type.

    Attributes:
        help: one line for people.
        low, high: bounds of a number, both included.
        choices: the closed list a text (or each text of a list, or each key of a mapping) comes from.
        check: names a further check of the loader: ``"network"`` or ``"file"``.
        required: has no default.
    """

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    check: str = ""
    required: bool = False


def _option(default: Any, rule: Rule) -> Any:
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"rule": rule})
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True)
class IdentityConfig:
    """Who asks."""

    ladder: tuple[str, ...] = _option(
        IDENTITY_KINDS,
        Rule("what names a client, best first; the first one present in a line counts", None, None, IDENTITY_KINDS),
    )
    trusted_proxies: tuple[str, ...] = _option(
        (), Rule("networks whose X-Forwarded-For is believed; nobody by default", check="network")
    )


@dataclass(frozen=True)
class RoutesConfig:
    """What is asked."""

    slug_after: int = _option(
        32,
        Rule(
            "distinct literal names under one path that make the place an object; "
            "a resource rarely has more than a few dozen fixed children (judgement)",
            2,
            4096,
        ),
    )


@dataclass(frozen=True)
class DetectionConfig:
    """When enough has been seen."""

    false_incidents_per_day: float = _option(
        1.0, Rule("false incidents above informational that are accepted, all patterns together", 0.001, 1000)
    )
    min_records: int = _option(
        100,
        Rule(
            "fewest distinct records of one client and day that amount and coldness together may raise (judgement; "
            "single people read up to 874 a day on a public portal, but popular ones)",
            1,
            10**9,
        ),
    )
    lateness_seconds: float = _option(
        60.0, Rule("how long records wait to be put in order; servers log a request when it ends", 0, 3600)
    )
    close_after_hours: float = _option(
        30.0,
        Rule("quiet time that closes an incident; over a day, so that one that comes back daily stays one", 0.1, 720),
    )
    patterns: dict[str, bool] = _option({}, Rule("patterns of the catalogue, on or off; on where not named"))


@dataclass(frozen=True)
class MatchConfig:
    """Which clients a rule speaks of: any of the named accounts, or any address in the networks."""

    accounts: tuple[str, ...] = _option((), Rule("accounts as the log names them"))
    networks: tuple[str, ...] = _option((), Rule("addresses or networks, such as 192.0.2.0/24", check="network"))


@dataclass(frozen=True)
class PartnerConfig:
    """A declared client that reads in bulk by agreement: an export, a crawler. It raises nothing."""

    name: str = _option("", Rule("who it is, for people", required=True))
    match: MatchConfig = _option(MatchConfig(), Rule("how it is recognised", required=True))


@dataclass(frozen=True)
class StateConfig:
    """What is remembered, in fixed memory."""

    clients: int = _option(1 << 20, Rule("clients remembered at once", 1024, 1 << 26))
    objects: int = _option(1 << 23, Rule("recently read objects remembered at once", 1024, 1 << 31))
    key_file: Path | None = _option(
        None, Rule("secret of at least 16 bytes that keys all hashes; a published key without it", check="file")
    )


@dataclass(frozen=True)
class Config:
    """A whole configuration; its default is what runs without a file."""

    identity: IdentityConfig = _option(IdentityConfig(), Rule("who asks"))
    routes: RoutesConfig = _option(RoutesConfig(), Rule("what is asked"))
    detection: DetectionConfig = _option(DetectionConfig(), Rule("when enough has been seen"))
    partners: tuple[PartnerConfig, ...] = _option((), Rule("clients that read in bulk by agreement"))
    state: StateConfig = _option(StateConfig(), Rule("what is remembered"))
