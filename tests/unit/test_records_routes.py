"""Routes: promotion to slugs, misses, suffixes, the caps."""

from __future__ import annotations

import numpy as np
import pytest

from detector.errors import UsageError
from detector.records.batch import NAMED, PAGED, Batch
from detector.records.keys import REPLAY_KEY
from detector.records.resolve import Resolver
from detector.records.routes import MAX_ROUTES, OTHER, Routes
from tests.record_lines import get, lay_out, routed


def test_routes_are_numbered_as_they_appear() -> None:
    """Method and template make a route; numbers begin at 1."""
    lines = get("/a", "/a/1", "/a/2", "/a")
    lines[3]["method"] = b"POST"
    batch, names, routes = routed(lines)
    assert batch.route.tolist() == [1, 2, 2, 3]
    assert names == ["GET /a", "GET /a/{id}", "GET /a/{id}", "POST /a"]
    assert len(routes) == 3
    assert [routes.is_record(r) for r in (1, 2, 3)] == [False, True, False]


def test_odd_literals_become_slugs_at_the_32nd() -> None:
    """Thirty-one are routes of their own, not named by the literal; from the 32nd on all are one; words stay."""
    odd = [f"/d/x{i}" for i in range(32)]
    _, names, _ = routed(get(*odd, "/d/x0", "/d/all", "/d/x5/sub"))
    assert names[30:] == ["GET /d/{slug}", "GET /d/{slug}", "GET /d/{slug}", "GET /d/all", "GET /d/{slug}/sub"]


def test_words_become_slugs_four_times_later() -> None:
    """A hundred and twenty-seven words are an interface, the 128th makes them values."""
    words = [f"/{chr(97 + i // 26)}{chr(97 + i % 26)}word" for i in range(128)]
    _, names, _ = routed(get(*words))
    assert names[126] == "GET /ewword"
    assert names[127] == "GET /{slug}"


def test_slugs_keep_their_suffix_and_give_their_stem() -> None:
    """One dataset in two formats is one object on two routes."""
    many = [f"/d/x{i}.csv" for i in range(40)]
    batch, names, routes = routed(get(*many, "/d/x3.nccsvMetadata", "/d/x3.csv", "/d/x3"))
    assert names[-3:] == ["GET /d/{slug}.nccsvMetadata", "GET /d/{slug}.csv", "GET /d/{slug}"]
    assert set(batch.object[-3:].tolist()) == {REPLAY_KEY.of_text(b"x3")}
    assert set(batch.flags[-3:].tolist()) == {NAMED}
    assert routes.is_record(int(batch.route[-1]))


def test_a_slug_beside_an_id_leaves_the_number() -> None:
    """The number still orders the ids; a page behind a slug is no page of a list any more."""
    many = [f"/s/x{i}/items/{i}" for i in range(40)] + [f"/s/x{i}?page=2" for i in (1, 2)]
    batch, names, _ = routed(get(*many))
    assert names[39] == "GET /s/{slug}/items/{id}"
    assert batch.number[39] == 39
    assert batch.flags[39] == 0
    assert names[41] == "GET /s/{slug}?page={page}"
    assert batch.number[41] == -1
    assert batch.flags[41] & (NAMED | PAGED) == NAMED
    assert batch.object[40] != batch.object[41]


def test_misses_teach_nothing() -> None:
    """A scanner's thousand guesses leave the tree as it was; a miss below what is known reads as what it asks for."""
    served = get("/api/users/1", "/api/users/me")
    scan = get(*(f"/x{i}/admin{i}.php" for i in range(1000)), status=404)
    misses = get("/api/users/2", "/api/users/zz9", "/api/users/3.xml", "/api/orders/9", "/x/img.png", status=404)
    _, names, routes = routed(served + scan + misses + get("/y1/admin1"))
    assert set(names[2:1002]) == {"GET /{missing}"}
    assert names[1002:] == [
        "GET /api/users/{id}",
        "GET /api/users/{missing}",
        "GET /api/users/{id}",
        "GET /api/{missing}",
        "GET {static}",
        "GET /{slug}/{slug}",
    ]
    assert len(routes) == 7


def test_a_route_of_misses_alone_has_ids() -> None:
    """Ids nobody ever got are still read as ids where their neighbours were answered."""
    _, names, routes = routed(get("/u") + get("/u/1", "/u?email=a@b.de", "/u/2/orders/3", status=404))
    assert names[1:] == ["GET /u/{id}", "GET /u?email={email}", "GET /u/{id}/{missing}"]
    assert routes.is_record(2)


def test_tables_are_bounded() -> None:
    """Ten thousand distinct templates fill the table; what is left is one route, and nothing breaks."""
    words = ["".join(chr(97 + i // 26**k % 26) for k in range(3)) for i in range(100)]
    batch, names, routes = routed(get(*(f"/{a}/{b}" for a in words for b in words)))
    assert len(routes) == MAX_ROUTES - 1
    assert names[-1] == "other"
    assert batch.route[-1] == OTHER
    assert not routes.is_record(OTHER)


def test_suffixes_and_keys_are_bounded() -> None:
    """A flood of suffixes or of query keys ends in the class without them."""
    suffixes = [f"/u/{i}.s{i}" for i in range(100)]
    keys = [f"/v?k{i}_id=1" for i in range(100)]
    _, names, _ = routed(get(*suffixes, *keys))
    assert names[99] == "GET /u/{id}"
    assert names[199] == "GET /v?*={id}"


def test_texts_are_bounded() -> None:
    """A flood of values below one place keeps at most 128 texts of either look; the next word has still its name."""
    resolver = Resolver()
    resolver.resolve(*lay_out(get(*(f"/d/x{i}" for i in range(5000)))))
    assert len(resolver.texts) == 129
    resolver.resolve(*lay_out(get("/d/word")))
    assert len(resolver.texts) == 130


def test_long_literals_keep_a_printable_name() -> None:
    """Cut, and ended by a hash."""
    _, names, _ = routed(
        [line | {"address": b"192.0.2.%d" % i} for i, line in enumerate(get(*["/" + "word" * 30] * 3))]
    )
    assert len(names[0]) == len("GET /") + 48
    assert names[0][-9] == "~"


def test_batches_may_be_cut_anywhere() -> None:
    """One by one or all at once: the same routes, objects and names."""
    lines = get(*(f"/d{i % 3}/x{i % 70}/y{i % 45}.csv?page={i % 4}" for i in range(600)))
    whole, names, _ = routed(lines)
    resolver = Resolver()
    routes = Routes(resolver.texts)
    parts = []
    for line in lines:
        part = resolver.resolve(*lay_out([line]))
        routes.assign(part)
        parts.append(part)
    single = Batch.concatenate(parts)
    for column in ("route", "object", "number", "flags"):
        assert np.array_equal(getattr(single, column), getattr(whole, column)), column
    assert [routes.name(int(r)) for r in single.route] == names


def test_a_threshold_below_two_is_refused() -> None:
    """Every word would be a value."""
    with pytest.raises(UsageError, match="at least 2"):
        Routes(Resolver().texts, slug_after=1)
