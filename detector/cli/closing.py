"""What every run ends with: what it covered and what it could not have seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from detector.cli.printable import printable

if TYPE_CHECKING:
    from detector.engines.coverage import Coverage

FILES_NAMED = 10  # a folder of rotated logs skips hundreds; the first ten tell what kind they are


def closing_lines(coverage: Coverage, floor: Sequence[str]) -> list[str]:
    """Coverage and floor, a line each, ready for the terminal."""
    lines = [
        f"read      {coverage.lines:,} lines, {_size(coverage.bytes)}, {_files(coverage.files)}{_period(coverage)}",
        f"parsed    {_share(coverage.parsed, coverage.lines)}{_rejected(coverage)}",
        f"known     an object in {_share(coverage.with_object, coverage.requests)} of {coverage.requests:,} requests; "
        f"clients by {_kinds(coverage)}",
    ]
    remarks = [
        f"{count:,} {what}"
        for count, what in (
            (coverage.torn, "torn lines accepted"),
            (coverage.filtered, "outside --since, --until or --vhost"),
            (coverage.doubled, "logged by both proxies of a hop and counted once"),
            (coverage.late, "out of order by more than the lateness allowed"),
            (coverage.future, "dated more than an hour ahead"),
        )
        if count
    ]
    if remarks:
        lines.append(f"of these  {', '.join(remarks)}")
    if coverage.omitted:
        whole = coverage.requests + round(coverage.omitted / 1000)
        lines.append(
            f"sampled   {coverage.requests:,} of about {whole:,} requests ({coverage.requests / whole:.2%}): counts of "
            "incidents are scaled, evidence and floor speak of lines"
        )
    lines += _named("skipped", coverage.skipped)
    lines += [f"floor     {line}" for line in floor]
    return [printable(line) for line in lines]


def loss_lines(coverage: Coverage) -> list[str]:
    """What could not be read, a line a file; empty if nothing was lost."""
    return [printable(line) for line in _named("lost", coverage.lost)]


def _named(label: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    entries = list(entries)
    lines = [f"{label:<9} {name}: {what}" for name, what in entries[:FILES_NAMED]]
    more = len(entries) - len(lines)
    return lines + ([f"{label:<9} and {more:,} more"] if more > 0 else [])


def _rejected(coverage: Coverage) -> str:
    if not coverage.rejected:
        return "; none rejected"
    by_reason = sorted(coverage.rejected.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in by_reason)
    return f"; rejected {sum(coverage.rejected.values()):,}: {reasons}"


def _kinds(coverage: Coverage) -> str:
    total = max(coverage.requests, 1)
    by_kind = sorted(coverage.by_kind.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {count / total:.1%}" for kind, count in by_kind) or "nothing"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else f"{part:,}"


def _files(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"


def _period(coverage: Coverage) -> str:
    if coverage.first_us is None or coverage.last_us is None:
        return ""
    return f", {moment(coverage.first_us)} to {moment(coverage.last_us)} UTC"


def moment(time_us: int) -> str:
    """Log time for people, to the second, UTC."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
