"""The simulated site: its paths, the sizes of its answers, and how popular its records are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.simulate.traffic import Ints


@dataclass(frozen=True)
class Form:
    """One kind of request.

    Attributes:
        method, before, between, after: the line around its one or two numbers.
        template: the path as incidents name it; empty = ``before``.
        median_bytes: of an answer.
        reads: what its object is, a name of `columns.fill.READS`; of "email" and "tag" the number is written so.
        records: rows in an answer.
    """

    method: str
    before: str
    between: str = ""
    after: str = ""
    template: str = ""
    median_bytes: int = 900
    reads: str = "none"
    records: int = 1

    @property
    def route(self) -> str:
        """Method and path template, as incidents name it."""
        return f"{self.method} {self.template or self.before}"


FORMS: dict[str, Form] = {
    "home": Form("GET", "/", median_bytes=14_000),
    "login": Form("POST", "/api/v1/login", median_bytes=320),
    "search": Form("GET", "/api/v1/search?q=shoes+size+", template="/api/v1/search", median_bytes=4200, records=24),
    "items": Form("GET", "/items?page=", template="/items?page={page}", median_bytes=21_000, reads="page", records=24),
    "item": Form("GET", "/items/", template="/items/{id}", median_bytes=5200, reads="number"),
    "reviews": Form(
        "GET",
        "/api/v1/reviews?item=",
        "&page=",
        template="/api/v1/reviews?item={id}&page={page}",
        median_bytes=3100,
        reads="listed",
        records=8,
    ),
    "user": Form("GET", "/api/v1/users/", template="/api/v1/users/{id}", median_bytes=780, reads="number"),
    "order": Form("GET", "/api/v1/orders/", template="/api/v1/orders/{id}", median_bytes=1150, reads="number"),
    "orders": Form(
        "GET",
        "/api/v1/orders?page=",
        template="/api/v1/orders?page={page}",
        median_bytes=2600,
        reads="page",
        records=10,
    ),
    "buy": Form("POST", "/api/v1/orders", median_bytes=240),
    "gallery": Form("GET", "/galleries/", template="/galleries/{id}", median_bytes=16_000, reads="number"),
    "photo": Form("GET", "/photos/", template="/photos/{id}", median_bytes=2100, reads="number"),
    "thumb": Form("GET", "/thumbs/", after=".jpg", template="/thumbs/{id}.jpg", median_bytes=7200),
    "contact": Form("GET", "/api/v0/contacts/", template="/api/v0/contacts/{id}", median_bytes=640, reads="number"),
    "api_item": Form("GET", "/api/v1/items/", template="/api/v1/items/{id}", median_bytes=2300, reads="number"),
    "health": Form("GET", "/healthz", median_bytes=15),
    "status": Form("GET", "/api/v1/status", median_bytes=180),
    "feed": Form("GET", "/feed.xml", median_bytes=24_000, records=20),
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
    "register": Form("POST", "/api/v1/accounts", median_bytes=290),
    "lookup": Form(
        "GET", "/api/v1/lookup?email=", template="/api/v1/lookup?email={email}", median_bytes=780, reads="email"
    ),
    "warranty": Form(
        "GET",
        "/api/v1/warranty?serviceTag=",
        template="/api/v1/warranty?serviceTag={id}",
        median_bytes=1300,
        reads="tag",
    ),
    "discover": Form(
        "POST",
        "/api/v1/contacts/discover?phone=+",
        template="/api/v1/contacts/discover?phone={phone}",
        median_bytes=60,
        reads="number",
    ),
    "discover_batch": Form("POST", "/api/v1/contacts/discover", median_bytes=60),
    "users_page": Form(
        "GET",
        "/api/v1/users?limit=20&page=",
        template="/api/v1/users?page={page}",
        median_bytes=15_600,
        reads="page",
        records=20,
    ),
    "users_bulk": Form(
        "GET",
        "/api/v1/users?limit=1000&page=",
        template="/api/v1/users?page={page}",
        median_bytes=780_000,
        reads="page",
        records=1000,
    ),
    "wildcard": Form(
        "GET",
        "/api/v1/users/search?name=*&page=",
        template="/api/v1/users/search?page={page}",
        median_bytes=3_900_000,
        reads="page",
        records=5000,
    ),
    "people_search": Form(
        "GET",
        "/api/v1/users/search?name=li&page=",
        template="/api/v1/users/search?page={page}",
        median_bytes=15_600,
        reads="page",
        records=20,
    ),
    "newest": Form("GET", "/api/v1/feed?limit=20", template="/api/v1/feed", median_bytes=9_000, records=20),
    "sitemap": Form("GET", "/sitemap.xml", median_bytes=90_000),
    "bill": Form("GET", "/api/v1/bills/", template="/api/v1/bills/{id}", median_bytes=2400, reads="number"),
    "chat": Form("GET", "/api/v1/chats/", template="/api/v1/chats/{id}", median_bytes=5400, reads="number"),
    "interest": Form("GET", "/api/v1/interests/", template="/api/v1/interests/{id}", median_bytes=420, reads="number"),
}
NAMES = tuple(FORMS)
CODE: dict[str, int] = {name: code for code, name in enumerate(NAMES)}
ASSETS = ("css", "js", "logo", "font", "icon")
PROBES = tuple(name for name in NAMES if name.startswith("probe_"))
MEDIAN_BYTES = np.array([form.median_bytes for form in FORMS.values()], np.float64)

RECORDS = np.array([form.records for form in FORMS.values()], np.int32)
_EXPOSING = (
    *("item", "reviews", "user", "order", "photo", "contact", "api_item", "lookup", "warranty", "discover"),
    *("users_bulk", "wildcard", "newest"),
)
EXPOSES = np.array([name in _EXPOSING for name in NAMES])
"""Forms whose answers are records an attacker is after: one record each, the lists among the last three all rows."""

HOST = "shop.example"
REFERERS = ("-", f"https://{HOST}/", f"https://{HOST}/items?page=1", "https://www.google.com/")

PHOTOS = 60  # photographs of a gallery, numbered without a gap: the page that alarms per-client crawl rules

PURPOSES = ("-", "scoring", "lending", "tax", "greeting", "quiz", "budgeting", "advertising", "targeting", "support")
"""What clients may say they read for."""

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
    return (rank * step_of(n) + n // 7) % n + 1


def step_of(n: int) -> int:
    """The step by which `scatter` walks through n ids: near the golden section, prime to n."""
    return next(s for s in range(int(n * 0.618034) | 1, 2 * n + 3, 2) if np.gcd(s, n) == 1)


def email(number: int) -> str:
    """The address an e-mail look-up asks for."""
    return f"u{number}@mail.example"


def consent_id(number: int) -> str:
    """The id of a consent as ledger and log write it; ``-`` for -1."""
    return "-" if number < 0 else f"c{number:08x}"


_GLYPHS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def tag(number: int) -> str:
    """A service tag: a letter and six letters or figures, spread so that neighbours look unlike."""
    value = (number * 0x9E3779B97F4A7C15 % (1 << 64)) >> 20
    value, first = divmod(value, 26)
    text = chr(65 + first)
    for _ in range(6):
        value, figure = divmod(value, 36)
        text += _GLYPHS[figure]
    return text


TEXTS = {"email": email, "tag": tag}
"""How a number is written in forms that read one of these (`Form.reads`)."""
