"""The house rules that no linter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from detector.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "detector").rglob("*.py"))
ORDINARY = [path for path in PACKAGE if not path.stem.endswith("_kernel")]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE}
FILE_LINES = 400
FUNCTION_LINES = 50
LOOSE_NAMES = {"utils", "util", "helpers", "common", "misc", "base"}
HEAVY = {"pandas", "pyod", "numba", "kafka", "pyarrow", "rich"}


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: outside functions and ``if TYPE_CHECKING``."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        checking = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        if checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def test_files_are_short_and_named_for_a_thing() -> None:
    """No file is over 400 lines, none is a drawer for leftovers."""
    assert not [_id(p) for p in PACKAGE if len(p.read_text(encoding="utf-8").split("\n")) - 1 > FILE_LINES]
    assert not [_id(p) for p in PACKAGE if p.stem in LOOSE_NAMES]


def test_functions_are_short() -> None:
    """No function is over 50 lines; a command's options, which are data, do not count, nor do kernels."""
    long = []
    for path in ORDINARY:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                begin = node.body[0].lineno if path.parent.name == "cli" else node.lineno
                if (node.end_lineno or begin) - begin >= FUNCTION_LINES:
                    long.append(f"{_id(path)}:{node.lineno} {node.name}")
    assert not long


def test_input_is_never_split_by_strange_line_ends() -> None:
    """``str.splitlines`` breaks lines at eight more characters than a log writer does."""
    assert not [
        f"{_id(path)}:{node.lineno}"
        for path in PACKAGE
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Attribute) and node.attr == "splitlines"
    ]


def test_hashes_are_the_same_in_every_run() -> None:
    """The built-in ``hash`` of text differs from process to process."""
    assert not [
        f"{_id(path)}:{node.lineno}"
        for path in PACKAGE
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash"
    ]


def test_kernels_are_reached_through_compiled_alone() -> None:
    """Only kernels import kernels, and only they and ``compiling`` import numba: it costs 1.7 s."""
    for path in ORDINARY:
        names = list(_imports(ast.walk(TREES[path])))
        assert not [name for name in names if name.endswith("_kernel")], _id(path)
        assert path.stem == "compiling" or "numba" not in {name.split(".")[0] for name in names}, _id(path)


def test_heavy_libraries_are_imported_when_used() -> None:
    """A plain replay loads neither pandas nor pyod; rich is loaded by what prints with it."""
    for path in ORDINARY:
        names = {name.split(".")[0] for name in _imports(_at_import(TREES[path]))}
        assert not names & HEAVY - ({"rich"} if path.name == "table.py" else set()), _id(path)


def test_readme_begins_with_the_two_commands() -> None:
    """Who opens the README sees first how to try it and how to test it."""
    lines = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").split("\n") if line.strip()]
    assert lines[2].startswith("make demo")
    assert lines[3].startswith("make test")


def test_every_command_is_in_the_readme() -> None:
    """The README names each command."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"detector {name}" not in text]


def test_every_python_file_of_the_package_says_what_it_is() -> None:
    """Each module with content has a docstring."""
    assert not [_id(p) for p in PACKAGE if p.read_text(encoding="utf-8").strip() and not ast.get_docstring(TREES[p])]
