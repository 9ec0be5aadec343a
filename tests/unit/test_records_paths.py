"""What is asked for: classes, suffixes, query keys, objects, methods, assets."""

from __future__ import annotations

import pytest

from detector.formats.fields import FIELD
from detector.records import name_kernel, path_kernel, query_kernel, routes_kernel, shape, text_kernel, what_kernel
from detector.records.batch import DEPTH, MISS, NAME_BYTES, NAMED, PAGED, STATIC
from detector.records.keys import REPLAY_KEY
from tests.record_lines import get, resolved, routed

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/", "GET /"),
        ("", "GET /"),
        ("*", "GET /*"),
        ("//a///b/./c/", "GET /a/b/c"),
        ("/api/v1/users/7", "GET /api/v1/users/{id}"),
        ("/api/v1/users/7/profile", "GET /api/v1/users/{id}/profile"),
        ("/users/7#top", "GET /users/{id}"),
        ("/users/7;jsessionid=AB12/x;y?q=1", "GET /users/{id}/x"),
        ("http://api.example.com:80/users/7?x=1", "GET /users/{id}"),
        ("http://api.example.com", "GET /"),
        ("http://api.example.com?id=4", "GET /?id={id}"),
        (f"/a/{UUID}", "GET /a/{uuid}"),
        (f"/a/{UUID.upper()}", "GET /a/{uuid}"),
        ("/a/5f2b1c9e8d7a6b5c4d3e2f1a", "GET /a/{hash}"),
        ("/a/deadbeef", "GET /a/deadbeef"),
        ("/a/ann@example.com", "GET /a/{email}"),
        ("/a/ann%40example.com", "GET /a/{email}"),
        ("/a/@ann", "GET /a/@ann"),
        ("/a/+4915112345678", "GET /a/{phone}"),
        ("/a/%2B49-151-1234567", "GET /a/{phone}"),
        ("/a/eyJhbGciOiJIUzI1NiJ9", "GET /a/{token}"),
        ("/a/how-to-build-a-website-in-2024", "GET /a/how-to-build-a-website-in-2024"),
        ("/a/2024-05-15", "GET /a/{date}"),
        ("/a/2024-05", "GET /a/{date}"),
        ("/a/7.json", "GET /a/{id}.json"),
        (f"/a/{UUID}.pdf", "GET /a/{uuid}.pdf"),
        ("/a/report.v2.pdf", "GET /a/report.v2.pdf"),
        ("/a/1.5", "GET /a/1.5"),
        ("/a/.env", "GET /a/.env"),
        ("/a/%31%32", "GET /a/{id}"),
        ("/a/x%2Fy", "GET /a/x%2Fy"),
        ("/a/x y", "GET /a/x\\x20y"),
        ("/a/{id}", "GET /a/\\x7bid\\x7d"),
        ("/blog/page/3", "GET /blog/page/{page}"),
        ("/users?id=7", "GET /users?id={id}"),
        ("/users?%69d=7", "GET /users?id={id}"),
        ("/users?email=a@b.de", "GET /users?email={email}"),
        ("/users?phone=0151", "GET /users?phone={phone}"),
        ("/users?verbose=1&orderId=9&limit=5", "GET /users?orderId={id}"),
        ("/users?order_id=9&page=2", "GET /users?order_id={id}&page={page}"),
        ("/users?page=2&order_id=9", "GET /users?order_id={id}&page={page}"),
        ("/users?filter[id]=9", "GET /users?filter[id]={id}"),
        ("/users?item_uuid=9", "GET /users?item_uuid={uuid}"),
        ("/users?session_id=9&request_id=4&valid=3&paid=1", "GET /users"),
        ("/users?id=&id", "GET /users"),
        ("/users?q=a?id=3", "GET /users"),
        ("/users?id=3#x&page=4", "GET /users?id={id}"),
        ("/app.css", "GET {static}"),
        ("/thumb/123.JPG?w=60", "GET {static}"),
        ("/x/site.webmanifest", "GET {static}"),
        ("/a%2Ecss", "GET {static}"),
        ("/a.css/b", "GET /a.css/b"),
        ("/1/2/3/4/5/6/7/8", "GET " + "/{id}" * 8),
        ("/a/b/c/d/e/f/g/h/i/j", "GET /a/b/c/d/e/f/g/h\\x2fi\\x2fj"),
        ("/a/b/c/d/e/f/g/h?id=1", "GET /a/b/c/d/e/f/g\\x2fh?id={id}"),
    ],
)
def test_paths_become_templates(target: str, name: str) -> None:
    """The template is a pure function of the line; here three clients ask, so that odd words are known well."""
    lines = [line | {"address": b"192.0.2.%d" % client} for client in range(3) for line in get(target)]
    _, found, _ = routed(lines)
    assert set(found) == {name}


def test_one_id_names_one_object_wherever_it_stands() -> None:
    """In the path, with zeros, encoded, with a suffix, in a query: the same number, the same object."""
    targets = ["/u/7", "/u/007", "/u/%37", "/u/7.json", "/u?id=7", "/u?id=07", "/o/7/x", "/a/b?phone=%2B7000000"]
    batch = resolved(get(*targets))
    assert set(batch.object[:7].tolist()) == {REPLAY_KEY.of_number(7)}
    assert batch.number.tolist() == [7] * 7 + [7000000]
    assert not batch.flags.any()
    texts = resolved(get("/u/a@b.de", "/u?email=a%40b.de", "/v?login=a@b.de&x=1"))
    assert set(texts.object.tolist()) == {REPLAY_KEY.of_text(b"a@b.de")}
    assert texts.flags.tolist() == [NAMED] * 3
    assert texts.number.tolist() == [-1] * 3


