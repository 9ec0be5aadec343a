"""The section `policy`: whose data it is, who may read it, and who has to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detector.config_rule import Rule
from detector.config_rule import option as _option


@dataclass(frozen=True)
class PartyMatchConfig:
    """How a party's requests are told: by its accounts and keys, by its networks, or, where both are named, by both."""

    accounts: tuple[str, ...] = _option((), Rule("accounts as the log names them"))
    account_prefixes: tuple[str, ...] = _option((), Rule("beginnings of accounts, such as staff-"))
    keys: tuple[str, ...] = _option(
        (), Rule("API keys as incidents name them: key~ and 16 hexadecimal digits", check="key")
    )
    networks: tuple[str, ...] = _option((), Rule("addresses or networks, such as 192.0.2.0/24", check="network"))


@dataclass(frozen=True)
class ConsentConfig:
    """What a party may read only of persons who have allowed it."""

    classes: tuple[str, ...] = _option((), Rule("classes of data that need a grant of the person", required=True))
    manners: tuple[str, ...] = _option(
        ("explicit",),
        Rule(
            "kinds of grant that count; explicit also where a ledger does not say",
            choices=("explicit", "default_ticked", "bundled", "other"),
        ),
    )


@dataclass(frozen=True)
class PartyConfig:
    """Somebody with access of his own, and what he may read."""

    name: str = _option("", Rule("who it is, as the consent ledger has it too", check="name", required=True))
    kind: str = _option(
        "partner",
        Rule(
            "staff and service need a purpose for purpose_classes",
            choices=("first_party", "partner", "advertiser", "staff", "service"),
        ),
    )
    match: PartyMatchConfig = _option(
        PartyMatchConfig(), Rule("how it is recognised; of a party that is a partner too, as that")
    )
    classes: tuple[str, ...] = _option((), Rule("classes of data it may read; any by default"))
    purposes: tuple[str, ...] = _option((), Rule("purposes it may name; any by default"))
    hours: tuple[str, ...] = _option(
        (), Rule("hours of the day in UTC, such as 02:00-04:00; any by default", check="hours")
    )
    countries: tuple[str, ...] = _option(
        (), Rule("countries it may read from, as identity.country_database calls them; any by default")
    )
    persons_per_day: int | None = _option(None, Rule("most persons whose data it reads a day (UTC)", 1, 10**12))
    valid_until: str = _option("", Rule("last day of log time (UTC) on which it may read at all", check="date"))
    background: bool = _option(
        False, Rule("it reads while persons are away, too, as a nightly job does; how often is then no question")
    )
    consent: ConsentConfig | None = _option(None, Rule("what needs a person's grant"))


@dataclass(frozen=True)
class LedgerConfig:
    """Where the consent ledger comes from: who has allowed what to whom, and taken it back."""

    files: tuple[Path, ...] = _option((), Rule("CSV, Parquet or JSON lines: snapshots and changes"))
    topic: str = _option("", Rule("a Kafka topic of JSON messages on the brokers of the source"))


@dataclass(frozen=True)
class PolicyConfig:
    """Whose data it is, and who may read it for what."""

    persons: Path | None = _option(
        None,
        Rule("a CSV file record,person that tells whose record is whose, so that persons are counted", check="file"),
    )
    purpose_classes: tuple[str, ...] = _option(
        (), Rule("classes of data that staff and services read only with a purpose")
    )
    dormant_days: int = _option(90, Rule("days without anything of their own after which persons are dormant", 1, 3650))
    last_seen: Path | None = _option(
        None,
        Rule("a CSV file person,last_seen (dates): without it dormancy is known after dormant_days", check="file"),
    )
    parties: tuple[PartyConfig, ...] = _option((), Rule("who has access, and to what"))
    ledger: LedgerConfig | None = _option(None, Rule("who has allowed what to whom"))
