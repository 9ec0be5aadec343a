"""User agents that age: every platform brings out a version every few weeks, and people follow in their own time."""

from __future__ import annotations

from dataclasses import dataclass

_MOZILLA = "Mozilla/5.0"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_MAC = "(Macintosh; Intel Mac OS X 10_15_7)"

VERSIONS = 32  # of each platform, the oldest first


@dataclass(frozen=True)
class Platform:
    """A browser or an app.

    Attributes:
        text: the agent around its version.
        share: among browsers, or among apps.
        first: the oldest version's number.
        days: between two versions.
        phase: days since the last version at the beginning of the world.
    """

    text: str
    share: float
    first: int
    days: float
    phase: float


# Shares are judgement: the order of magnitude of public browser statistics. Browsers come out every four weeks.
BROWSERS = (
    Platform(f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/{{v}}.0.0.0 Safari/537.36", 0.28, 130, 28, 3),
    Platform(
        f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/{{v}}.0.0.0 Safari/537.36 Edg/{{v}}.0.0.0",
        0.08, 130, 28, 9,
    ),
    Platform(f"{_MOZILLA} {_MAC} {_WEBKIT} Chrome/{{v}}.0.0.0 Safari/537.36", 0.10, 130, 28, 3),
    Platform(
        f"{_MOZILLA} {_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{{v}}.1 Safari/605.1.15",
        0.06, 10, 45, 20,
    ),
    Platform(f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:{{v}}.0) Gecko/20100101 Firefox/{{v}}.0", 0.05, 130, 28, 15),
    Platform(f"{_MOZILLA} (X11; Linux x86_64; rv:{{v}}.0) Gecko/20100101 Firefox/{{v}}.0", 0.02, 130, 28, 15),
    Platform(f"{_MOZILLA} (Linux; Android 14; K) {_WEBKIT} Chrome/{{v}}.0.0.0 Mobile Safari/537.36", 0.20, 130, 28, 5),
    Platform(
        f"{_MOZILLA} (Linux; Android 10; K) {_WEBKIT} SamsungBrowser/{{v}}.0 Chrome/125.0.0.0 Mobile Safari/537.36",
        0.03, 20, 60, 30,
    ),
    Platform(
        f"{_MOZILLA} (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/{v}.2 Mobile/15E148 Safari/604.1",
        0.18, 10, 45, 20,
    ),
)  # fmt: skip
APPS = (
    Platform("ShopApp/5.{v}.1 (Android 14; Pixel 8)", 0.18, 2, 14, 6),
    Platform("ShopApp/5.{v}.1 (Android 13; SM-A546B)", 0.25, 2, 14, 6),
    Platform("ShopApp/5.{v}.1 (Android 12; Redmi Note 11)", 0.12, 2, 14, 6),
    Platform("ShopApp/5.{v}.0 (iOS 18.2; iPhone15,2)", 0.22, 2, 14, 4),
    Platform("ShopApp/5.{v}.0 (iOS 17.6; iPhone12,1)", 0.13, 2, 14, 4),
    Platform("okhttp/4.{v}.0", 0.10, 2, 90, 40),
)
PLATFORMS = BROWSERS + APPS

MACHINES = (
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://crawler.example/bot)",
    "acme-sync/3.2 (python-httpx)",
    "UptimeCheck/1.9",
    "FeedFetcher/1.4 (like a browser)",
    "python-requests/2.32.3",
    "loadtest/1.0 (k6)",
    "CacheWarmer/2.0",
    "integration-sdk/1.8 (java)",
    "ShopApp/6.0.0 (new design)",
)

AGENTS: tuple[str, ...] = (
    *(p.text.replace("{v}", str(p.first + v)) for p in PLATFORMS for v in range(VERSIONS)),
    *MACHINES,
)
CRAWLER, SYNC, UPTIME, FEED, SCRIPT, LOAD, WARMER, SDK, RELEASED = range(len(PLATFORMS) * VERSIONS, len(AGENTS))
