"""An evaluation in words; ids come from files, so whoever prints them escapes them."""

from __future__ import annotations

from detector.evaluate.score import Evaluation


def rows(e: Evaluation) -> list[tuple[str, str]]:
    """The figures in words, in the order they are read."""
    false = f"{len(e.false_incidents)}" + (f" ({', '.join(e.false_incidents)})" if e.false_incidents else "")
    tail = [("false incidents", f"{false}, {e.false_incidents_per_day:.2f} a day of log")]
    if not e.attackers:
        return [("pattern", f"{e.pattern}: nobody attacks"), *tail]
    head = [("pattern", f"{e.pattern} ({e.form}), {e.attackers:,} client{'s' * (e.attackers != 1)}")]
    if e.detected:
        head += [
            ("first actionable alert", f"{e.incident} at {e.raised_at}, {e.minutes:.1f} min after the first request"),
            ("records exposed before it", f"{e.records_before_alert:,} of {e.records_taken:,}"),
            ("leak share", f"{e.leak_share:.3%}"),
            ("records counted in the end", f"{e.records_counted:,} ({e.count_error:+.1%} of the truth)"),
        ]
    else:
        head += [
            ("first actionable alert", "none"),
            ("records exposed", f"{e.records_taken:,} of {e.records_taken:,}"),
            ("leak share", "100%"),
        ]
    if e.selector_recall is not None:
        head.append(
            ("its selector", f"recall {_percent(e.selector_recall)}, of the others {e.selector_benign_share:.3%}")
        )
    return [
        *head,
        ("incidents naming the attacker", f"{e.attack_incidents} (one is right)"),
        *tail,
        ("named clients", f"precision {_percent(e.precision)}, recall {_percent(e.recall)}"),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
