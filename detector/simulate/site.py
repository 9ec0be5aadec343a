"""The simulated site: its paths, the sizes of its answers, and how popular its records are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.simulate.traffic import Ints


@dataclass(frozen=True)
class Form:
    """One kind of request: method, path around its one or two numbers, template, and the median size of an answer."""

    method: str
    before: str
    between: str = ""
    after: str = ""
    template: str = ""
    median_bytes: int = 900

    @property
    def route(self) -> str:
        """Method and path template, as incidents name it."""
        return f"{self.method} {self.template or self.before}"


FORMS: dict[str, Form] = {
    "home": Form("GET", "/", median_bytes=14_000),
    "login": Form("POST", "/api/v1/login", median_bytes=320),
    "search": Form("GET", "/api/v1/search?q=shoes+size+", template="/api/v1/search", median_bytes=4200),
    "items": Form("GET", "/items?page=", template="/items?page={page}", median_bytes=21_000),
    "item": Form("GET", "/items/", template="/items/{id}", median_bytes=5200),
    "reviews": Form(
        "GET", "/api/v1/reviews?item=", "&page=", template="/api/v1/reviews?item={id}&page={page}", median_bytes=3100
    ),
    "user": Form("GET", "/api/v1/users/", template="/api/v1/users/{id}", median_bytes=780),
    "order": Form("GET", "/api/v1/orders/", template="/api/v1/orders/{id}", median_bytes=1150),
    "orders": Form("GET", "/api/v1/orders?page=", template="/api/v1/orders?page={page}", median_bytes=2600),
    "buy": Form("POST", "/api/v1/orders", median_bytes=240),
    "gallery": Form("GET", "/galleries/", template="/galleries/{id}", median_bytes=16_000),
    "photo": Form("GET", "/photos/", template="/photos/{id}", median_bytes=2100),
    "thumb": Form("GET", "/thumbs/", after=".jpg", template="/thumbs/{id}.jpg", median_bytes=7200),
    "contact": Form("GET", "/api/v0/contacts/", template="/api/v0/contacts/{id}", median_bytes=640),
    "api_item": Form("GET", "/api/v1/items/", template="/api/v1/items/{id}", median_bytes=2300),
    "health": Form("GET", "/healthz", median_bytes=15),
    "status": Form("GET", "/api/v1/status", median_bytes=180),
    "feed": Form("GET", "/feed.xml", median_bytes=24_000),
    "robots": Form("GET", "/robots.txt", median_bytes=310),
    "css": Form("GET", "/static/app.4f1c2b.css", median_bytes=31_000),
    "js": Form("GET", "/static/app.9d03aa.js", median_bytes=148_000),
    "logo": Form("GET", "/static/logo.svg", median_bytes=4100),
    "font": Form("GET", "/static/inter.woff2", median_bytes=98_000),
    "icon": Form("GET", "/favicon.ico", median_bytes=1400),
    "probe_env": Form("GET", "/.env", median_bytes=150),
    "probe_git": Form("GET", "/.git/config", median_bytes=150),
    "probe_wp": Form("GET", "/wp-login.php", median_bytes=150),
    "probe_xml": Form("POST", "/xmlrpc.php", median_bytes=150),
    "probe_admin": Form("GET", "/admin/", median_bytes=150),
    "probe_php": Form("GET", "/phpmyadmin/index.php", median_bytes=150),
}
NAMES = tuple(FORMS)
CODE: dict[str, int] = {name: code for code, name in enumerate(NAMES)}
ASSETS = ("css", "js", "logo", "font", "icon")
PROBES = tuple(name for name in NAMES if name.startswith("probe_"))
MEDIAN_BYTES = np.array([form.median_bytes for form in FORMS.values()], np.float64)

HOST = "shop.example"
REFERERS = ("-", f"https://{HOST}/", f"https://{HOST}/items?page=1", "https://www.google.com/")

PHOTOS = 60  # photographs of a gallery, numbered without a gap: the page that alarms per-client crawl rules

RETURNED = 200
NOT_MODIFIED = 304
MISS = 404
FAULT = 500
MISS_BYTES = 148


def sizes(rng: np.random.Generator, form: npt.ArrayLike, status: npt.ArrayLike) -> Ints:
    """Bytes of each answer: lognormal around the form's median (sigma .35, judgement); 304 none, errors a stub."""
    median, status = MEDIAN_BYTES[np.asarray(form)], np.asarray(status, np.int64)
    drawn = median * np.exp(rng.normal(0, 0.35, len(median)))
    drawn = np.where(status == NOT_MODIFIED, 0, np.where(status >= MISS, MISS_BYTES, drawn))
    return drawn.astype(np.int64)


@dataclass(frozen=True)
class Popularity:
    """Zipf popularity over the ids 1..n: P(rank r) ~ r^-exponent, ranks scattered over the ids.

    Drawn from the continuous form, whose inverse is closed: off by less than one rank, at any n in no memory.
    """

    n: int
    exponent: float

    def draw(self, rng: np.random.Generator, count: int) -> Ints:
        """``count`` ids, the popular ones often."""
        u = rng.random(count)
        if math.isclose(self.exponent, 1):
            rank = np.power(float(self.n + 1), u)
        else:
            k = 1 - self.exponent
            rank = np.power((float(self.n + 1) ** k - 1) * u + 1, 1 / k)
        return scatter(np.minimum(rank.astype(np.int64), self.n) - 1, self.n)


def scatter(rank: Ints, n: int) -> Ints:
    """Spreads the ranks 0..n-1 over the ids 1..n, one to one, without order."""
    step = next(s for s in range(int(n * 0.618034) | 1, 2 * n + 3, 2) if np.gcd(s, n) == 1)
    return (rank * step + n // 7) % n + 1
