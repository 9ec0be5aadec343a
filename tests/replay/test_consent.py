"""What a party may read and what not, told by whole replays of small logs: each rule by its letter."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.config import Config, ReplaySettings, load_config
from detector.engines.local import make_resolver, replay, rules, sizes
from detector.errors import InputError
from detector.incidents.incident import Incident
from detector.pipeline import Pipeline
from detector.report.notice import notice
from tests.unit.test_records_persons import database

START = 1_767_600_000  # 2026-01-05 08:00 UTC
POLICY = """
routes:
  templates:
    - {route: "GET /bills/{user}", data_classes: [bill]}
    - {route: "GET /chats/{user}", data_classes: [chat]}
policy:
  purpose_classes: [chat]
  parties:
    - name: bank
      match: {accounts: [bank-api]}
      classes: [bill]
      purposes: [loan]
      hours: ["06:00-22:00"]
      valid_until: 2026-01-31
      consent: {classes: [bill]}
    - {name: desk, kind: staff, match: {account_prefixes: [staff-]}}
    - {name: shop, match: {accounts: [shop-api]}, classes: [bill], persons_per_day: 10}
  ledger: {files: [ledger.csv]}
"""

Read = tuple[float, str, str, str]  # second, account, path, purpose
Change = tuple[float, str, int, str, str]  # second, action, subject, partner, manner


def _land(path: Path) -> Path:
    """A database in which 192.0.2.0/24, where parties read from, is in the Netherlands."""
    return database(path, {"192.0.2.0/24": {"country": {"iso_code": "NL"}}}, 24)


def _stamp(second: float) -> str:
    return datetime.fromtimestamp(START + second, UTC).isoformat().replace("+00:00", "Z")


def _line(read: Read) -> str:
    second, account, path, purpose = read
    return json.dumps(
        {
            "time": _stamp(second),
            "remote_addr": "192.0.2.7",
            "remote_user": account,
            "method": "GET",
            "path": path,
            "status": 200,
            "bytes": 100,
            "purpose": purpose,
        }
    )


def _people() -> list[Read]:
    return [(float(s), f"user{s % 50}", f"/bills/{100_000 + s % 50}", "") for s in range(0, 1800, 5)]


def _found(tmp_path: Path, reads: Sequence[Read], changes: Sequence[Change], policy: str = POLICY) -> list[Incident]:
    """The incidents of consent; ordinary people read their own bills beside, and keep log time going."""
    (tmp_path / "log.jsonl").write_text("".join(_line(read) + "\n" for read in sorted([*_people(), *reads])))
    rows = [
        f"{_stamp(s)},{action},{person},{partner},bill,{manner}\n" for s, action, person, partner, manner in changes
    ]
    (tmp_path / "ledger.csv").write_text("time,action,subject,partner,class,manner\n" + "".join(rows))
    (tmp_path / "policy.yaml").write_text(policy)
    settings = ReplaySettings(load_config(tmp_path / "policy.yaml"))
    return [one for one in replay([tmp_path / "log.jsonl"], settings).incidents if one.pattern == "consent"]


def _says(incidents: list[Incident]) -> dict[str, dict[str, float]]:
    return {str(one.partner): {f.name: f.value for f in one.evidence if f.weight} for one in incidents}


GRANTED: list[Change] = [(-3600.0 + p, "grant", p, "bank", "explicit") for p in range(20)]


def _bank(first: int = 0, count: int = 20, at: float = 600.0, purpose: str = "loan") -> list[Read]:
    return [(at + p, "bank-api", f"/bills/{p}", purpose) for p in range(first, first + count)]


def test_reads_that_were_granted_say_nothing(tmp_path: Path) -> None:
    """Twenty persons have agreed, and twenty are read of."""
    assert _found(tmp_path, _bank(), GRANTED) == []


def test_reads_without_a_grant_are_told_with_their_persons(tmp_path: Path) -> None:
    """Five more than have agreed: five reads, five persons, and how many persons that are for one that was asked."""
    (one,) = _found(tmp_path, _bank(count=25), GRANTED)
    assert _says([one]) == {"bank": {"reads_without_grant": 5}}
    assert one.persons_exposed is not None
    assert one.persons_exposed.estimate == 5
    assert one.endpoints == ["GET /bills/{user}"]
    assert {f.name: f.value for f in one.evidence}["persons_per_grant"] == 1.25


def test_a_revocation_counts_from_its_second_on(tmp_path: Path) -> None:
    """Read in the second of the revocation, all is well; a second later it is a breach, of each of five persons."""
    revoked: list[Change] = [(700.0, "revoke", p, "bank", "") for p in range(5)]
    reads = [(700.9, "bank-api", f"/bills/{p}", "loan") for p in range(5)]
    assert _found(tmp_path, reads, [*GRANTED, *revoked]) == []
    late = [(701.0, "bank-api", f"/bills/{p}", "loan") for p in range(5)]
    assert _says(_found(tmp_path, late, [*GRANTED, *revoked])) == {"bank": {"reads_after_revocation": 5}}


def test_a_grant_counts_from_its_second_on(tmp_path: Path) -> None:
    """Who agrees at 700 had not agreed at 699."""
    later: list[Change] = [(700.0, "grant", p, "bank", "explicit") for p in range(30, 35)]
    early = [(699.0, "bank-api", f"/bills/{p}", "loan") for p in range(30, 35)]
    assert _says(_found(tmp_path, early, [*GRANTED, *later])) == {"bank": {"reads_before_grant": 5}}
    on_time = [(700.0, "bank-api", f"/bills/{p}", "loan") for p in range(30, 35)]
    assert _found(tmp_path, on_time, [*GRANTED, *later]) == []


def test_changes_may_come_in_any_order(tmp_path: Path) -> None:
    """Granted, taken back and granted again, told backwards: each read is held against its own second."""
    changes: list[Change] = [
        *((1000.0, "grant", p, "bank", "explicit") for p in range(5)),
        *((500.0, "revoke", p, "bank", "") for p in range(5)),
        *((-100.0, "grant", p, "bank", "explicit") for p in range(5)),
    ]
    reads = [(t + p, "bank-api", f"/bills/{p}", "loan") for t in (100.0, 600.0, 1100.0) for p in range(5)]
    assert _says(_found(tmp_path, reads, changes)) == {"bank": {"reads_after_revocation": 5}}


def test_a_ticked_box_is_no_consent_where_the_policy_says_so(tmp_path: Path) -> None:
    """The same grants by a box ticked by default: all reads are told; where the policy takes them, none is."""
    ticked: list[Change] = [(s, a, p, b, "default_ticked") for s, a, p, b, _ in GRANTED]
    assert _says(_found(tmp_path, _bank(), ticked)) == {"bank": {"reads_on_ticked_grant": 20}}
    taken = POLICY.replace(
        "consent: {classes: [bill]}", "consent: {classes: [bill], manners: [explicit, default_ticked]}"
    )
    assert _found(tmp_path, _bank(), ticked, taken) == []


@pytest.mark.parametrize(
    ("reads", "finding"),
    [
        (_bank(purpose="ads"), "reads_for_other_purposes"),
        ([(600.0 + p, "bank-api", f"/chats/{p}", "loan") for p in range(20)], "reads_of_other_classes"),
    ],
)
def test_other_purposes_and_classes_are_told(tmp_path: Path, reads: list[Read], finding: str) -> None:
    """What was not agreed with the party, whatever persons have granted."""
    (said,) = _says(_found(tmp_path, reads, GRANTED)).values()
    assert said[finding] == 20


def test_hours_and_the_end_of_an_agreement_are_kept(tmp_path: Path) -> None:
    """The same reads under a policy whose hours are others, and under one that has run out."""
    night = POLICY.replace("06:00-22:00", "01:00-02:00")
    assert _says(_found(tmp_path, _bank(), GRANTED, night)) == {"bank": {"reads_at_other_hours": 20}}
    over = POLICY.replace("2026-01-31", "2026-01-04")
    assert _says(_found(tmp_path, _bank(), GRANTED, over)) == {"bank": {"reads_after_its_end": 20}}


def test_a_party_reads_from_its_countries_only(tmp_path: Path) -> None:
    """Read from the Netherlands, where that is agreed, all is well; where only Germany is, all reads are told, and so
    are they where somebody reads from outside of the networks declared."""
    where = f"identity: {{country_database: {_land(tmp_path / 'land.mmdb')}}}\n"
    for country, told in (("NL", {}), ("DE", {"bank": {"reads_from_other_countries": 20}})):
        said = POLICY.replace("purposes: [loan]", f"purposes: [loan]\n      countries: [{country}]")
        assert _says(_found(tmp_path, _bank(), GRANTED, where + said)) == told
    for network, told in (("192.0.2.0/24", {}), ("198.51.100.0/24", {"bank": {"reads_from_other_networks": 20}})):
        said = POLICY.replace("{accounts: [bank-api]}", f"{{accounts: [bank-api], networks: [{network}]}}")
        assert _says(_found(tmp_path, _bank(), GRANTED, said)) == told


def test_a_grant_for_one_purpose_is_none_for_another(tmp_path: Path) -> None:
    """Granted for a loan, read for an offer, which the party may name: beyond the grant's scope, with its persons."""
    (tmp_path / "ledger.jsonl").write_text(
        "".join(
            json.dumps(
                {"time": _stamp(-60), "action": "grant", "subject": str(p), "partner": "bank", "purpose": "loan"}
            )
            + "\n"
            for p in range(20)
        )
    )
    said = POLICY.replace("[loan]", "[loan, offer]").replace("ledger.csv", "ledger.jsonl")
    assert _found(tmp_path, _bank(), [], said) == []
    (one,) = _found(tmp_path, _bank(purpose="offer"), [], said)
    assert _says([one]) == {"bank": {"reads_beyond_scope": 20}}
    assert {f.name: f.value for f in one.evidence}["persons_beyond_scope"] == 20


