"""Requests for several objects, operations of GraphQL, paths with dots, cards: what is read of them and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from detector.records import path_kernel, query_kernel, shape, what_kernel
from detector.records.batch import NAMED, Batch
from detector.records.keys import REPLAY_KEY
from detector.records.resolve import Resolver
from detector.records.routes import Routes
from tests.record_lines import get, lay_out, resolved, routed

UUIDS = ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7")
CARD = "4111111111111111"


@pytest.mark.parametrize(
    ("target", "name", "numbers"),
    [
        ("/users?ids=1,2,3", "GET /users?ids={id}", [1, 2, 3]),
        ("/users?ids=1%2C2%2c3", "GET /users?ids={id}", [1, 2, 3]),
        ("/w?pageids=1|2", "GET /w", [-1]),
        ("/w?pids=4", "GET /w", [-1]),
        ("/users?id=7&id=8&id=9", "GET /users?id={id}", [7, 8, 9]),
        ("/users?id[]=7&id[]=8", "GET /users?id[]={id}", [7, 8]),
        ("/users?user[id]=7&user[id]=8", "GET /users?user[id]={id}", [7, 8]),
        ("/users?id=1,2&id=3", "GET /users?id={id}", [1, 2, 3]),
        ("/users?id=1&verbose&id=2", "GET /users?id={id}&id={id}", [2]),
        ("/users?x=1&ids=5|6&y=2", "GET /users?ids={id}", [5, 6]),
        ("/users/1,2,3/profile", "GET /users/{id}/profile", [1, 2, 3]),
        ("/users/1,,2,", "GET /users/{id}", [1, 2]),
        ("/users/a,b", "GET /users/{slug}", [-1]),
        (f"/f/{UUIDS[0]},{UUIDS[1]}", "GET /f/{uuid}", [-1, -1]),
        ("/users/1,2/..", "GET /users", [-1]),
        ("/users?ids=,1", "GET /users?ids={id}", [-1]),
    ],
)
def test_a_request_for_several_has_a_row_for_each(target: str, name: str, numbers: list[int]) -> None:
    """Lists in the query or the path, by commas, bars or the key said again."""
    batch, names, _ = routed(get(target))
    assert set(names) == {name}
    assert batch.number.tolist() == numbers


def test_each_of_several_is_the_object_it_would_be_alone() -> None:
    """By number, by text, and beside another id."""
    listed = resolved(get("/u?ids=1,2", f"/f/{UUIDS[0]},{UUIDS[1]}", "/g/9/u?ids=1,2", "/g/1,2/u?kid=5"))
    alone = resolved(
        get(
            "/u/1",
            "/u/2",
            f"/f/{UUIDS[0]}",
            f"/f/{UUIDS[1]}",
            "/g/9/u?ids=1",
            "/g/9/u?ids=2",
            "/g/1/u?kid=5",
            "/g/2/u?kid=5",
        )
    )
    assert listed.object.tolist() == alone.object.tolist()
    assert listed.flags.tolist() == alone.flags.tolist() == [0, 0, NAMED, NAMED, 0, 0, 0, 0]


def test_the_request_is_counted_once() -> None:
    """The first row has the bytes; all have the line's client, time and place, and one record each."""
    chunk, fields = lay_out(get("/a/1", "/u?ids=1,2,3", "/a/2"))
    fields.bytes_out[:] = 10, 900, 10
    fields.rows[1] = 3
    batch = Resolver().resolve(chunk, fields)
    assert batch.requests.tolist() == [1, 1, 0, 0, 1]
    assert batch.bytes_out.tolist() == [10, 900, 0, 0, 10]
    assert batch.rows.tolist() == [1] * 5
    assert batch.position.tolist() == [chunk.positions[i] for i in (0, 1, 1, 1, 2)]
    assert len(set(batch.client.tolist())) == 1


