"""The configuration: what it takes, and how it says no."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from detector.config import Config, ReplaySettings, load_config, parse_config, parse_moment
from detector.errors import ConfigError, UsageError


def _problems(text: str, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "x.yaml", folder)
    return caught.value.problems


def test_nothing_said_is_the_default() -> None:
    """An empty file, a comment, an empty section and no file at all mean the same."""
    for text in (b"", b"# nothing\n", b"state:\n", b"{}", b"partners:\n"):
        assert parse_config(text, "x.yaml") == Config() == load_config(None)


def test_every_option_is_read(tmp_path: Path) -> None:
    """A file that sets everything gives what it says, relative names starting at its folder."""
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    file = tmp_path / "all.yaml"
    file.write_text(
        """
identity: {ladder: [key, address], trusted_proxies: [10.0.0.0/8, "2001:db8::/32"]}
routes: {slug_after: 64}
detection:
  false_incidents_per_day: 0.5
  min_records: 500
  lateness_seconds: 1
  close_after_hours: 2.5
  patterns: {walk: off, sweep: yes}
partners:
  - name: nightly export
    match: {accounts: [partner-acme, 0042, no], networks: [198.51.100.7]}
state: {clients: 65_536, objects: 4096, key_file: key}
"""
    )
    config = load_config(file)
    assert config.identity.ladder == ("key", "address")
    assert config.identity.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32")
    assert config.routes.slug_after == 64
    assert config.detection.false_incidents_per_day == 0.5
    assert config.detection.min_records == 500
    assert config.detection.lateness_seconds == 1.0
    assert config.detection.close_after_hours == 2.5
    assert config.detection.patterns == {"walk": False, "sweep": True}
    assert config.partners[0].name == "nightly export"
    assert config.partners[0].match.accounts == ("partner-acme", "0042", "no")
    assert config.partners[0].match.networks == ("198.51.100.7",)
    assert (config.state.clients, config.state.objects, config.state.key_file) == (65536, 4096, tmp_path / "key")


def test_all_problems_at_once_each_with_its_line() -> None:
    """Nothing stops at the first mistake; each names file, line, key, what was seen and what is allowed."""
    problems = _problems(
        "identity:\n"
        "  ladder: [acount]\n"
        "  trusted_proxies: [10.0.0.1/8]\n"
        "detection:\n"
        "  false_incident_per_day: 2\n"
        "  min_records: 0\n"
        "  patterns: {sweeep: on}\n"
        "state: {clients: many, key_file: nowhere}\n"
    )
    assert len(problems) == 7
    assert problems[0].startswith(
        "x.yaml:2: identity.ladder[0]: 'acount' is not known; did you mean account?; allowed:"
    )
    assert problems[1].startswith("x.yaml:3: identity.trusted_proxies[0]: not a network")
    assert problems[2].startswith(
        "x.yaml:5: detection.false_incident_per_day: unknown key; did you mean false_incidents_per_day?; allowed:"
    )
    assert problems[3] == "x.yaml:6: detection.min_records: 0 is out of range; allowed: 1 to 1e+09"
    assert problems[4].startswith("x.yaml:7: detection.patterns.sweeep: unknown key; did you mean sweep?")
    assert problems[5] == "x.yaml:8: state.clients: 'many' is not a whole number"
    assert problems[6] == "x.yaml:8: state.key_file: no such file: nowhere"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state: {}\nstate: {}\n", "x.yaml:2: state: said twice, first in line 1"),
        (
            "state: [1]\n",
            "x.yaml:1: state: must be a section with the keys "
            "clients, objects, key_file, folder, snapshot_seconds, shared",
        ),
        ("identity: {ladder: account}\n", "x.yaml:1: identity.ladder: must be a list"),
        ("identity: {ladder: [address, address]}\n", "x.yaml:1: identity: ladder names a kind twice"),
        (
            "identity: {trusted_proxies: [0.0.0.0/0]}\n",
            "x.yaml:1: identity: trusted_proxies trusts everybody, so that anybody could name another",
        ),
        ("identity: {ladder: []}\n", "x.yaml:1: identity: ladder is empty: nobody could be told from anybody"),
        (
            "partners: [{name: a, match: {}}]\n",
            "x.yaml:1: partners[0].match: matches nobody; name accounts or networks",
        ),
        ("partners: [{name: a}]\n", "x.yaml:1: partners[0].match: missing: how it is recognised"),
        ("detection: {min_records: 1.5}\n", "x.yaml:1: detection.min_records: '1.5' is not a whole number"),
        ("detection: {lateness_seconds: .nan}\n", "x.yaml:1: detection.lateness_seconds: '.nan' is not a number"),
        ("detection: {patterns: {walk: 1}}\n", "x.yaml:1: detection.patterns.walk: '1' is not true or false"),
        (
            "nonsense\n",
            "x.yaml:1: must be a section with the keys "
            "source, identity, routes, policy, detection, partners, suppressions, tripwires, state, "
            "privacy, sinks, web",
        ),
    ],
)
def test_one_mistake_is_one_message(text: str, said: str) -> None:
    """Each kind of mistake is said once, in these words."""
    assert _problems(text) == [said]


def test_two_partners_of_one_name_are_refused() -> None:
    """A name stands for one agreement."""
    one = "{name: a, match: {accounts: [b]}}"
    assert _problems(f"partners: [{one}, {one}]\n") == ["x.yaml:1: partners: 'a' is declared twice"]


@pytest.mark.parametrize(
    "data",
    [
        b"a: [",
        b"\xff",
        b"a: 1\n---\nb: 2",
        b"[" * 50_000,
        b"- " * 50_000,
        b"\0",
        b"identity: &a {ladder: *a}",
        b"x: !!python/object/apply:os.system [true]",
        b"a: " + b"x" * (1 << 20),
    ],
)
def test_hostile_files_are_refused_in_one_message(data: bytes) -> None:
    """What is no configuration ends in a ConfigError, whatever it is, without running or expanding anything."""
    with pytest.raises(ConfigError):
        parse_config(data, "x.yaml")


def test_multiplying_aliases_stop_at_a_cap() -> None:
    """A thousand lists that are one list of a thousand (billion laughs) are given up after MAX_NODES values."""
    many = ", ".join(["a"] * 1000)
    match = "{name: p, match: {accounts: *big}}"
    text = f"partners:\n- {{name: q, match: {{accounts: &big [{many}]}}}}\n" + f"- {match}\n" * 1000
    assert any("more than 100000 values" in problem for problem in _problems(text))


def test_digest_follows_meaning() -> None:
    """Comments and order leave the digest alone, values do not."""
    one = parse_config(b"routes: {slug_after: 64}\nstate: {clients: 2048}\n", "a")
    same = parse_config(b"# why\nstate:\n  clients: 2048\nroutes:\n  slug_after: 64\n", "b")
    other = parse_config(b"routes: {slug_after: 65}\nstate: {clients: 2048}\n", "a")
    assert one.digest == same.digest != other.digest
    assert len(one.digest) == 12


def test_every_option_says_what_it_does() -> None:
    """Each field carries its rule; the README's reference is made from them."""

    def walk(section: object) -> None:
        for option in fields(section):  # type: ignore[arg-type]
            assert option.metadata["rule"].help
            value = getattr(section, option.name)
            if hasattr(value, "__dataclass_fields__"):
                walk(value)

    walk(Config())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T01:00", 3_600_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1969-12-31T23:59:59", -1_000_000),
    ],
)
def test_moments(text: str, moment: int) -> None:
    """ISO 8601 with or without zone, UTC where none is said."""
    assert parse_moment(text, "--since") == moment


