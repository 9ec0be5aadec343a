"""Declared routes: templates, OpenAPI, data classes; what they override and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detector.errors import UsageError
from detector.records import routes as room
from detector.records import routes_kernel, shape
from detector.records.batch import NAMED, Batch
from detector.records.keys import REPLAY_KEY
from detector.records.openapi import read_openapi
from detector.records.resolve import Resolver
from detector.records.routes import Routes
from detector.records.templates import parse_template
from tests.record_lines import get, lay_out


def declared(*texts: str, classes: tuple[str, ...] = ()) -> tuple[Resolver, Routes]:
    """A resolver and routes with these templates."""
    resolver = Resolver()
    routes = Routes(resolver.texts)
    templates = [parse_template(text, classes) for text in texts]
    routes.declare(templates, resolver.tokens([t.path for t in templates]))
    return resolver, routes


def asked(resolver: Resolver, routes: Routes, *targets: str, status: int = 200) -> tuple[Batch, list[str]]:
    """The rows of some requests and the names of their routes."""
    batch = resolver.resolve(*lay_out(get(*targets, status=status)))
    routes.assign(batch)
    return batch, [routes.name(int(number)) for number in batch.route]


def test_a_parameter_takes_anything_from_the_first_sight() -> None:
    """A word, a number, an odd literal: one route, each an object; declared literals beside it stay."""
    made = declared("GET /users/{user}", "/users/me", "/users/{user}/orders/{order}")
    batch, names = asked(*made, "/users/ann", "/users/7", "/users/x-9z", "/users/me", "/users/ann/orders/4", "/users")
    assert names[:3] == ["GET /users/{user}"] * 3
    assert names[3:] == ["GET /users/me", "GET /users/{user}/orders/{order}", "GET /users"]
    assert batch.object[:2].tolist() == [REPLAY_KEY.of_text(b"ann"), REPLAY_KEY.of_number(7)]
    assert batch.flags[:2].tolist() == [NAMED, 0]
    assert batch.object[3] == 0
    assert made[1].is_record(int(batch.route[0]))


def test_what_is_not_declared_is_learnt() -> None:
    """Beside and below declared paths routes grow as ever, query keys of a declared path among them."""
    made = declared("/users/{user}")
    _, names = asked(*made, "/users/ann/likes", "/items/5", "/users?page=2", "/users/ann?id=4", "/a.css")
    assert names == [
        "GET /users/{user}/likes", "GET /items/{id}", "GET /users?page={page}", "GET /users/{user}?id={id}",
        "GET {static}",
    ]  # fmt: skip


def test_misses_follow_templates() -> None:
    """A template is known before anybody was served, so a miss reads as what it asks for."""
    made = declared("/users/{user}")
    _, names = asked(*made, "/users/bob", "/nothing", status=404)
    assert names == ["GET /users/{user}", "GET /{missing}"]


def test_templates_override_what_was_learnt_before() -> None:
    """Declared in mid-stream, from the next row on; declared words survive the place becoming a value."""
    resolver = Resolver()
    routes = Routes(resolver.texts)
    asked(resolver, routes, *(f"/d/x{i}" for i in range(40)), "/d/all")
    templates = [parse_template("/d/x3"), parse_template("/d/{name}/z")]
    routes.declare(templates, resolver.tokens([t.path for t in templates]))
    _, names = asked(resolver, routes, "/d/x3", "/d/x4", "/d/all", "/d/all/z")
    assert names == ["GET /d/x3", "GET /d/{name}", "GET /d/{name}", "GET /d/{name}/z"]
    routes.declare([], np.zeros((0, 8), np.uint64))
    _, names = asked(resolver, routes, "/d/x5", "/d/all")
    assert names == ["GET /d/{slug}", "GET /d/all"]


def test_a_copy_keeps_templates() -> None:
    """Saved and loaded under the same configuration: same numbers, same names, also for what comes new."""
    targets = [f"/users/u{i}" for i in range(50)] + ["/other/1"]
    resolver, routes = declared("/users/{user}", "/users/me", classes=("name",))
    before, _ = asked(resolver, routes, *targets)
    again, copy = declared("/users/{user}", "/users/me", classes=("name",))
    copy.load(routes.save())
    after, names = asked(again, copy, *targets, "/users/me")
    assert after.route[:-1].tolist() == before.route.tolist()
    assert names[0] == "GET /users/{user}"
    assert names[-1] == "GET /users/me"
    assert copy.data_classes(int(after.route[0])) == ("name",)


def test_routes_move_to_a_process_without_templates() -> None:
    """Their tokens carry the parameter and its name."""
    resolver, routes = declared("/users/{user}")
    batch, _ = asked(resolver, routes, "/users/ann")
    other = Routes(Resolver().texts)
    numbers = other.adopt(routes.paths(batch.route))
    assert other.name(int(numbers[batch.route[0]])) == "GET /users/{user}"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("users/{id}", "begins with /"),
        ("FETCH /users", "no method 'FETCH'"),
        ("/a/../b", "without .."),
        ("/1/2/3/4/5/6/7/8/9", "at most 8"),
    ],
)
def test_templates_that_cannot_be_say_so(text: str, wrong: str) -> None:
    """Each with what is wrong."""
    with pytest.raises(UsageError, match=wrong):
        parse_template(text)


def test_parameters_are_written_in_several_ways() -> None:
    """Braces of OpenAPI, colons of Express, stars of gateways; names are printable."""
    assert parse_template("GET /a/{b}.json/:c/*/{d+}").parameters == {1: "b", 2: "c", 3: "any", 4: "d_"}
    assert parse_template("/a/{" + "x" * 90 + "}").parameters[1] == "x" * 40
    assert parse_template("/a/{\x1b[0m}").parameters[1] == "__0m"


OPENAPI = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.example.com/v2/"}],
    "paths": {
        "/users/{id}": {
            "x-data-class": "name",
            "get": {"responses": {"200": {"content": {"json": {"schema": {"$ref": "#/components/schemas/User"}}}}}},
            "delete": {"responses": {}},
        },
        "/loop": {"$ref": "#/paths/~1loop"},
        "/ping": {"get": {"responses": {"200": {"description": "x-data-class"}}}},
        "broken": 3,
    },
    "components": {
        "schemas": {
            "User": {
                "properties": {
                    "phone": {"type": "string", "x-data-class": ["phone", "contact"]},
                    "friends": {"type": "array", "items": {"$ref": "#/components/schemas/User"}},
                }
            }
        }
    },
}  # fmt: skip


def test_an_openapi_document_brings_routes_and_classes(tmp_path: Path) -> None:
    """Operations, path items and properties behind references say what is handed out; by method."""
    file = tmp_path / "api.json"
    file.write_text(json.dumps(OPENAPI))
    templates = read_openapi(file)
    resolver = Resolver()
    routes = Routes(resolver.texts)
    routes.declare(templates, resolver.tokens([t.path for t in templates]))
    batch, names = asked(resolver, routes, "/v2/users/ann", "/users/ann", "/v2/ping", "/v2/users/ann?page=1")
    assert names[:3] == ["GET /v2/users/{id}", "GET /users/{id}", "GET /v2/ping"]
    found = [routes.data_classes(int(route)) for route in batch.route]
    assert found == [("contact", "name", "phone")] * 2 + [()] + [("contact", "name", "phone")]
    lines = get("/v2/users/ann")
    lines[0]["method"] = b"DELETE"
    removed = resolver.resolve(*lay_out(lines))
    routes.assign(removed)
    assert routes.data_classes(int(removed.route[0])) == ("name",)


def test_what_is_no_openapi_document_is_refused(tmp_path: Path) -> None:
    """Not there, no YAML, no paths; a bomb of aliases ends."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_openapi(tmp_path / "none.yaml")
    file = tmp_path / "api.yaml"
    for text, wrong in (("a: [", "neither YAML nor JSON"), ("a: 1", "it has no paths"), ("[]", "it has no paths")):
        file.write_text(text)
        with pytest.raises(UsageError, match=wrong):
            read_openapi(file)
    levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9) if i else 'x'}]" for i in range(12))
    file.write_text(f"{levels}\npaths: {{/a: {{get: {{responses: *l11}}}}}}\n")
    assert len(read_openapi(file)) == 1