def test_a_list_is_read_to_a_bound() -> None:
    """A line of tens of thousands of ids costs what its bytes cost, also beside a long other id."""
    ids = ",".join(map(str, range(9_000)))
    assert len(resolved(get(f"/?ids={ids}"))) == what_kernel.MAX_PARTS
    again = "&".join(f"id={i}" for i in range(5_000))
    assert len(resolved(get(f"/?{again}"))) == what_kernel.MAX_PARTS
    assert len(resolved(get(f"/?ids={ids}&kid={'x' * 8_000}"))) == what_kernel.PART_BYTES // 8_064


def test_batches_may_be_cut_anywhere() -> None:
    """One line at a time or all at once: the same rows."""
    lines = get(*(f"/u?ids={i},{i + 1}&page={i % 3}" if i % 2 else f"/u/{i},{i + 9}/x" for i in range(60)))
    whole, _, _ = routed(lines)
    resolver = Resolver()
    routes = Routes(resolver.texts)
    parts = []
    for line in lines:
        part = resolver.resolve(*lay_out([line]))
        routes.assign(part)
        parts.append(part)
    single = Batch.concatenate(parts)
    for column in ("route", "object", "number", "flags", "requests"):
        assert np.array_equal(getattr(single, column), getattr(whole, column)), column


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/graphql?operationName=GetUser&id=4", "GET /graphql/GetUser?id={id}"),
        ("/graphql?variables=%7B%7D&operationName=GetUser", "GET /graphql/GetUser"),
        ("/graphql?operationName=GetUser2", "GET /graphql/{slug}"),
        ("/graphql?operationName=", "GET /graphql"),
    ],
)
def test_operations_of_graphql_are_routes(target: str, name: str) -> None:
    """One path for all: the name of the operation tells what is asked."""
    batch, (found,), _ = routed(get(target))
    assert found == name
    assert batch.number[0] == (4 if "id=4" in target else -1)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/a/b/../c", "GET /a/c"),
        ("/a/../../c", "GET /c"),
        ("/a/7/..", "GET /a"),
        ("/a/%2e%2e/users/7", "GET /users/{id}"),
        ("/a/b/..;x=1/c", "GET /a/c"),
        ("/a/...", "GET /a/..."),
        ("/1/2/3/4/5/6/7/../8", "GET " + "/{id}" * 7),
    ],
)
def test_dots_are_followed_as_servers_do(target: str, name: str) -> None:
    """RFC 3986, 5.2.4: a walk that adds detours to its paths is still on one route."""
    batch, (found,), _ = routed(get(target))
    assert found == name
    assert (batch.object[0] != 0) == ("{id}" in name)


def test_cards_and_parted_numbers_are_values_without_a_number() -> None:
    """A payment card names an object by its hash alone; what is written in groups of digits is a value."""
    batch, names, _ = routed(
        get(f"/pay/{CARD}", f"/pay?kid={CARD}", "/pay/4111111111111112", "/pay/4111-1111-1111-1111")
    )
    assert names == ["GET /pay/{id}", "GET /pay?kid={id}", "GET /pay/{id}", "GET /pay/{token}"]
    assert batch.number.tolist() == [-1, -1, 4111111111111112, -1]
    assert batch.object[0] == batch.object[1] == REPLAY_KEY.of_text(CARD.encode())
    cards = ("378282246310005", "5555555555554444", "2223003122003222", "6011111111111117")
    others = ("1111111111111117", "378282246310006", "555555555555444", "79927398713")
    found = resolved(get(*(f"/x/{n}" for n in cards + others))).number.tolist()
    assert found == [-1] * len(cards) + [int(n) for n in others]


def test_kernels_use_the_codes_of_the_tables() -> None:
    """Machine code has its constants for itself; here they are held equal."""
    assert query_kernel.OPERATION == shape.OPERATION
    assert query_kernel.LIST == path_kernel.LIST == 15 * path_kernel.COLUMNS
    assert query_kernel.FIRST == path_kernel.DEPTH