@pytest.mark.parametrize("kind", ["staff", "service"])
def test_inside_parties_need_a_purpose_and_partners_a_grant(tmp_path: Path, kind: str) -> None:
    """A service is held to purposes like staff; the same reads by a partner are none of this check's."""
    silent = [(600.0 + p, f"staff-{p % 3}", f"/chats/{p}", "") for p in range(9)]
    inside = POLICY.replace("kind: staff", f"kind: {kind}")
    assert _says(_found(tmp_path, silent, GRANTED, inside)) == {"desk": {"reads_without_purpose": 9}}
    assert _found(tmp_path, silent, GRANTED, POLICY.replace("kind: staff", "kind: partner")) == []


def test_reads_on_smelling_grants_are_told_apart(tmp_path: Path) -> None:
    """Of a party that reads on smelling grants and without any, two incidents tell: each has its own persons."""
    asked: list[Change] = []
    for n in range(1200):
        asked += [(n * 0.5, "view", 2000 + n, "bank", ""), (n * 0.5 + 0.4, "grant", 2000 + n, "bank", "")]
    reads = [(1200.0 + p, "bank-api", f"/bills/{2000 + p}", "loan") for p in range(30)]
    stray = [(1300.0 + p, "bank-api", f"/bills/{9000 + p}", "loan") for p in range(7)]
    found = [one for one in _found(tmp_path, [*reads, *stray], asked) if one.requests]
    told = sorted(
        {f.name: f.value for f in one.evidence if f.name.startswith(("reads", "persons_o"))}.items() for one in found
    )
    assert [dict(items) for items in told] == [
        {"persons_on_smelling_grant": 30, "reads_on_smelling_grant": 30},
        {"reads_without_grant": 7},
    ]
    assert [one.persons_exposed.estimate for one in found if one.persons_exposed] in ([30, 7], [7, 30])
    record = next(one for one in found if one.requests == 30).record()
    facts = "\n".join(notice(json.loads(json.dumps(record)), None))
    assert "screen that did not ask: 30 reads of 30 persons" in facts
    assert "to be told apart" in facts
    other = "\n".join(notice(json.loads(json.dumps(next(one for one in found if one.requests == 7).record())), None))
    assert "no grant was ever given: 7 reads of 7 persons" in other
    assert "to be told apart" not in other


