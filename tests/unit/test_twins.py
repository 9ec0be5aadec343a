"""Records that both proxies of a hop write: counted once, whoever comes first, and nothing else is dropped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detector import replay
from detector.engines.reading import Reader, ReadSettings
from detector.records.resolve import Resolver
from detector.state.twins import WINDOW_US, Twins

SENT, RECEIVED = 1000, 1001  # a hash, and the same of the receiving side


def kept(*rows: tuple[int, int], twins: Twins | None = None) -> list[bool]:
    """Which of some (twin, second) rows stay."""
    twin = np.array([row[0] for row in rows], np.uint64)
    moment = np.array([row[1] * 1_000_000 for row in rows], np.int64)
    mask, dropped = (twins or Twins(1 << 10)).keep(twin, np.ones(len(rows), np.uint8), moment)
    assert dropped == np.count_nonzero(~mask)
    return mask.tolist()


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        ([(SENT, 1), (RECEIVED, 1)], [True, False]),
        ([(RECEIVED, 1), (SENT, 1)], [True, False]),
        ([(RECEIVED, 1), (RECEIVED, 2), (RECEIVED, 3)], [True] * 3),
        ([(SENT, 1), (SENT, 1), (SENT, 2)], [True] * 3),
        ([(SENT, 1), (RECEIVED, 1), (RECEIVED, 2)], [True, False, False]),
        ([(SENT, 1), (RECEIVED, 1), (SENT, 2), (RECEIVED, 2)], [True, False, True, False]),
        ([(RECEIVED, 1), (RECEIVED, 1), (SENT, 1), (SENT, 1)], [True, True, False, False]),
        ([(SENT, 1), (RECEIVED, 2 + WINDOW_US // 1_000_000)], [True, True]),
        ([(0, 1), (0, 1), (2, 1), (5, 1)], [True] * 4),
    ],
)
def test_each_hop_counts_once(rows: list[tuple[int, int]], want: list[bool]) -> None:
    """In either order, with retries, with one id for all, one side alone, or too far apart."""
    assert kept(*rows) == want


def test_further_objects_go_with_their_request() -> None:
    """The rows of a request for several objects are dropped with its first."""
    twin = np.array([SENT, SENT, RECEIVED, RECEIVED, 0], np.uint64)
    requests = np.array([1, 0, 1, 0, 1], np.uint8)
    mask, dropped = Twins(1 << 10).keep(twin, requests, np.full(5, 1_000_000, np.int64))
    assert (mask.tolist(), dropped) == ([True, True, False, False, True], 1)


def test_a_snapshot_between_the_two() -> None:
    """What was seen before a snapshot is known after it; and a full table forgets the oldest, nothing else."""
    before, after = Twins(1 << 10), Twins(1 << 10)
    assert kept((SENT, 1), twins=before) == [True]
    after.load(before.save())
    assert kept((RECEIVED, 2), twins=after) == [False]
    few = Twins(4)
    assert kept(*((2 * k, k) for k in range(1, 6)), twins=few) == [True] * 5
    assert kept((2 * 5 + 1, 6), (2 * 1 + 1, 6), twins=few) == [False, True]


def mesh_line(second: int, number: int, side: str, request_id: str | None = None) -> str:
    """What one proxy logs of a request for a record in Istio's JSON."""
    return json.dumps(
        {
            "start_time": f"2026-11-22T10:{second // 60:02}:{second % 60:02}.{'100' if side == 'outbound' else '103'}Z",
            "method": "GET",
            "path": f"/api/users/{number}",
            "response_code": 200,
            "bytes_sent": 100,
            "downstream_remote_address": "203.0.113.9:4000" if side == "outbound" else "10.0.0.7:80",
            "user_agent": "curl/8",
            "authority": "shop",
            "request_id": request_id or f"r-{number}",
            "upstream_cluster": f"{side}|8080||{'users.shop.svc' if side == 'outbound' else ''}",
        }
    )


def test_a_log_of_both_sidecars(tmp_path: Path) -> None:
    """A walk that gateway and sidecar log is one incident of one client with each request counted once."""
    path = tmp_path / "mesh.json"
    numbers = range(1, 401)
    sides = ("outbound", "inbound")
    path.write_text("\n".join(mesh_line(n, n, side) for n in numbers for side in sides) + "\n")
    found = replay(str(path))
    rows = found.incidents.to_dict("records")
    assert [(row["pattern"], row["clients"], row["requests"]) for row in rows] == [("walk", ["203.0.113.9"], 400)]
    assert (rows[0]["records_exposed"]["estimate"], rows[0]["bytes_out"]) == (400, 40_000)
    assert found.coverage.doubled == 400
    path.write_text("\n".join(mesh_line(n, n, "outbound") for n in numbers) + "\n")
    alone = replay(str(path))
    assert alone.incidents.to_dict("records")[0]["requests"] == 400
    assert alone.coverage.doubled == 0


def test_text_of_istio(tmp_path: Path) -> None:
    """Istio's text names the cluster too; one id for everything hides no request of other paths."""
    line = (
        '[2026-11-22T10:00:{second:02}.100Z] "GET /api/users/{n} HTTP/1.1" 200 - via_upstream - "-" 0 100 4 3 "-" '
        '"curl/8" "same-id" "shop" "10.0.0.5:8080" {side}|8080||x 10.0.0.6:80 10.0.0.7:80 203.0.113.9:4000 - default'
    )
    path = tmp_path / "istio.log"
    lines = [line.format(second=n, n=n, side=side) for n in range(30) for side in ("inbound", "outbound")]
    path.write_text("\n".join(lines) + "\n")
    reader = Reader([path], ReadSettings(), Resolver())
    assert sum(int(released.batch.requests.sum()) for released in reader) == 30
    assert (reader.coverage.doubled, reader.coverage.rejected) == (30, {})