def test_no_moment() -> None:
    """What is no moment is refused, naming the option."""
    with pytest.raises(UsageError, match="--since: 'yesterday' is not a moment"):
        parse_moment("yesterday", "--since")


def test_settings_default_to_the_default_configuration() -> None:
    """A replay without options runs on the defaults."""
    assert ReplaySettings().config == Config()


def test_shipped_configurations_are_valid(root: Path) -> None:
    """Whatever lies in configs/ loads."""
    for file in (root / "configs").glob("*.yaml"):
        load_config(file)


def test_a_sidecar_is_configured(tmp_path: Path) -> None:
    """Source, sinks, state and web are read; settings of the Kafka client keep their types, files their folder."""
    (tmp_path / "token").write_text("x" * 16)
    text = b"""
source:
  kafka:
    topics: [access]
    start: earliest
    consumer: {bootstrap.servers: "a:9092,b:9092", group_id: detector, fetch_max_wait_ms: 100, ssl_check_hostname: true,
               sasl_plain_password_file: token}
sinks: {jsonl: {path: incidents.jsonl}, webhook: {url: "https://example.org/hook", secret_file: token}}
state: {folder: state, snapshot_seconds: 5, shared: {folder: shared}}
web: {listen_address: "0.0.0.0:9476"}
"""
    config = parse_config(text, "x.yaml", tmp_path)
    kafka = config.source.kafka
    assert kafka is not None
    assert config.sinks.webhook is not None
    assert config.state.shared is not None
    assert (kafka.topics, kafka.start, kafka.sharing, kafka.gap) == (("access",), "earliest", "one", "error")
    assert kafka.consumer["fetch_max_wait_ms"] == 100
    assert kafka.consumer["ssl_check_hostname"] is True
    assert kafka.consumer["sasl_plain_password_file"] == str(tmp_path / "token")
    assert config.state.shared.folder == tmp_path / "shared"
    assert config.web.listen_address == "0.0.0.0:9476"


