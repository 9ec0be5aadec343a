"""P14 as files: the log, the ledger, the policy and the truth, from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from detector.errors import UsageError
from detector.simulate.catalogue import DECLARED
from detector.simulate.columns.fill import as_counted
from detector.simulate.consent.changes import Changes
from detector.simulate.consent.honest import honest
from detector.simulate.consent.parties import Party
from detector.simulate.consent.policy import policy, write_policy
from detector.simulate.consent.stage import Stage
from detector.simulate.consent.stories import STORIES as BREACHES
from detector.simulate.consent.stories import Story
from detector.simulate.consent.uses import USES
from detector.simulate.layouts import TEMPLATES
from detector.simulate.log import address_text, as_traffic
from detector.simulate.options import Options
from detector.simulate.play import Play
from detector.simulate.site import FORMS
from detector.simulate.text import Writer, write
from detector.simulate.traffic import Actors, Ints, Traffic
from detector.simulate.truth import Attack, Truth, iso, observe
from detector.simulate.world import DAY_US, TILE_US

KEY = "P14"
LAYOUT = "nginx_json"
"""The format it is written in where none is asked for: it must say what a record is read for."""
STORIES = BREACHES | USES
_STREAM = 14  # of chance: this pattern's own


@dataclass(frozen=True)
class ConsentOptions:
    """What P14 asks beside `Options`.

    Attributes:
        scale: of published figures: 500 M bills viewed, 270,000 grants of an app; below 0.0001 all else shrinks, too.
        lag_seconds: the longest a change takes to the ledger; a quarter of it on average.
        silent: the ledger does not admit that a box was ticked by default.
    """

    scale: float = 1e-4
    lag_seconds: float = 5.0
    silent: bool = False

    def __post_init__(self) -> None:
        """Refuses what no story can be made from.

        Raises:
            UsageError: with a line for every option out of its range.
        """
        checks = (
            ("scale", 0 < self.scale <= 1, self.scale, "above 0, at most 1"),
            ("ledger lag", 0 <= self.lag_seconds <= 900, self.lag_seconds, "0 to 900 seconds"),
        )
        bad = [f"{name} {seen!r}: allowed is {allowed}" for name, good, seen, allowed in checks if not good]
        if bad:
            raise UsageError("cannot simulate:\n  " + "\n  ".join(bad))


@dataclass
class ConsentLog:
    """A log of ordinary traffic and parties, written tile by tile; its truth is known when it is written.

    Attributes:
        play: the ordinary traffic.
        story: the breach.
        options: how.
        changes: of the ledger, in the order in which it had them.
        requests: lines written so far.
    """

    play: Play
    story: Story
    options: ConsentOptions
    layout: str
    changes: Changes
    requests: int = 0
    _traffic: Traffic = field(repr=False, kw_only=True)
    _actors: Actors = field(repr=False, kw_only=True)
    _honest: list[dict[str, Any]] = field(repr=False, kw_only=True)
    _breach: dict[str, Any] = field(repr=False, kw_only=True)
    _last_seen: Ints | None = field(default=None, repr=False, kw_only=True)
    _ordinary: Counter[str] = field(default_factory=Counter, repr=False)

    @classmethod
    def of(cls, options: Options, extra: ConsentOptions | None = None) -> ConsentLog:
        """The log the options describe; ``options.variant`` names the story.

        Raises:
            UsageError: no such story, confuser or format, or an option that means nothing here.
        """
        extra = extra or ConsentOptions()
        _check(options)
        story = STORIES[options.variant or next(iter(STORIES))]
        play = Play.of(options)
        begin = options.attack_start_seconds
        begin_us = options.start_us + round((options.duration_seconds / 3 if begin is None else begin) * 1e6)
        rng = np.random.default_rng([options.seed, options.start_us, _STREAM])
        stage = Stage(play.world, extra.scale, round(extra.lag_seconds * 1e6), rng, begin_us)
        kept = honest(stage)
        made, more = story.play(stage, story.party, not extra.silent)
        traffic = Traffic.concatenate(stage.parts).ordered()
        return cls(
            play,
            story,
            extra,
            options.log_format,
            Changes.joined(stage.changes),
            _traffic=traffic.between(options.start_us, options.end_us),
            _actors=_actors(stage),
            _honest=[_said(party, rows) for party, rows in kept],
            _breach=_said(story.party, made.take(made.attack)) | more,
            _last_seen=stage.last_seen,
        )

    def blocks(self) -> Iterator[bytes]:
        """The lines in log order."""
        yield Writer(Actors(), self.layout).heading
        done = 0
        for tile in self.play.rows():
            end_us = (int(tile["time_us"][0]) // TILE_US + 1) * TILE_US
            stop = int(np.searchsorted(self._traffic.time_us, end_us))
            traffic, actors, who = as_traffic(as_counted(tile), self.play.world.agents)
            self._count(actors, who)
            yield self._text(traffic, actors, slice(done, stop))
            done = stop
        if done < len(self._traffic):
            yield self._text(Traffic.of([]), Actors(), slice(done, None))

    def _text(self, traffic: Traffic, actors: Actors, theirs: slice) -> bytes:
        """Ordinary requests and the parties', together in log order."""
        part = self._traffic.take(theirs)
        used, place = np.unique(part.actor, return_inverse=True)
        names = (self._actors.addresses, self._actors.accounts, self._actors.agents)
        first = actors.add(*([texts[row] for row in used.tolist()] for texts in names))
        part = replace(part, actor=first[place].astype(np.int32))  # a slice is a view
        whole = Traffic.concatenate([traffic, part]).ordered()
        self.requests += len(whole)
        return Writer(actors, self.layout).text(whole)

    def _count(self, actors: Actors, who: Ints) -> None:
        counts = np.bincount(who, minlength=len(actors))
        for row in np.flatnonzero(counts).tolist():
            self._ordinary[actors.name(row)] += int(counts[row])

    def text(self) -> bytes:
        """The log as bytes."""
        return b"".join(self.blocks())

    def write(self, path: Path) -> int:
        """Writes the log (compressed where the name ends in ``.gz``); returns the bytes of text.

        Raises:
            OSError: the file cannot be written.
        """
        return write(path, self.blocks())

    def write_beside(self, ledger: Path, configuration: Path) -> None:
        """Writes ledger and policy, which names the ledger, and where it needs to be known when persons were last
        there a file of that beside the policy.

        Raises:
            OSError: a file cannot be written.
        """
        self.changes.write(ledger)
        name = f"{configuration.stem}.seen.csv" if self._last_seen is not None else ""
        if self._last_seen is not None:
            days = self.play.world.start_us // DAY_US - self._last_seen
            texts = np.datetime_as_string(days.astype("datetime64[D]")).tolist()
            rows = [f"{person},{text}\n" for person, text in enumerate(texts, 1)]
            configuration.with_name(name).write_text("person,last_seen\n" + "".join(rows), "ascii")
        write_policy(configuration, self.story.party, ledger, list(DECLARED), name)

    def policy(self, ledger: str) -> dict[str, Any]:
        """The configuration as plain data, with a ledger of this name."""
        return policy(self.story.party, ledger, list(DECLARED))

    @cached_property
    def _observed(self) -> tuple[dict[str, int], Attack | None]:
        ordinary, attack = observe(self._traffic, self._actors, [form.route for form in FORMS.values()])
        if attack is not None:  # one account from several addresses is one client
            names = list(dict.fromkeys(attack.clients))
            client = np.array([names.index(name) for name in attack.clients], np.int64)[attack.client]
            attack = replace(attack, clients=names, client=client)
        return ordinary, attack

    @property
    def truth(self) -> Truth:
        """What really happened: of ordinary traffic, in the lines written so far."""
        o = self.play.world.options
        parties, attack = self._observed
        moments = iso(o.start_us / 1e6), iso(o.end_us / 1e6)
        everybody = dict(self._ordinary + Counter(parties))
        return Truth(
            *(KEY, o.form, o.seed, o.command, *moments, everybody, list(DECLARED), attack),
            breaches=[self._breach],
            honest=self._honest,
        )


