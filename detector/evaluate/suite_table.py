"""The suite's lines as Markdown: what was caught when, who was accused where nobody attacks, what rivals do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from detector.evaluate.cases import DAY, HOUR, Case, Target
from detector.evaluate.census_table import section
from detector.evaluate.poisson import upper_bound
from detector.evaluate.suite import Suite

Line = dict[str, Any]
Cells = Sequence[str]

_RUNS = 4  # whose survival is shown one by one

_CENSUS = (
    "agent-census reads text and names no moment and no records; it has a suite of its own: "
    "`detector evaluate --suite census`."
)


def markdown(suite: Suite, lines: Sequence[Line], command: str) -> str:
    """The whole document.

    Args:
        suite: what was run.
        lines: what came of it.
        command: that makes it again.
    """
    by_key = {line["key"]: line for line in lines}
    done = [(case, by_key[case.key]) for case in suite.cases if case.key in by_key]
    warm = [line for line in lines if line["key"].startswith("warm-up")]
    attacks = [(case, line) for case, line in done if case.pattern != "quiet"]
    quiet = [(case, line) for case, line in done if case.pattern == "quiet"]
    s = suite.setting
    head = [
        f"# Evaluation, {suite.name}",
        "",
        f"`{command}`, {_digests(suite, lines)} (code, configuration, setting). Ordinary traffic: {s.rate:g} requests "
        f"a second, {s.warm_hours:g} h of warm-up a seed, attacks at their own rates on a fork of it; tables of "
        f"{s.clients:,} clients and {s.objects:,} objects. Log time throughout; no lateness.",
        "",
    ]
    if missing := len(suite.cases) - len(done):
        head += [f"{missing} of the suite's {len(suite.cases)} cases have not been run yet.", ""]
    if s.census_lines:
        return "\n".join([*head, *_attacks(attacks), *section(attacks, s.census_lines)]) + "\n"
    parts = [head, _attacks(attacks), _quiet(quiet, warm), _survival([*warm, *(line for _, line in quiet)])]
    return "\n".join(text for part in [*parts, _rivals(attacks, warm)] for text in part) + "\n"


def _digests(suite: Suite, lines: Sequence[Line]) -> str:
    made = sorted({str(line.get("digest", suite.digest)) for line in lines}) or [suite.digest]
    digests = ", ".join(f"`{digest}`" for digest in made)
    return f"digest {digests}" + ("" if made == [suite.digest] else f", put into this table by `{suite.digest}`")


def verdict(case: Case, figures: dict[str, Any]) -> str:
    """``pass``, ``miss`` or ``printed``: a case's figures against its target."""
    target = case.target
    if target == Target():
        return "printed"
    if case.pattern == "quiet":
        return "pass" if not figures["accused"] else "miss"
    if target.quiet:
        return "pass" if figures["incidents"] == 0 and figures["informational"] else "miss"
    reached = (
        _under(figures["seconds"], target.seconds),
        _under(figures["records"], target.records),
        _under(figures["requests"], target.requests, equal=True),
    )
    return "pass" if all(reached) else "miss"


def _under(seen: float | None, limit: float | None, equal: bool = False) -> bool:
    if limit is None:
        return True
    return seen is not None and (seen < limit or (equal and seen == limit))


def _attacks(done: Sequence[tuple[Case, Line]]) -> list[str]:
    head = ["case", "first word", "actionable", "records then", "leak share", "incidents", "names p / r"]
    head += ["selector p / r", "counted / taken", "clients / attackers", "false", "target", "verdict", "HBOS rank"]
    rows = []
    for case, line in done:
        f = line["figures"]
        word = "–" if f["first_seconds"] is None else f"{f['pattern']} ({f['severity']}) {_time(f['first_seconds'])}"
        rows.append(
            (
                case.key,
                word,
                _time(f["seconds"]),
                _count(f["records"]),
                f"{f['leak_share']:.3%}",
                f"{f['incidents']} + {f['informational']} info",
                _pair(f["listed_precision"], f["listed_recall"]),
                _pair(f["selector_precision"], f["selector_recall"]),
                f"{_count(f['counted'])} / {_count(f['records_taken'])}",
                f"{_count(f['clients_counted'])} / {_count(f['attackers'])}",
                str(len(f["false"])),
                case.target.words(),
                verdict(case, f),
                _rank(line.get("unusual", {})),
            )
        )
    passed = sum(verdict(case, line["figures"]) == "pass" for case, line in done)
    asked = sum(case.target != Target() for case, _ in done)
    said = [f"## Attacks: {passed} of {asked} targets met" if asked else "## Attacks: nothing asked, all told", ""]
    said += [
        "*actionable*: what was named until then makes half of the attacker's later requests and at most 0.1 % of "
    ]
    said[-1] += "everybody else's. *p / r*: precision and recall, of names as clients, of selectors as requests. *HBOS "
    said[-1] += "rank*: the attacker's best place among the unusual clients of the last hour, which raises nothing."
    return [*said, "", *_table(head, rows), ""]