def test_odd_words_are_named_once_they_are_known_well() -> None:
    """Three clients make a word of an interface; one client's three requests, or two clients' many, do not."""
    resolver = Resolver()
    routes = Routes(resolver.texts)
    _, names = asked(
        resolver, routes, "/api/oauth2/token", "/api/oauth2/token", "/api/oauth2/token", "/api/reset-4711x"
    )
    assert names[0] == "GET /api/{slug}/token"
    assert names[3] == "GET /api/{slug}"
    for client in (1, 0, 1, 0, 1):
        other = [line | {"address": b"192.0.2.%d" % client} for line in get("/api/oauth2/token")]
        batch = resolver.resolve(*lay_out(other))
        routes.assign(batch)
    assert routes.name(int(batch.route[0])) == "GET /api/{slug}/token"
    lines = [line | {"address": b"192.0.2.%d" % i} for i, line in enumerate(get(*["/api/oauth2/token"] * 4))]
    batch = resolver.resolve(*lay_out(lines))
    routes.assign(batch)
    assert routes.name(int(batch.route[0])) == "GET /api/oauth2/token"


def test_values_are_never_named_however_many_ask() -> None:
    """A dozen odd neighbours are values, also before they become {slug}, and popular ones too."""
    resolver = Resolver()
    routes = Routes(resolver.texts)
    lines = get(*(f"/u/ann.{i}" for i in range(12)))
    for client in range(5):
        batch = resolver.resolve(*lay_out([line | {"address": b"192.0.2.%d" % client} for line in lines]))
        routes.assign(batch)
    assert {routes.name(int(route)) for route in batch.route} == {"GET /u/{slug}"}


def test_kernels_use_the_codes_of_the_tables() -> None:
    """Machine code has its constants for itself; here they are held equal."""
    assert int(routes_kernel.PARAMETER) == shape.PARAMETER
    assert routes_kernel.WELL_KNOWN == room.WELL_KNOWN
    assert (routes_kernel.PARAMETERS, routes_kernel.TEMPLATE) == (room._PARAMETERS, room._TEMPLATE)
    assert 64 - int(routes_kernel.EDGE_SHIFT) == room.EDGE_SLOTS.bit_length() - 1