def _check(options: Options) -> None:
    if options.variant and options.variant not in STORIES:
        raise UsageError(f"{KEY} has no variant {options.variant!r}; it has {', '.join(STORIES)}")
    if options.form != "plain":
        raise UsageError(f"{KEY} makes no sense as {options.form}; its forms are plain")
    if options.identities is not None or options.attack_rate is not None or options.attack_seconds is not None:
        raise UsageError(f"{KEY} follows from who is asked when; it has --scale and --attack-start, no rate and length")
    if "{purpose}" not in TEMPLATES.get(options.log_format, ""):
        told = ", ".join(name for name, text in TEMPLATES.items() if "{purpose}" in text)
        raise UsageError(f"{KEY} needs a log format that says what a record is read for: {told}")


def _actors(stage: Stage) -> Actors:
    """Everybody the parties' requests speak of."""
    actors = Actors()
    agents = stage.world.agents
    for cast, accounts in stage.cast:
        addresses = [address_text(address) for address in cast.address.tolist()]
        actors.add(addresses, accounts, [agents[agent] for agent in cast.agent.tolist()])
    return actors


def _said(party: Party, rows: Traffic) -> dict[str, Any]:
    """One party's requests as the truth tells them."""
    said: dict[str, Any] = {
        "party": party.name,
        "kind": party.kind,
        "accounts": list(party.accounts),
        "class": party.data_class,
        "reads": len(rows),
        "persons": len(np.unique(rows.number)),
    }
    if len(rows):
        said |= {"first": iso(int(rows.time_us.min()) // 1_000_000), "last": iso(int(rows.time_us.max()) // 1_000_000)}
    return said