def test_the_records_exposed_say_what_was_wanting(tmp_path: Path) -> None:
    """`--exposed` names the reason beside each record, so that persons are told what concerns them."""
    _found(tmp_path, _bank(count=25), GRANTED)  # writes the files
    done = CliRunner().invoke(
        app,
        [
            *("replay", "-q", "--config", str(tmp_path / "policy.yaml")),
            *("--exposed", str(tmp_path / "gone.csv"), str(tmp_path / "log.jsonl")),
        ],
    )
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "gone.csv").read_text().splitlines()))
    assert {row["record"]: row["why"] for row in rows if row["pattern"] == "consent"} == {
        str(p): "reads_without_grant" for p in range(20, 25)
    }


def test_without_a_policy_nothing_is_kept_or_looked_at(tmp_path: Path) -> None:
    """The same log without the policy: no incident of consent, no tick of it, and not a byte in a snapshot."""
    assert _found(tmp_path, _bank(count=25), GRANTED, "detection: {}\n") == []
    pipeline = Pipeline(rules(Config()), sizes(Config()), make_resolver(Config())[1])
    assert not pipeline.consents.is_on
    assert pipeline.consents.save() == {}
    assert not any(name.startswith("consents.") for name in pipeline.save().arrays)


def test_staff_reads_content_with_a_purpose_only(tmp_path: Path) -> None:
    """Chats read by staff without a purpose are told, with one they are not; bills need none."""
    silent = [(600.0 + p, f"staff-{p % 3}", f"/chats/{p}", "") for p in range(9)]
    assert _says(_found(tmp_path, silent, GRANTED)) == {"desk": {"reads_without_purpose": 9}}
    named = [(t, account, path, "ticket-4711") for t, account, path, _ in silent]
    bills = [(600.0 + p, f"staff-{p % 3}", f"/bills/{p}", "") for p in range(9)]
    assert _found(tmp_path, [*named, *bills], GRANTED) == []


