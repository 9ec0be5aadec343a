"""Simulated logs: sound lines, ordinary traffic that is ordinary, and a truth that the log itself confirms."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest

from detector.errors import InputError, UsageError
from detector.simulate import Options, Simulation, simulate
from detector.simulate.shop.log import SHOP_PATTERNS
from detector.simulate.shop.machines import PARTNER_ACCOUNT
from detector.simulate.shop.ordinary import hour_factor
from detector.simulate.site import Popularity, scatter
from detector.simulate.traffic import Actors
from detector.simulate.truth import Truth

LINE = re.compile(
    r"(?P<address>[0-9a-f.:]+) - (?P<account>\S+) \[(?P<time>[^]]+)\] "
    r'"(?P<method>GET|POST) (?P<target>/\S*) HTTP/1\.1" (?P<status>\d{3}) (?P<bytes>\d+) "[^"]*" "[^"]+"'
)
SMALL = Options(seed=7, duration_seconds=3 * 3600, rate=2, clients=1000, ids=20_000, attack_seconds=120)


def parsed(made: Simulation) -> list[dict[str, str]]:
    """Every line's fields, by a regular expression; fails on a line that is not combined format."""
    lines = made.text().decode("ascii").removesuffix("\n").split("\n")
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), next(line for line, match in zip(lines, matches, strict=True) if not match)
    return [match.groupdict() for match in matches if match]


