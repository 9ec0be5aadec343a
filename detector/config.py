"""YAML to a validated configuration. Every problem is found in one pass and told as ``file:line: key: what, allowed``.

The text is composed into nodes, which know their lines, and walked along the dataclasses of ``config_model``: the walk
is as deep as those, whatever the file nests, and stops after ``MAX_NODES`` visits, whatever its aliases multiply.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import json
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from detector import config_model as model
from detector.config_checks import CHECKS, moment_us
from detector.config_rule import Rule
from detector.errors import ConfigError, UsageError
from detector.incidents.incident import PATTERNS

MAX_BYTES = 1 << 20  # ten thousand networks are a fifth of it; more is a mistake or an attack
MAX_NODES = 100_000
MAX_PROBLEMS = 100
MAX_PARTNERS = 1000  # 6 MB of tables of what each may do and when


@dataclass(frozen=True)
class Config(model.Config):
    """A configuration together with the digest that incidents carry."""

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits of what the settings say: comments and order do not count."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


REPLAY_LATENESS_SECONDS = 60.0  # contract.md, "Order"
METRICS_STEP_SECONDS = 15  # the scrape interval of configs/prometheus/scrape.yaml
RUN_LATENESS_SECONDS = 1.0


@dataclass(frozen=True)
class ReplaySettings:
    """What one replay is asked to do.

    Attributes:
        config: the configuration.
        log_format: a preset's name or a ``log_format`` string; None = detect.
        since_us: first moment read, microseconds since 1970 UTC of log time; None = from the start.
        until_us: first moment no longer read; None = to the end.
        vhost: only requests to this virtual host; None = all.
        threads: 1 = everything in line, 2 = reading and parsing beside judging. The result is the same.
        cases: folder for what stands behind each incident; None = none written.
        features: whether the features of every client are wanted at the end.
        top: how many of the most unusual clients are wanted at the end.
        metrics: file of OpenMetrics in log time; None = none written.
        metrics_step: seconds of log time from one sample to the next.
        command: as it was called, for cases.
        exact: whether files are read again for all that named clients have read, where some of it was let go.
    """

    config: Config = field(default_factory=Config)
    log_format: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    vhost: str | None = None
    threads: int = 2
    cases: Path | None = None
    features: bool = False
    top: int = 0
    metrics: Path | None = None
    metrics_step: int = METRICS_STEP_SECONDS
    command: str = ""
    exact: bool = False


def parse_moment(text: str, option: str) -> int:
    """ISO 8601 date or time as microseconds since 1970 UTC; without a zone it is UTC.

    Raises:
        UsageError: naming ``option``.
    """
    try:
        return moment_us(text)
    except ValueError:
        raise UsageError(f"{option}: {CHECKS['moment'](text)}") from None


def load_config(path: Path | None) -> Config:
    """The configuration in a file, or the default settings without one.

    Raises:
        ConfigError: every problem found, a line each.
    """
    if path is None:
        return Config()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    return parse_config(data, str(path), path.parent)


def parse_config(data: bytes, name: str, folder: Path = Path()) -> Config:
    """The configuration in YAML text.

    Args:
        data: UTF-8 text.
        name: what messages call it.
        folder: where relative file names start.

    Raises:
        ConfigError: every problem found, a line each.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError([f"{name}: larger than {MAX_BYTES} bytes"])
    reader = _Reader(name, folder)
    root = _compose(data, name)
    config = Config() if root is None else reader.section(root, Config, "")
    if reader.problems:
        raise ConfigError(reader.problems[:MAX_PROBLEMS])
    return typing.cast(Config, config)


def _compose(data: bytes, name: str) -> yaml.Node | None:
    try:
        return yaml.compose(data.decode(), yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}:{line}: not UTF-8 text"]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError([f"{place}: not YAML: {error.problem or error.context}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: not YAML: {str(error).replace(chr(10), ' ')}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{name}: nested too deeply"]) from error