def test_more_persons_in_a_day_than_agreed_are_told(tmp_path: Path) -> None:
    """Ten were agreed, eleven are told."""
    ten = [(600.0 + p, "shop-api", f"/bills/{p}", "") for p in range(10)]
    assert _found(tmp_path, ten, GRANTED) == []
    eleven = [*ten, (620.0, "shop-api", "/bills/10", "")]
    assert _says(_found(tmp_path, eleven, GRANTED)) == {"shop": {"persons_today": 11}}


def test_one_or_two_reads_accuse_nobody(tmp_path: Path) -> None:
    """Two reads that nobody granted are no incident, the third makes one of three."""
    assert _found(tmp_path, _bank(first=50, count=2), GRANTED) == []
    (one,) = _found(tmp_path, _bank(first=50, count=3), GRANTED)
    assert one.requests == 3


def test_without_a_ledger_nobody_is_accused_of_reading_without_grants(tmp_path: Path) -> None:
    """A ledger that says nothing is no ledger: what needs one is not judged."""
    assert _found(tmp_path, _bank(), []) == []


@pytest.mark.parametrize(("late_s", "told"), [(60.0, {"bank": {"reads_without_grant": 5}}), (1200.0, {})])
def test_a_ledger_that_is_too_late_accuses_nobody(tmp_path: Path, late_s: float, told: dict[str, object]) -> None:
    """Grants that the ledger has a minute after they were given are waited for, and five reads without one are told;
    while it takes twenty minutes for each, nobody is accused, and how many reads that concerns is said."""
    (tmp_path / "log.jsonl").write_text(
        "".join(_line(read) + "\n" for read in sorted([*_bank(count=25, at=1300.0), *_people()]))
    )
    rows = [
        f"{_stamp(s)},{_stamp(s + late_s)},grant,{p},bank,bill\n" for s, p in zip(range(20, 40), range(20), strict=True)
    ]
    (tmp_path / "ledger.csv").write_text("time,received_at,action,subject,partner,class\n" + "".join(rows))
    (tmp_path / "policy.yaml").write_text(POLICY)
    result = replay([tmp_path / "log.jsonl"], ReplaySettings(load_config(tmp_path / "policy.yaml")))
    assert _says([one for one in result.incidents if one.pattern == "consent"]) == told
    assert any("25 were not judged" in line for line in result.floor) == (not told)


def test_a_screen_that_does_not_ask_is_told_before_anything_is_read(tmp_path: Path) -> None:
    """Twelve hundred people are shown a screen and agree within half a second; the ledger says nothing of a tick."""
    asked: list[Change] = []
    for n in range(1200):
        asked += [(n * 0.5, "view", 2000 + n, "bank", ""), (n * 0.5 + 0.4, "grant", 2000 + n, "bank", "")]
    reads = [(1200.0 + p, "bank-api", f"/bills/{2000 + p}", "loan") for p in range(100)]
    first, second = _found(tmp_path, reads, asked)
    assert {f.name for f in first.evidence} >= {"consent_grant_rate", "grants_within_a_second"}
    assert first.raised_at < _stamp(1200)
    assert _says([second]) == {"bank": {"reads_on_smelling_grant": 100}}
    assert [one for one in _found(tmp_path, [], asked) if one.requests] == []


def test_a_screen_that_asks_is_not_told(tmp_path: Path) -> None:
    """Forty in a hundred agree, after some seconds."""
    asked: list[Change] = []
    for n in range(3000):
        asked.append((n * 0.5, "view", 2000 + n, "bank", ""))
        asked.append((n * 0.5 + 7, "grant" if n % 5 < 2 else "decline", 2000 + n, "bank", ""))
    assert _found(tmp_path, [], asked) == []


def test_what_is_no_ledger_is_an_error(tmp_path: Path) -> None:
    """A table without a person in it is refused by name."""
    (tmp_path / "log.jsonl").write_text(_line((0.0, "u", "/bills/1", "")) + "\n")
    (tmp_path / "ledger.csv").write_text("time,what\n2026-01-05,grant\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    with pytest.raises(InputError, match="no consent ledger"):
        replay([tmp_path / "log.jsonl"], ReplaySettings(load_config(tmp_path / "policy.yaml")))