def _quiet(quiet: Sequence[tuple[Case, Line]], warm: Sequence[Line]) -> list[str]:
    rows = [(line["key"], f"{line['days']:.2f}", *_accused(line)) for line in warm]
    rows += [(case.key, f"{line['log_seconds'] / DAY:.2f}", *_accused(line["figures"])) for case, line in quiet]
    budgets = sorted({case.budget for case, _ in quiet})
    said = [_false(budget, [line for case, line in quiet if case.budget == budget]) for budget in budgets]
    pooled = " ".join(said) or "No run without an attack, so no bound."
    return ["## Nobody attacks", "", *_table(("run", "days", "accused", "informational"), rows), "", pooled, ""]


def _false(budget: float, lines: Sequence[Line]) -> str:
    """False incidents of the runs at one budget, all together."""
    count = sum(len(line["figures"]["accused"]) for line in lines)
    days = sum(line["log_seconds"] for line in lines) / DAY
    found = f"{count} false incidents above informational in {days:.2f} days with all confusers, at most "
    found += f"{upper_bound(count) / days:.2f} a day (95 %, exact Poisson)."
    if budget != 1.0:
        return f"At a budget of {budget:g} a day, where at most {2 * budget:g} a day are asked: {found}"
    return (
        f"Pooled: {found} Warm-ups and the attacks' hours share their ordinary rows with these days and are not "
        "counted again."
    )


def _accused(found: dict[str, Any]) -> tuple[str, str]:
    return _tallied(found["accused"]), _tallied(found["informational"])


def _tallied(names: list[str]) -> str:
    kinds: dict[str, int] = {}
    for name in names:
        kind = " ".join(name.split(" ")[:2])
        kinds[kind] = kinds.get(kind, 0) + 1
    return ", ".join(f"{n} × {kind}" for kind, n in sorted(kinds.items())) or "nobody"


def _survival(lines: Sequence[Line]) -> list[str]:
    """By run, and where these are many all together."""
    rows: list[Cells] = []
    runs = [(line["key"], line["survival"]) for line in lines]
    for name, s in runs if len(runs) <= _RUNS else [(f"{len(runs)} runs", _pooled([s for _, s in runs]))]:
        for statistic, counts in s["named"].items():
            shares = [f"{count / max(s['clients'], 1):.1e}" for count in counts]
            rows.append((name, f"{s['clients']:,} clients", statistic, *shares))
        if cells := s.get("cells"):
            shares = [f"{count / cells['sequences']:.1e}" for count in cells["above"]]
            rows.append((name, f"{cells['sequences']:,} sequences", "scores of cells", *shares))
    levels = ("1e-2", "1e-3", "1e-4")
    said = ["## Survival of the statistics over ordinary client-days", ""]
    said += ["Share of reading clients that pass a level which promises at most 1e-2, 1e-3, 1e-4: by a detector's "]
    said[-1] += (
        "statistic alone, by each channel it is made of, and by all that the detector asks for besides (two groups "
    )
    said[-1] += "of evidence, a floor; a walk and a metronome have fixed bounds, the same at each level)."
    return [*said, "", *_table(("run", "of", "statistic", *levels), rows), ""]


def _pooled(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts of several runs as if they were one."""
    named: dict[str, list[int]] = {}
    for s in found:
        for statistic, counts in s["named"].items():
            before = named.get(statistic, [0] * len(counts))
            named[statistic] = [a + b for a, b in zip(before, counts, strict=True)]
    cells = [s["cells"] for s in found if s.get("cells")]
    above = [sum(level) for level in zip(*(c["above"] for c in cells), strict=True)]
    pooled = {"sequences": sum(c["sequences"] for c in cells), "above": above} if cells else {}
    return {"clients": sum(s["clients"] for s in found), "named": named, "cells": pooled}


def _rivals(attacks: Sequence[tuple[Case, Line]], warm: Sequence[Line]) -> list[str]:
    false = {r["rival"]: r for line in warm for r in line["rivals"]}
    if not false:
        return []
    said = ["## Rivals on the same rows", "", "Records exposed at the first actionable alert; – = never in the case."]
    for kind, about in (
        ("no false", "### Thresholds raised until nobody is accused in the warm-up"),
        ("shipped", "### As shipped"),
    ):
        found = [(case, line, {r["rival"]: r for r in line["rivals"] if r["as"] == kind}) for case, line in attacks]
        names = list(dict.fromkeys(name for _, _, rivals in found for name in rivals))
        title = {n: f"{n} ({false[n]['false_a_day']:,g} false a day)" if kind == "shipped" else n for n in names}
        rows = [
            (case.key, _count(line["figures"]["records"]), *(_count(rivals[n]["records"]) for n in names))
            for case, line, rivals in found
            if rivals
        ]
        said += ["", about, "", *_table(("case", "detector", *title.values()), rows)]
    return [*said, "", _CENSUS, ""]


def _table(head: Cells, rows: Iterable[Cells]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _rank(unusual: dict[str, Any]) -> str:
    best, unnamed = unusual.get("best"), unusual.get("best_unnamed")
    if best is None:
        return "–"
    return f"{best}" if unnamed is None else f"{best} (unnamed {unnamed})"


def _pair(precision: float | None, recall: float | None) -> str:
    return "–" if precision is None or recall is None else f"{precision:.1%} / {recall:.1%}"


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for size, unit in ((DAY, "d"), (HOUR, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
