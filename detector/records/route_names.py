"""Routes as people write them: ``GET /users/{id}``, ``/users/{id}``, ``GET /api/v1/*``."""

from __future__ import annotations


def is_template(said: str) -> bool:
    """Whether a text can name routes: an absolute path, a method in capitals before it or not."""
    method, _, path = said.rpartition(" ")
    return path.startswith("/") and said.isascii() and said.isprintable() and (not method or method.isupper())


def names_route(said: str, name: str) -> bool:
    """Whether a text names a route as `records.routes.Routes.name` prints it.

    Without a method any will do. A segment in braces stands for any one segment, because a place is a word before it
    has proved to hold values; ``/*`` at the end stands for whatever lies below. The keys of a query must be the same.
    """
    method, _, path = said.rpartition(" ")
    its_method, _, its_path = name.rpartition(" ")
    if method and method != its_method:
        return False
    path, _, query = path.partition("?")
    its_path, _, its_query = its_path.partition("?")
    parts, its = path.split("/"), its_path.split("/")
    if parts[-1] == "*" and not query:
        return len(its) >= len(parts) and _same(parts[:-1], its)
    return len(parts) == len(its) and _same(parts, its) and _keys(query) == _keys(its_query)


def _same(parts: list[str], its: list[str]) -> bool:
    return all(a == b or (a.startswith("{") and "}" in a) for a, b in zip(parts, its, strict=False))


def _keys(query: str) -> list[str]:
    return sorted(part.partition("=")[0] for part in query.split("&")) if query else []
