"""Sampled logs: counts and estimates of incidents stand for all requests, evidence for those with a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector import replay
from detector.config import ReplaySettings, parse_config
from detector.engines.local import replay as run
from detector.errors import ConfigError
from detector.incidents.exposure import unsampled
from detector.incidents.incident import Estimate
from detector.records.sampling import omitted, omitted_by
from detector.simulate import Options, simulate


def table(path: Path, rate: str | None, every: int = 1) -> Path:
    """A table of a client that reads 3,000 records in their order, each with the sample's rate."""
    head = "time,client_ip,method,path,status,bytes" + (",sample_rate" if rate else "")
    rows = [
        f"2026-11-22T{10 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z,203.0.113.9,GET,/api/users/{n},200,500"
        + (f",{rate}" if rate else "")
        for n in range(0, 3_000, every)
    ]
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def one(found: object) -> dict[str, object]:
    """The only incident of a replay."""
    (row,) = found.incidents.to_dict("records")  # type: ignore[attr-defined]
    return dict(row)


@pytest.mark.parametrize("rate", ["0.25", "4"])
def test_a_column_says_how_the_log_is_sampled(rate: str, tmp_path: Path) -> None:
    """Requests, bytes and records of a walk are four times the lines'; what was seen stays the lower bound."""
    plain = one(replay(str(table(tmp_path / "plain.csv", None, every=4))))
    found = replay(str(table(tmp_path / "sampled.csv", rate, every=4)))
    row = one(found)
    assert row["requests"] == 4 * plain["requests"] == 3_000
    assert row["bytes_out"] == 4 * plain["bytes_out"]
    exposed = row["records_exposed"]
    assert (exposed["low"], exposed["estimate"]) == (750, 3_000)
    assert exposed["high"] > 3_000
    for name in ("incident", "pattern", "clients", "raised_at", "evidence", "confidence"):
        assert row[name] == plain[name], name
    assert found.coverage.omitted == 3 * 750 * 1_000


def test_the_configuration_says_it(tmp_path: Path) -> None:
    """A fixed rate scales as a column does; where a line says its own rate, that counts."""
    config = parse_config(b"source:\n  sample_rate: 0.25\n", "c.yaml", tmp_path)
    for name, rate, want in (("none.csv", None, 3_000), ("own.csv", "0.5", 1_500), ("odd.csv", "x", 3_000)):
        found = run([table(tmp_path / name, rate, every=4)], ReplaySettings(config))
        assert found.incidents[0].requests == want
    with pytest.raises(ConfigError, match="sample_rate"):
        parse_config(b"source:\n  sample_rate: 0\n", "c.yaml", tmp_path)


def test_a_sampled_log_gives_about_the_same_numbers(tmp_path: Path) -> None:
    """Of a simulated walk with half the lines left out the records are what the whole log gives, by the interval."""
    path = tmp_path / "whole.log"
    simulate("P1", Options(seed=7, duration_seconds=3600, rate=3, clients=500, ids=20_000, attack_seconds=120)).write(
        path
    )
    lines = path.read_bytes().splitlines(keepends=True)
    keep = np.random.default_rng(3).random(len(lines)) < 0.5
    half = tmp_path / "half.log"
    half.write_bytes(b"".join(line for line, yes in zip(lines, keep, strict=True) if yes))
    whole = run([path], ReplaySettings()).incidents
    config = parse_config(b"source:\n  sample_rate: 0.5\n", "c.yaml", tmp_path)
    sampled = run([half], ReplaySettings(config)).incidents
    assert [i.pattern for i in whole] == [i.pattern for i in sampled]
    want, got = whole[0].records_exposed.estimate, sampled[0].records_exposed
    assert got.low < want <= got.high
    assert abs(got.estimate - want) < 0.1 * want
    assert abs(sampled[0].requests - whole[0].requests) < 0.1 * whole[0].requests


def test_records_read_again_and_again_are_not_multiplied() -> None:
    """A thousand records read fifty times each are a thousand also where one read in ten has a line."""
    rng = np.random.default_rng(1)
    sample = rng.integers(0, 1_000, 5_000)
    distinct = len(np.unique(sample))
    found = unsampled(Estimate(distinct, distinct, distinct), len(sample), 9 * len(sample))
    assert 990 <= found.estimate <= 1_010
    assert found.low == distinct
    few = unsampled(Estimate(40, 40, 40), 40, 360)
    assert (few.estimate, few.low) == (400, 40)
    assert few.high > 400
    assert unsampled(Estimate(40, 40, 41), 40, 0) == Estimate(40, 40, 41)


def test_rates_as_they_are_written() -> None:
    """A share up to one, one in so many above; what is neither is as if nothing were said."""
    texts = [b"0.1", b"10", b"1", b"1.0", b"", b"-1", b"nan", b"inf", b"0", b"1e99", b"x" * 30, b"0.0000001"]
    ends = np.cumsum([len(text) for text in texts])
    span = np.stack([ends - [len(text) for text in texts], [len(text) for text in texts]], axis=1).astype(np.int32)
    got = omitted(np.frombuffer(b"".join(texts), np.uint8), span, 7)
    assert got.tolist() == [9_000, 9_000, 0, 0, 7, 7, 7, 7, 7, 7, 7, 999_999_000]
    assert omitted_by(1e-6) == 999_999_000
