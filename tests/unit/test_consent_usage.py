"""How parties use their grants: filters that never accuse wrongly, a null that holds, and what convicts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors.signal import Budget
from detector.detectors.usage import TESTS, Verdict, agreement, drift, long_gone, while_away
from detector.errors import SnapshotVersion, UsageError
from detector.evidence.likelihood import PRIOR_STRENGTH
from detector.evidence.seen import PROBES, Seen
from detector.evidence.usage import DRIFT, HOUR_US, HOURS, PLENTY, PURPOSES, Usage, Uses
from detector.records.keys import REPLAY_KEY
from detector.records.last_seen import read_last_seen
from detector.records.persons import hash_id

MINUTE_US = 60_000_000
NOW = 500_000 * HOUR_US
PARTIES = 6


def persons(rng: np.random.Generator, n: int) -> npt.NDArray[np.uint64]:
    """Keyed hashes as good as any."""
    return rng.integers(1, 1 << 64, n, np.uint64)


def test_nobody_who_was_there_is_said_to_have_been_away() -> None:
    """Of persons seen in a hundred minutes each is found for ten minutes; later, and of others, hardly any is."""
    rng = np.random.default_rng(1)
    seen, who = Seen(MINUTE_US, 32, 1 << 14), persons(rng, 2000)
    at = NOW + np.sort(rng.integers(0, 100, 2000)) * MINUTE_US
    for start in range(0, 2000, 100):
        part = slice(start, start + 100)
        seen.add(who[part], at[part])
        assert seen(who[part], at[part] + 10 * MINUTE_US, 10).all()
    last = at[-1] + 11 * MINUTE_US
    assert seen(who, np.full(2000, last), 10).mean() < 0.03
    assert seen(persons(rng, 2000), np.full(2000, at[-1]), 10).mean() < 0.03


def test_filters_do_not_depend_on_cuts_and_survive_a_snapshot() -> None:
    """One call or many, the same bits; another size or span is refused."""
    rng = np.random.default_rng(2)
    who, at = persons(rng, 500), NOW + np.sort(rng.integers(0, 40, 500)) * MINUTE_US
    whole, parts, loaded = (Seen(MINUTE_US, 8, 1 << 12) for _ in range(3))
    whole.add(who, at)
    for start in range(0, 500, 7):
        parts.add(who[start : start + 7], at[start : start + 7])
    loaded.load(whole.save())
    for seen in (parts, loaded):
        kept = seen.save()
        assert all(np.array_equal(kept[name], array) for name, array in whole.save().items())
    with pytest.raises(SnapshotVersion):
        Seen(MINUTE_US, 8, 1 << 13).load(whole.save())
    with pytest.raises(SnapshotVersion):
        Seen(2 * MINUTE_US, 8, 1 << 12).load(whole.save())


def test_filters_hold_the_bits_of_those_seen_and_no_others() -> None:
    """Row by row in plain Python the same bits are set: nobody's are not, nor those of a span older than the ring."""
    rng = np.random.default_rng(11)
    seen, who = Seen(MINUTE_US, 4, 1 << 10), persons(rng, 40)
    at = NOW + rng.permutation(40) % 6 * MINUTE_US
    who[::7] = 0
    expected = np.zeros((4, 1 << 10), np.bool_)
    for person, span in zip(who.tolist(), (at // MINUTE_US).tolist(), strict=True):
        if person and span > (NOW // MINUTE_US + 5) - 4:
            for probe in range(PROBES):
                expected[span % 4, (person + probe * (person >> 32 | 1)) % (1 << 10)] = True
    seen.add(who, at)
    kept = seen.save()
    np.testing.assert_array_equal(np.unpackbits(kept["rows"].view(np.uint8), axis=1, bitorder="little"), expected)
    assert sorted(kept["held"].tolist()) == [NOW // MINUTE_US + n for n in (2, 3, 4, 5)]


def used(
    party: int, past: tuple[float, int], now: tuple[float, int], rng: np.random.Generator, purposes: int = 1
) -> Uses:
    """A party with so many trials in the week before and in the last day, of which such shares are unlike the rest."""
    uses = Uses(party, 0, NOW - 200 * HOUR_US)
    for (share, trials), hours in ((past, range(192, 24, -1)), (now, range(23, -1, -1))):
        for back in hours:
            n = rng.binomial(trials, 1 / len(hours))
            odd = rng.random(n) < share
            purpose = np.where(odd & (purposes > 1), 22, 11).astype(np.uint64)
            uses.add(NOW // HOUR_US - back, odd, np.ones(n, np.bool_), odd, purpose)
    uses.pass_hours(NOW)
    return uses


def verdicts(parties: list[Uses]) -> list[list[Verdict]]:
    """Of each party, what is said against it beside the others."""
    found = []
    for uses in parties:
        others = [other for other in parties if other is not uses]
        said = while_away(uses, others, NOW), long_gone(uses, others, NOW), drift(uses, others[:1], parties, NOW)
        found.append([verdict for verdict in said if verdict is not None])
    return found


THRESHOLD = Budget().partner_threshold(TESTS * PARTIES)


def test_parties_that_go_on_as_ever_are_not_named() -> None:
    """Of two hundred worlds of six parties, each with a share of its own, hardly one day brings a false accusation: the
    partners' share of the budget is a twentieth of an incident a day."""
    rng, worlds, false = np.random.default_rng(3), 200, 0
    for _ in range(worlds):
        shares = rng.beta(0.5, 0.5, PARTIES)
        parties = [used(p, (s, 400), (s, 80), rng, purposes=2) for p, s in enumerate(shares.tolist())]
        false += any(verdict.nats >= THRESHOLD for said in verdicts(parties) for verdict in said)
    assert false <= Budget.PARTNERS * worlds / 5


SHARES = {"share_read_while_away", "share_of_dormant_persons"}


@pytest.mark.parametrize(
    ("past", "honest", "found"),
    [
        ((0.05, 400), 5, {*SHARES, "purpose_drift_bits"}),
        ((0.0, 0), 60, {"share_of_dormant_persons"}),
        ((0.0, 0), 3, set()),
    ],
    ids=["by its own past", "by many others", "few others prove nothing"],
)
def test_a_party_that_turns_is_named_and_no_other(past: tuple[float, int], honest: int, found: set[str]) -> None:
    """Nineteen of twenty persons are away and dormant today: who has a past is convicted by it, who has none by many
    others that are alike, never of drift; the honest ones never."""
    rng = np.random.default_rng(4)
    others = [used(p, (0.05, 400), (0.05, 80), rng, purposes=2) for p in range(1, honest + 1)]
    said = verdicts([used(0, past, (0.95, 80), rng, purposes=2), *others])
    threshold = Budget().partner_threshold(TESTS * len(said))
    convicted = [{v.finding.name for v in verdict if v.nats >= threshold} for verdict in said]
    assert convicted[0] == found
    assert not any(convicted[1:])


def test_one_nightly_job_among_others_is_not_named_on_its_first_day() -> None:
    """Everybody it reads is away, thousands of them, and the others differ: nothing follows from that."""
    rng = np.random.default_rng(9)
    others = [used(p, (0.0, 0), (share, 300), rng) for p, share in enumerate((0.1, 0.5, 0.8, 0.95), 1)]
    said = while_away(used(0, (0.0, 0), (1.0, 20_000), rng), others, NOW)
    assert said is None


def test_a_day_must_have_passed_before_absence_counts() -> None:
    """At night everybody is away: a party is not judged by its first hours."""
    rng = np.random.default_rng(5)
    uses = Uses(0, 0, NOW - 5 * HOUR_US)
    uses.add(NOW // HOUR_US - 1, *(np.ones(50, np.bool_),) * 3, np.ones(50, np.uint64))
    assert while_away(uses, [used(1, (0.05, 400), (0.05, 80), rng)], NOW) is None


def test_a_purpose_renamed_for_everybody_is_no_drift() -> None:
    """Where the other party that reads such data has come to say the same, nobody is accused; where not, it is."""
    rng = np.random.default_rng(6)
    turned, same, other = (used(p, (0.02, 400), (share, 80), rng, 2) for p, share in enumerate((0.97, 0.97, 0.02)))
    alone, together = (drift(turned, [beside], [turned, beside], NOW) for beside in (other, same))
    assert alone is not None
    assert together is not None
    assert alone.nats >= THRESHOLD > together.nats
    assert alone.more is not None
    assert turned.past["purpose"][0][alone.more].tolist() == [22]


def test_what_a_party_was_found_out_for_does_not_become_usual() -> None:
    """A marked day passes and its mix is not learnt; an unmarked one is."""
    rng = np.random.default_rng(7)
    for marked in (False, True):
        uses = used(0, (0.0, 400), (1.0, 80), rng, purposes=2)
        if marked:
            uses.mark(DRIFT, NOW)
        uses.pass_hours(NOW + 48 * HOUR_US)
        assert bool(uses.usual("mix")[1] > 0) is not marked
        assert uses.usual("absent")[0] > 0


def test_parties_whose_hours_agree_are_held_to_it() -> None:
    """With two hundred hours learnt the null narrows to what hours show; before that the prior holds."""
    rng = np.random.default_rng(8)
    parties = [used(p, (0.3, 3000), (0.3, 300), rng, purposes=2) for p in range(3)]
    assert agreement(parties[:1]) == PRIOR_STRENGTH
    assert agreement(parties) > 4 * PRIOR_STRENGTH


def test_many_persons_are_sampled_and_few_are_not() -> None:
    """Below `PLENTY` trials an hour everybody counts, above it halves, and the next hour begins anew."""
    uses, hour = Uses(0, 0, NOW), NOW // HOUR_US
    for trials, bits in ((PLENTY - 1, 0), (1, 1), (PLENTY, 2)):
        uses.add(hour, *(np.zeros(trials, np.bool_),) * 3, np.ones(trials, np.uint64))
        assert uses.thinned(NOW) == bits
    assert uses.thinned(NOW + HOUR_US) == 0


def test_uses_survive_a_snapshot() -> None:
    """What was counted and what is usual come back as they were, purposes beyond the table's end as others."""
    usage = Usage()
    uses = usage.of(2, 1, NOW)
    for back in (30, 3):
        n = 2 * PURPOSES
        uses.add(NOW // HOUR_US - back, *(np.ones(n, np.bool_),) * 3, np.arange(n, dtype=np.uint64))
    uses.pass_hours(NOW)
    other = Usage()
    other.load(usage.save())
    (again,) = other.everybody()
    assert again.hours.tobytes() == uses.hours.tobytes()
    assert again.past.tobytes() == uses.past.tobytes()
    assert again.of("mix", NOW).sum(axis=0).tolist() == [1] * (PURPOSES - 1) + [PURPOSES + 1]
    assert len(uses.hours) == HOURS


def test_the_file_of_when_persons_were_last_there(tmp_path: object) -> None:
    """Days count to their end, moments are as they are; what is none is an error with its line."""
    from pathlib import Path

    path = Path(str(tmp_path)) / "seen.csv"
    path.write_text("person,last_seen\n7,2026-03-03\nann,2026-03-03T12:00:00+02:00\n")
    who, at = read_last_seen(path)
    assert who.tolist() == [hash_id("7", REPLAY_KEY), hash_id("ann", REPLAY_KEY)]
    assert at.tolist() == [1_772_582_399_999_999 + 0, 1_772_532_000_000_000]
    for text, said in (("a,b\n", "header"), ("person,last_seen\n7,soon\n", ":2: last_seen 'soon'"), ("", "header")):
        path.write_text(text)
        with pytest.raises(UsageError, match=said):
            read_last_seen(path)
