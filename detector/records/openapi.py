"""Templates out of an OpenAPI 3 or Swagger 2 document: its paths, and the data classes they hand out.

A class is said by the extension ``x-data-class`` (one name or several), on an operation, on a path, or anywhere in what
an operation answers: a response, its schema, a property. References within the document are followed, each once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detector.errors import UsageError
from detector.records.templates import Template, parse_template

EXTENSION = "x-data-class"
MAX_BYTES = 32 << 20  # GitHub's description, a large one, has 12 MB
MAX_VISITS = 2_000_000  # values looked at in the whole document: what aliases multiply
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def read_openapi(path: Path) -> list[Template]:
    """The templates of a document in YAML or JSON, in its order, with and without the path of its servers.

    Raises:
        UsageError: it cannot be read, or is no such document.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"routes.openapi: {path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"routes.openapi: {path}: larger than {MAX_BYTES >> 20} MiB")
    document = _parsed(data, path)
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(paths, dict):
        raise UsageError(f"routes.openapi: {path}: no OpenAPI document: it has no paths")
    return list(_Reader(document).templates(paths))


def _parsed(data: bytes, path: Path) -> Any:
    import yaml

    try:
        return yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        first = str(error).split("\n", 1)[0]
        raise UsageError(f"routes.openapi: {path}: neither YAML nor JSON: {first}") from error


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._visits = 0

    def templates(self, paths: dict[Any, Any]) -> Iterator[Template]:
        for path, item in paths.items():
            item = self._resolved(item)
            if not isinstance(path, str) or not path.startswith("/") or not isinstance(item, dict):
                continue
            common = _names(item.get(EXTENSION))
            for method in METHODS:
                operation = item.get(method)
                if isinstance(operation, dict):
                    classes = common | _names(operation.get(EXTENSION)) | self._classes(operation.get("responses"))
                    for base in self._bases():
                        yield parse_template(f"{method.upper()} {base}{path}", sorted(classes))

    def _bases(self) -> list[str]:
        """The paths of the servers, without the last slash; a log may be written before or behind what strips it."""
        servers = self._document.get("servers")
        urls = [s.get("url", "") for s in servers if isinstance(s, dict)] if isinstance(servers, list) else []
        urls.append(self._document.get("basePath", ""))
        bases = {""}
        for url in urls:
            rest = str(url).partition("://")[2] if "://" in str(url) else str(url)
            path = rest[rest.index("/") :] if "/" in rest else ""
            bases.add(path.rstrip("/"))
        return sorted(bases)

    def _resolved(self, value: Any) -> Any:
        """What a local reference stands for; anything else as it is."""
        for _ in range(16):  # a reference to a reference to ... itself
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value
            target: Any = self._document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            value = target
        return None

    def _classes(self, value: Any) -> set[str]:
        """Every class named in a value or behind its references."""
        found: set[str] = set()
        seen: set[int] = set()
        waiting = [value]
        while waiting and self._visits < MAX_VISITS:
            self._visits += 1
            value = self._resolved(waiting.pop())
            if id(value) in seen:
                continue
            if isinstance(value, dict):
                seen.add(id(value))
                found |= _names(value.get(EXTENSION))
                waiting += [v for k, v in value.items() if k not in ("example", "examples", EXTENSION)]
            elif isinstance(value, list):
                seen.add(id(value))
                waiting += value
        return found


def _names(value: Any) -> set[str]:
    names = value if isinstance(value, list) else [value]
    return {name.strip() for name in names if isinstance(name, str) and name.strip()}
