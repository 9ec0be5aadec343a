"""What evasive forms add to a pattern's own requests: decoys (e1), a browser's looks (e7)."""

from __future__ import annotations

import numpy as np

from detector.simulate.columns.rows import DECOY, Ints, Rows, joined
from detector.simulate.scene import Scene
from detector.simulate.site import ASSETS, CODE, EXPOSES

_VISIT_US = 1_800_000_000  # after half an hour a browser looks again whether its style sheets are fresh
_PAGE_EVERY = 12  # records between two list pages


def disguised(scene: Scene, rows: Rows) -> Rows:
    """The rows with what the scene's form adds; ``rows`` may be changed."""
    if scene.form == "e1":
        return joined([rows, _decoys(scene, rows)])
    return _browser(scene, rows) if scene.form == "e7" else rows


def _decoys(scene: Scene, rows: Rows) -> Rows:
    """For each record read a popular one by the same identity, within two seconds (e1 halves the rate for it)."""
    reads = rows[EXPOSES[rows["form"]] & (rows["requests"] == 1)]
    n = len(reads)
    alive = np.isin(reads["form"], [CODE["user"], CODE["item"], CODE["reviews"], CODE["order"], CODE["api_item"]])
    form = np.where(alive, reads["form"], CODE["item"])  # nobody's favourites are on a dormant endpoint
    number = scene.world.popular(scene.rng, n)
    time_us = reads["time_us"] + scene.rng.integers(200_000, 2_000_000, n)
    page = np.where(form == CODE["reviews"], 1, -1)
    return scene.ask(time_us, reads["actor"], form.astype(np.int64), number, page=page, flags=DECOY)


def _browser(scene: Scene, rows: Rows) -> Rows:
    """A home page with its assets before each visit, 304 from the second on; list pages; referers that follow."""
    last: Ints = scene.memory.setdefault("seen_us", np.empty(0, np.int64))
    last = np.concatenate([last, np.full(len(scene.cast) - len(last), -(1 << 60))])
    rows = rows[np.lexsort((rows["time_us"], rows["actor"]))]
    actor, time_us = rows["actor"].astype(np.int64), rows["time_us"].copy()
    same = np.concatenate([[False], actor[1:] == actor[:-1]])[: len(rows)]
    before = np.where(same, np.concatenate([[0], time_us[:-1]])[: len(rows)], last[actor])
    opening = np.flatnonzero(time_us - before > _VISIT_US)
    again = before[opening] > 0
    np.maximum.at(last, actor, time_us)
    scene.memory["seen_us"] = last
    rows["time_us"] += 1_500_000  # the page comes first
    rows["referer"] = 2
    who, at = actor[opening], time_us[opening]
    home = scene.ask(at, who, "home", status=200)
    asset = np.tile([CODE[name] for name in ASSETS], len(who))
    later = np.repeat(at, len(ASSETS)) + scene.rng.integers(20_000, 600_000, len(asset))
    status = np.where(np.repeat(again, len(ASSETS)), 304, 200)
    assets = scene.ask(later, np.repeat(who, len(ASSETS)), asset, status=status, referer=1)
    listed = np.flatnonzero(scene.rng.random(len(rows)) < 1 / _PAGE_EVERY)
    number = scene.rng.geometric(0.55, len(listed))
    lists = scene.ask(time_us[listed] + 700_000, actor[listed], "items", number, status=200, referer=1)
    return joined([rows, home, assets, lists])