def test_what_contradicts_itself_in_a_sidecar_is_said() -> None:
    """Two sources, two places for snapshots, a start without its time, and settings that are no settings."""
    problems = _problems(
        "source: {files: {paths: [a]}, kafka: {topics: [t], start: timestamp, consumer: {a: {b: c}}}}\n"
        "state: {shared: {folder: f, topic: t}}\n"
    )
    assert len(problems) == 4
    assert any("files and kafka" in problem for problem in problems)
    assert any("start_ms" in problem for problem in problems)
    assert any("source.kafka.consumer.a" in problem for problem in problems)
    assert any("a folder or a topic" in problem for problem in problems)


def test_routes_policy_and_databases_are_read(tmp_path: Path) -> None:
    """Templates with their data classes, files beside the configuration; bots and files tell a partner."""
    for name in ("api.yaml", "persons.csv", "asn.mmdb", "bots.json"):
        (tmp_path / name).write_text("x")
    text = (
        "routes:\n  openapi: api.yaml\n  templates:\n    - {route: 'GET /users/{id}', data_classes: [phone, name]}\n"
        "policy: {persons: persons.csv}\n"
        "identity: {asn_database: asn.mmdb, ladder: [account, certificate, bot, fingerprint, network, address]}\n"
        "partners:\n  - {name: bot, match: {networks_file: bots.json, bots: [bot.example]}}\n"
    )
    config = parse_config(text.encode(), "x.yaml", tmp_path)
    assert config.routes.templates[0].data_classes == ("phone", "name")
    assert config.routes.openapi == tmp_path / "api.yaml"
    assert config.policy.persons == tmp_path / "persons.csv"
    assert config.identity.asn_database == tmp_path / "asn.mmdb"
    assert config.partners[0].match.bots == ("bot.example",)
    with pytest.raises(ConfigError, match="names_file and names go together"):
        parse_config(b"partners:\n  - {name: b, match: {names: [.x.com]}}\n", "x.yaml", tmp_path)