@cache
def second(stamp: str) -> int:
    """Seconds since 1970 of a log stamp."""
    return int(datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z").timestamp())


@pytest.mark.parametrize("pattern", ["quiet", *SHOP_PATTERNS])
def test_lines_are_combined_format_in_order_of_time(pattern: str) -> None:
    """Each line parses, no stamp precedes the one before, and all lie inside the log."""
    stamps = [second(fields["time"]) for fields in parsed(simulate(pattern, SMALL))]
    assert stamps == sorted(stamps)
    assert SMALL.start_us <= stamps[0] * 1_000_000
    assert stamps[-1] * 1_000_000 < SMALL.end_us


@pytest.mark.parametrize("pattern", SHOP_PATTERNS)
def test_truth_agrees_with_the_log(pattern: str) -> None:
    """Records taken, by every second, recounted from the lines of the clients the truth names."""
    made = simulate(pattern, SMALL)
    attack = made.truth.attack
    assert attack is not None
    before, _, after = attack.route.removeprefix("GET ").partition("{id}")
    after = after.partition("{")[0]
    names = set(attack.clients)
    theirs = [
        fields
        for fields in parsed(made)
        if (fields["account"] if fields["account"] != "-" else fields["address"]) in names
        and fields["target"].startswith(before)
        and after in fields["target"]
    ]
    assert [second(fields["time"]) for fields in theirs] == attack.second.tolist()
    seen: set[str] = set()
    gone = {}
    for fields in theirs:
        seen |= {fields["target"]} if fields["status"] == "200" else set()
        gone[second(fields["time"])] = len(seen)
    assert attack.records == len(seen)
    assert all(attack.records_by(at) == count for at, count in gone.items())


def test_seed_decides_the_log() -> None:
    """The same seed gives the same bytes, another seed or day another log."""
    text = simulate("P1", SMALL).text()
    assert simulate("p1", SMALL).text() == text
    assert simulate("P1", replace(SMALL, seed=8)).text() != text
    moved = simulate("P1", replace(SMALL, start=datetime(2026, 3, 4, tzinfo=UTC)))
    assert moved.text().replace(b"04/Mar", b"03/Mar") != text


def test_ordinary_traffic_is_the_same_beside_any_pattern() -> None:
    """The quiet log's lines are those of the attacked log without the attacker's."""
    quiet = Counter(simulate("quiet", SMALL).text().split(b"\n"))
    attacked = simulate("P3", SMALL)
    assert attacked.truth.attack is not None
    extra = Counter(attacked.text().split(b"\n")) - quiet
    assert not quiet - Counter(attacked.text().split(b"\n"))
    assert extra.total() == len(attacked.truth.attack.second)


def test_rate_and_hours() -> None:
    """People ask about ``rate`` times a second over a day, three times as often at the peak as at night."""
    made = simulate("quiet", Options(seed=3, duration_seconds=86_400, rate=3, clients=5000))
    machines = ("198.18.0.7", "198.51.100.", "203.0.113.")
    person = np.array([not address.startswith(machines) for address in made.actors.addresses])
    time_us = made.traffic.time_us[person[made.traffic.actor]]
    assert len(time_us) / 86_400 == pytest.approx(3, rel=0.1)
    by_hour = np.bincount(time_us // 3_600_000_000 % 24)
    assert by_hour[13:16].sum() / by_hour[1:4].sum() == pytest.approx(3, rel=0.25)
    assert hour_factor(np.array([14, 2]) * 3_600_000_000).tolist() == pytest.approx([1.5, 0.5])


def test_shares_of_ordinary_traffic() -> None:
    """Between 2 % and 4 % of the record reads are misses, and some answers are 304."""
    fields = parsed(simulate("quiet", replace(SMALL, duration_seconds=8 * 3600.0)))
    reads = [f["status"] for f in fields if re.match(r"/(items|api/v1/(users|reviews))[/?].*\d", f["target"])]
    assert 0.01 < Counter(reads)["404"] / len(reads) < 0.04
    assert Counter(f["status"] for f in fields)["304"] > len(fields) / 50
    accounts = {f["account"] for f in fields}
    assert "-" in accounts
    assert len(accounts) > 100
    assert any(":" in f["address"] for f in fields)


def test_partner_exports_at_two_in_the_morning() -> None:
    """The partner reads ids 1, 2, 3 ... within half an hour of 02:00 UTC, from its own range."""
    fields = [f for f in parsed(simulate("quiet", SMALL)) if f["account"] == PARTNER_ACCOUNT]
    ids = [int(f["target"].rsplit("/", 1)[1]) for f in fields]
    assert ids == list(range(1, len(ids) + 1))
    assert {f["time"][12:15] for f in fields} == {"02:"}
    assert all(f["address"].startswith("198.51.100.") for f in fields)


def test_slow_account_stays_under_limits() -> None:
    """P2 makes fewer than 5,000 requests a day and rests between three and seven."""
    made = simulate("P2", Options(seed=2, duration_seconds=86_400, rate=0.2, clients=500, attack_start_seconds=0))
    attack = made.truth.attack
    assert attack is not None
    assert 2000 < len(attack.second) < 5000
    assert not np.isin(attack.second // 3600 % 24, [3, 4, 5, 6]).any()


def test_campaign_uses_an_address_once() -> None:
    """P4 comes from as many addresses as it makes requests, and reads no page twice."""
    attack = simulate("P4", SMALL).truth.attack
    assert attack is not None
    assert len(attack.clients) == len(attack.second)
    assert attack.records == (attack.record >= 0).sum()


def test_sweep_identities_can_be_chosen() -> None:
    """P3 over 50 addresses names all of them, busiest first."""
    attack = simulate("P3", replace(SMALL, identities=50)).truth.attack
    assert attack is not None
    assert len(attack.clients) == 50
    counts = np.bincount(attack.client)
    assert (np.diff(counts) <= 0).all()


def test_written_log_and_truth_read_back(tmp_path: Path) -> None:
    """A compressed log holds the same text, twice the same bytes; the truth survives its file."""
    made = simulate("P1", SMALL)
    for name in ("a.log.gz", "b.log.gz"):
        assert made.write(tmp_path / name) == len(made.text())
    assert (tmp_path / "a.log.gz").read_bytes() == (tmp_path / "b.log.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.log.gz").read_bytes()) == made.text()
    made.truth.write(tmp_path / "truth.json")
    back = Truth.read(tmp_path / "truth.json")
    assert back.document() == made.truth.document()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "pattern": 3', "\x00"])
def test_damaged_truth_is_refused(tmp_path: Path, text: str) -> None:
    """What is no truth is an input error that names the file or the fault."""
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(InputError):
        Truth.read(path)


def test_bad_options_are_named_all_at_once() -> None:
    """Every option out of range is in one message."""
    with pytest.raises(UsageError, match=r"(?s)rate -1.*form 'sly'"):
        Options(rate=-1, form="sly")
    with pytest.raises(UsageError, match="no pattern 'P99'"):
        simulate("P99", SMALL)
    with pytest.raises(UsageError, match="raise --ids"):
        simulate("P1", replace(SMALL, attack_rate=500.0))
    with pytest.raises(UsageError, match="log format"):
        simulate("P1", replace(SMALL, log_format="xml"))


def test_scatter_is_one_to_one() -> None:
    """Ranks are spread over all ids without a repetition."""
    for n in (1000, 1024, 99_999):
        assert sorted(scatter(np.arange(n), n).tolist()) == list(range(1, n + 1))


@pytest.mark.parametrize("exponent", [0.0, 0.8, 1.0, 1.2])
def test_popularity_follows_zipf(exponent: float) -> None:
    """The share of the most popular tenth is that of the continuous Zipf law."""
    n, top = 1000, 100
    drawn = Popularity(n, exponent).draw(np.random.default_rng(1), 50_000)
    favourites = set(scatter(np.arange(top), n).tolist())
    share = np.isin(drawn, list(favourites)).mean()
    k = 1 - exponent
    law = np.log(top + 1) / np.log(n + 1) if exponent == 1 else ((top + 1) ** k - 1) / ((n + 1) ** k - 1)
    assert share == pytest.approx(law, abs=0.01)


def test_client_names() -> None:
    """An account is named by itself, an IPv6 address by its /64, an IPv4 address as it is."""
    actors = Actors()
    actors.add(["2001:db8:1:2:3:4:5:6", "192.0.2.1", "192.0.2.1"], ["-", "-", "ann"], ["x"] * 3)
    assert [actors.name(row) for row in range(3)] == ["2001:db8:1:2::/64", "192.0.2.1", "ann"]


def test_people_look_public() -> None:
    """Ordinary IPv4 visitors, shared carrier addresses apart, come from global addresses."""
    made = simulate("quiet", SMALL)
    plain = {a for a in made.actors.addresses if ":" not in a and not a.startswith(("100.64.", "198.", "203.0.113."))}
    assert all(ip_address(address).is_global for address in plain)
