"""User agents and how common each is among ordinary visitors."""

from __future__ import annotations

import numpy as np

_MOZILLA = "Mozilla/5.0"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

# Shares are judgement: the order of magnitude of public browser statistics, with one mobile app beside the browsers.
BROWSERS: tuple[tuple[str, float], ...] = (
    (f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/144.0.0.0 Safari/537.36", 0.28),
    (f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0", 0.09),
    (f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/144.0.0.0 Safari/537.36", 0.10),
    (
        f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/18.2 Safari/605.1.15",
        0.06,
    ),
    (f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0", 0.05),
    (f"{_MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 0.02),
    (f"{_MOZILLA} (Linux; Android 14; K) {_WEBKIT} Chrome/144.0.0.0 Mobile Safari/537.36", 0.20),
    (
        f"{_MOZILLA} (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/18.2 Mobile/15E148 Safari/604.1",
        0.20,
    ),
)
APPS: tuple[tuple[str, float], ...] = (
    ("ShopApp/5.4.1 (Android 14; Pixel 8)", 0.35),
    ("ShopApp/5.4.1 (iOS 18.2; iPhone15,2)", 0.30),
    ("ShopApp/5.3.0 (Android 13; SM-A546B)", 0.25),
    ("okhttp/4.12.0", 0.10),
)


def draw(rng: np.random.Generator, n: int, table: tuple[tuple[str, float], ...] = BROWSERS) -> list[str]:
    """``n`` user agents by their share."""
    shares = np.array([share for _, share in table])
    picks = rng.choice(len(table), n, p=shares / shares.sum())
    return [table[i][0] for i in picks.tolist()]