def test_several_ids_are_one_object() -> None:
    """Path ids in their order, query ids in any order; the number is the last numeric one."""
    batch = resolved(get("/a/1/b/2", "/a/2/b/1", "/a/1?b_id=2&c_id=3", "/a/1?c_id=3&b_id=2", "/a?c_id=3&b_id=2"))
    objects = batch.object.tolist()
    assert objects[2] == objects[3]
    assert len(set(objects)) == 4
    assert batch.number.tolist() == [2, 1, 3, 3, 3]


def test_pages_are_objects_of_lists() -> None:
    """A page alone is a page; beside an id it is a part of what was read."""
    batch = resolved(get("/a?page=3", "/a/page/3", "/a?cursor=abc", "/a/5?page=1", "/a/5?page=2", "/a/5", "/a"))
    assert batch.flags.tolist() == [PAGED] * 3 + [0] * 4
    assert batch.number.tolist() == [3, 3, -1, 5, 5, 5, -1]
    assert len(set(batch.object[3:].tolist())) == 4
    assert batch.object[6] == 0


def test_long_numbers_are_texts() -> None:
    """Nineteen digits do not fit an integer: the class stays, the object is named."""
    batch = resolved(get("/a/1234567890123456789"))
    assert batch.tokens[0, 1] == shape.NUMBER
    assert batch.number[0] == -1
    assert batch.flags[0] == NAMED


def test_assets_have_no_object_and_misses_are_marked() -> None:
    """Static rows carry one token; 401, 403 and 429 are no misses."""
    batch = resolved(get("/img/5.png"))
    assert (batch.object[0], batch.flags[0], batch.tokens[0].tolist()) == (0, STATIC, [shape.STATIC] + [0] * 7)
    statuses = [200, 304, 400, 401, 403, 404, 410, 429, 499, 500, 0]
    rows = resolved([request for status in statuses for request in get("/a", status=status)])
    assert [statuses[i] for i, flags in enumerate(rows.flags) if flags & MISS] == [400, 404, 410, 499]


def test_methods_are_told_apart() -> None:
    """Known methods by name, others as one, none as none."""
    texts = [b"GET", b"POST", b"PROPFIND", b"get", b"UPDATEREDIRECTREF", b"-", b""]
    batch = resolved([{"method": text, "target": b"/"} for text in texts])
    assert [shape.METHODS[m] for m in batch.method] == ["GET", "POST", "PROPFIND", "OTHER", "OTHER", "-", "-"]


def test_a_query_logged_apart_counts_too() -> None:
    """A layout with $uri and $args apart, with or without the question mark."""
    lines: list[dict[str, bytes | int]] = [
        {"target": b"/u", "query": b"id=7"},
        {"target": b"/u", "query": b"?id=7"},
        {"target": b"/u", "query": b"i%64=7"},
        {"target": b"/u?id=7", "query": b"id=9"},
    ]
    assert resolved(lines).object.tolist() == [REPLAY_KEY.of_number(7)] * 4


def test_rejected_lines_have_no_row() -> None:
    """Only lines with reason 0 are resolved, in their order."""
    from detector.records.resolve import Resolver
    from tests.record_lines import lay_out

    chunk, fields = lay_out(get("/a/1", "/a/2", "/a/3"))
    fields.reason[1] = 4
    batch = Resolver().resolve(chunk, fields)
    assert batch.number.tolist() == [1, 3]
    assert batch.position.tolist() == [chunk.positions[0], chunk.positions[2]]
    assert batch.requests.tolist() == [1, 1]


def test_kernels_use_the_codes_of_the_tables() -> None:
    """Machine code has its constants for itself; here they are held equal."""
    for kernel in (path_kernel, query_kernel, routes_kernel, text_kernel):
        for name in ("NUMBER", "UUID", "HEX", "EMAIL", "PHONE", "TOKEN", "DATE", "SLUG", "PAGE", "STATIC", "MISSING"):
            assert int(getattr(kernel, name, getattr(shape, name))) == getattr(shape, name), (kernel.__name__, name)
    assert [FIELD[n] for n in ("method", "target", "query")] == [
        what_kernel.METHOD,
        what_kernel.TARGET,
        what_kernel.QUERY,
    ]
    assert (what_kernel.C_QUERY, what_kernel.C_QUERY_PAGE) == (shape.QUERY, shape.QUERY_PAGE)
    assert (routes_kernel.QUERY, routes_kernel.QUERY_PAGE) == (shape.QUERY, shape.QUERY_PAGE)
    assert (text_kernel.SUFFIX, name_kernel.WIDTH, path_kernel.DEPTH) == (shape.SUFFIX, NAME_BYTES, DEPTH)
    assert (path_kernel.PATH_END, path_kernel.PERCENT, path_kernel.FILLER) == (
        shape.PATH_END,
        shape.PERCENT,
        shape.FILLER,
    )
