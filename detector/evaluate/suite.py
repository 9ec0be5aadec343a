"""The whole suite: worlds one after the other, a line of JSON for each finished case, so that it can be taken up again.

A line counts for a later run where the code, the configuration and the setting are the same: their digest is in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import detector
from detector import clock
from detector.errors import InputError, SinkError
from detector.evaluate.cases import HOUR, SETTINGS, Case, Setting, evasive, suite
from detector.evaluate.ground import Ground, configuration, world_of
from detector.evaluate.named import Census
from detector.evaluate.observed import Observed
from detector.evaluate.rivals import Rivals
from detector.evaluate.rivals.census import AgentCensus, installed
from detector.evaluate.survival import survival
from detector.evaluate.trial import Rival, accused, run
from detector.evaluate.unusual import places
from detector.incidents.render import incidents
from detector.simulate import Play

Say = Callable[[str], None]
Line = dict[str, Any]


@dataclass(frozen=True)
class Suite:
    """What is to be run.

    Attributes:
        name: a key of SETTINGS.
        setting: of the ordinary traffic.
        cases: in the order they are run.
        rivals: whether the rivals judge the same rows.
    """

    name: str
    setting: Setting
    cases: list[Case]
    rivals: bool = True
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(self.setting))

    @classmethod
    def of(
        cls, name: str, only: str = "", seeds: int | None = None, rivals: bool = True, forms: tuple[str, ...] = ()
    ) -> Suite:
        """A suite by name; ``only`` keeps the cases whose key begins with these parts (``P4``, ``p4/shared``), and
        ``forms`` takes the evasive cases of these forms instead of the suite's own."""
        begins = f"{only.lower().rstrip('/')}/" if only else ""
        chosen = [case for case in evasive() if case.form in forms] if forms else suite(name, seeds)
        cases = [case for case in chosen if f"{case.key.lower()}/".startswith(begins)]
        return cls(name, SETTINGS[name], cases, rivals and SETTINGS[name].compare_seconds > 0)

    def kept(self, file: Path) -> list[Line]:
        """What a file of finished lines holds of this suite, the newest of each case, of whatever code it is.

        Raises:
            InputError: it cannot be read.
        """
        done = {line["key"]: line for line in _read(file)}
        worlds = dict.fromkeys(world_of(case, self.setting).key for case in self.cases)
        return [done[key] for key in (*worlds, *(case.key for case in self.cases)) if key in done]

    def run(self, file: Path | None, say: Say) -> list[Line]:
        """Runs what is not finished yet; returns a line for every case, and for every world's warm-up, in order.

        Args:
            file: of finished lines; read first, then appended to. None = nothing is kept.
            say: told how far it is.

        Raises:
            InputError: the file cannot be read.
            SinkError: it cannot be written.
        """
        done = {line["key"]: line for line in _read(file) if line["digest"] == self.digest}
        begun = clock.monotonic()
        worlds = list(dict.fromkeys(world_of(case, self.setting) for case in self.cases))
        lines: list[Line] = []
        for world in worlds:
            cases = [case for case in self.cases if world_of(case, self.setting) == world]
            warm_key = world.key
            left = [case for case in cases if case.key not in done]
            if left:
                ground = Ground(world, self.setting)
                rivals = Rivals(ground) if self.rivals and warm_key and not self.setting.census_lines else None
                if warm_key:
                    warm = {"key": warm_key, **_warm(ground, rivals)}
                    _keep(file, done, {**warm, "digest": self.digest})
                    say(f"{clock.monotonic() - begun:6.0f} s  {warm_key}")
                for case in left:
                    found = _case(case, ground, self._judges(case, ground, rivals))
                    _keep(file, done, {"key": case.key, "digest": self.digest, **found})
                    say(f"{clock.monotonic() - begun:6.0f} s  {case.key}")
            lines += [done[key] for key in (warm_key, *(case.key for case in cases)) if key in done]
        return lines

    def _judges(self, case: Case, ground: Ground, rivals: Rivals | None) -> list[Rival]:
        if case.pattern == "quiet":
            return []
        if self.rivals and self.setting.census_lines and installed():
            return [AgentCensus(Play.of(ground.options()).world.agents, self.setting.census_lines)]
        return rivals.fresh() if rivals else []


def _warm(ground: Ground, rivals: Rivals | None) -> Line:
    began = clock.processor()
    observed = Observed(each=0)
    pipeline, resolver = ground.warm(observed.add, *([rivals.listen] if rivals else []))
    if rivals:
        rivals.settle()
    play = Play.of(ground.options())
    census = Census(pipeline, play.columns(resolver), play.world.agents)
    told = [found.record() for found in incidents(pipeline.book, {})]
    return {
        "days": ground.world.warm_seconds / 24 / HOUR,
        "clients": len(pipeline.state.in_use),
        "requests": int(pipeline.state.in_use["requests"].sum()),
        **accused(told, census, observed),
        "survival": survival(pipeline, ground.peaks),
        "rivals": rivals.false if rivals else [],
        "processor_seconds": round(clock.processor() - began, 1),
    }


def _case(case: Case, ground: Ground, judges: list[Rival]) -> Line:
    running, record = run(case, ground, judges)
    if case.pattern != "quiet":
        record["unusual"] = places(running, ground.ranking)
    else:
        record["survival"] = survival(running.pipeline, running.peaks)
    return record


def _keep(file: Path | None, done: dict[str, Line], line: Line) -> None:
    done[line["key"]] = line
    if file is None:
        return
    try:
        with file.open("a", encoding="ascii") as out:
            out.write(json.dumps(line, ensure_ascii=True) + "\n")
    except OSError as error:
        raise SinkError(f"{file}: cannot be written: {error.strerror}") from error


def _read(file: Path | None) -> list[Line]:
    if file is None or not file.exists():
        return []
    try:
        text = file.read_text("ascii")
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error
    lines = []
    for line in text.split("\n"):
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue  # the line that was being written when the last run was stopped
    return lines


def _digest(setting: Setting) -> str:
    """12 hexadecimal digits of the program's sources, the configuration and the setting; of agent-census, where it is
    to judge, which version does."""
    whole = blake2b(digest_size=6)
    root = Path(detector.__file__).parent
    for path in sorted(root.rglob("*.py")):
        whole.update(str(path.relative_to(root)).encode() + path.read_bytes())
    whole.update((configuration(setting).digest + repr(setting)).encode())
    whole.update(installed().encode() if setting.census_lines else b"")
    return whole.hexdigest()