class _Reader:
    """One walk over the nodes of one file; collects problems and goes on with the default."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.problems: list[str] = []
        self.visited = 0

    def problem(self, node: yaml.Node, key: str, what: str) -> None:
        place = f"{self.name}:{node.start_mark.line + 1}"
        self.problems.append(f"{place}: {key}: {what}" if key else f"{place}: {what}")

    def section(self, node: yaml.Node, cls: type, path: str) -> Any:
        """A dataclass from a mapping node; missing keys keep their defaults."""
        options = {f.name: f for f in fields(cls)}
        hints = typing.get_type_hints(cls)
        values: dict[str, Any] = {}
        for key, child in self._pairs(node, path, tuple(options)):
            rule = options[key].metadata["rule"]
            values[key] = self.value(child, hints[key], rule, f"{path}{key}", _default(options[key]))
        for key, option in options.items():
            if option.metadata["rule"].required and key not in values:
                self.problem(node, f"{path}{key}", f"missing: {option.metadata['rule'].help}")
        built = cls(**values)
        for what in _contradictions(built):
            self.problem(node, path.rstrip("."), what)
        return built

    def _pairs(self, node: yaml.Node, path: str, known: tuple[str, ...]) -> Iterable[tuple[str, yaml.Node]]:
        """Known keys with their nodes; complains about all others. A section without content is an empty one."""
        if _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, path.rstrip("."), f"must be a section with the keys {', '.join(known)}")
            return
        seen: dict[str, int] = {}
        for key_node, child in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in seen:
                self.problem(key_node, f"{path}{key}", f"said twice, first in line {seen[key]}")
            elif key not in known:
                self.problem(key_node, f"{path}{key}", f"unknown key{_meant(key, known)}; allowed: {', '.join(known)}")
            else:
                yield key, child
            seen[key] = key_node.start_mark.line + 1

    def value(self, node: yaml.Node, kind: Any, rule: Rule, path: str, default: Any) -> Any:
        """A value of the given type, or its default after a complaint."""
        self.visited += 1
        if self.visited > MAX_NODES:
            if self.visited == MAX_NODES + 1:
                self.problem(node, path, f"more than {MAX_NODES} values")
            return default
        origin = typing.get_origin(kind)
        if is_dataclass(kind) and isinstance(kind, type):
            return self.section(node, kind, f"{path}.")
        if origin is tuple:
            return self._list(node, typing.get_args(kind)[0], rule, path, default)
        if origin is dict:
            if typing.get_args(kind)[1] is Any:
                return self._settings(node, path, default)
            pairs = self._pairs(node, f"{path}.", PATTERNS)
            return {key: self.value(child, bool, rule, f"{path}.{key}", True) for key, child in pairs}
        if origin is types.UnionType:
            if _is_null(node):
                return None
            return self.value(node, typing.get_args(kind)[0], rule, path, default)
        return self._scalar(node, kind, rule, path, default)

    def _settings(self, node: yaml.Node, path: str, default: Any) -> Any:
        """A mapping whose keys another program defines: texts, numbers, yes or no, and lists of texts."""
        if _is_null(node):
            return default
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, path, "must be a section")
            return default
        values: dict[str, Any] = {}
        for key_node, child in node.value:
            key = str(key_node.value)
            if key in values:
                self.problem(key_node, f"{path}.{key}", "said twice")
            elif isinstance(child, yaml.ScalarNode):
                values[key] = _plain(child)
            elif isinstance(child, yaml.SequenceNode) and all(isinstance(c, yaml.ScalarNode) for c in child.value):
                values[key] = [str(c.value) for c in child.value]
            else:
                self.problem(child, f"{path}.{key}", "must be a text, a number, true or false, or a list of texts")
            if key.endswith("_file") and isinstance(values.get(key), str):
                values[key] = str(self.folder / values[key])
        return values

    def _list(self, node: yaml.Node, kind: Any, rule: Rule, path: str, default: Any) -> Any:
        if _is_null(node):
            return default
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, path, "must be a list")
            return default
        blank = kind() if is_dataclass(kind) and isinstance(kind, type) else ""
        return tuple(self.value(c, kind, rule, f"{path}[{i}]", blank) for i, c in enumerate(node.value))

    def _scalar(self, node: yaml.Node, kind: type, rule: Rule, path: str, default: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode) or _is_null(node):
            self.problem(node, path, f"must be {_KIND_NAMES[kind]}")
            return default
        text = str(node.value)
        try:
            value = _CONVERT[kind](node, text)
        except ValueError:
            self.problem(node, path, f"{text!r} is not {_KIND_NAMES[kind]}")
            return default
        what = self._wrong(value, rule)
        if what:
            self.problem(node, path, what)
            return default
        return self.folder / value if isinstance(value, Path) else value

    def _wrong(self, value: Any, rule: Rule) -> str:
        """What a rule has against a value; empty if nothing."""
        if rule.low is not None and rule.high is not None and not rule.low <= value <= rule.high:
            return f"{value} is out of range; allowed: {rule.low:g} to {rule.high:g}"
        if rule.choices and value not in rule.choices:
            return f"{value!r} is not known{_meant(value, rule.choices)}; allowed: {', '.join(rule.choices)}"
        if rule.check == "network":
            try:
                ipaddress.ip_network(value)
            except ValueError as error:
                return f"not a network such as 192.0.2.0/24: {error}"
        if rule.check == "file" and not (self.folder / value).is_file():
            return f"no such file: {self.folder / value}"
        return CHECKS[rule.check](value) if rule.check in CHECKS else ""


def _default(option: Any) -> Any:
    return option.default if option.default is not MISSING else option.default_factory()


def _contradictions(section: Any) -> Iterable[str]:
    """What is wrong between keys that are right by themselves."""
    for kind, complaints in _COMPLAINTS.items():
        if isinstance(section, kind):
            yield from (what for what, holds in complaints(section) if holds)


def _identity_complaints(section: Any) -> Iterable[tuple[str, bool]]:
    yield "ladder is empty: nobody could be told from anybody", not section.ladder
    yield "ladder names a kind twice", len(set(section.ladder)) < len(section.ladder)
    everybody = any(text.endswith("/0") for text in section.trusted_proxies)
    yield "trusted_proxies trusts everybody, so that anybody could name another", everybody


def _partner_complaints(section: Any) -> Iterable[tuple[str, bool]]:
    names = [partner.name for partner in section.partners]
    for name in sorted(set(names)):
        yield f"partners: {name!r} is declared twice", names.count(name) > 1
    yield f"partners: more than {MAX_PARTNERS}", len(names) > MAX_PARTNERS
    for number, wire in enumerate(section.tripwires):
        yield f"tripwires[{number}]: name ids or ids_file", not wire.ids and wire.ids_file is None


def _quiet_complaints(section: Any) -> Iterable[tuple[str, bool]]:
    yield "matches everything; name clients, accounts, networks, agents, routes or patterns", section == type(section)()


_WHO = ("accounts", "keys", "networks", "networks_file", "names_file", "bots")  # any of them tells somebody
_COMPLAINTS: dict[type, Callable[[Any], Iterable[tuple[str, bool]]]] = {
    model.IdentityConfig: _identity_complaints,
    model.MatchConfig: lambda s: [
        ("matches nobody; name accounts or networks", not any(getattr(s, name) for name in _WHO)),
        ("names_file and names go together", bool(s.names_file) != bool(s.names)),
    ],
    model.QuietConfig: _quiet_complaints,
    model.SourceConfig: lambda s: [("names files and kafka; one process reads one of them", bool(s.files and s.kafka))],
    model.SharedConfig: lambda s: [("name a folder or a topic", bool(s.folder) == bool(s.topic))],
    model.KafkaSourceConfig: lambda s: [
        (
            "start_ms goes with start: timestamp, and with no other start",
            (s.start == "timestamp") != (s.start_ms is not None),
        )
    ],
    Config: _partner_complaints,
}


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _plain(node: yaml.ScalarNode) -> Any:
    """What a scalar means by YAML's own reading: true, a number, nothing, or its text."""
    if _is_null(node):
        return None
    for convert in (_boolean, _integer, _number):
        try:
            return convert(node, str(node.value))
        except ValueError:
            continue
    return str(node.value)


def _boolean(node: yaml.ScalarNode, text: str) -> bool:
    if not node.tag.endswith(":bool"):
        raise ValueError
    return text.lower() in ("yes", "true", "on")


def _integer(node: yaml.ScalarNode, text: str) -> int:
    if not node.tag.endswith(":int"):
        raise ValueError
    return int(text.replace("_", ""))


def _number(node: yaml.ScalarNode, text: str) -> float:
    if not node.tag.endswith((":int", ":float")):
        raise ValueError
    return float(text.replace("_", ""))


_CONVERT: dict[type, Callable[[yaml.ScalarNode, str], Any]] = {
    bool: _boolean,
    int: _integer,
    float: _number,
    str: lambda _, text: text,  # an account called 0042 or no stays what was written
    Path: lambda _, text: Path(text),
}
_KIND_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a file name",
}
