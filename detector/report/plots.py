"""Plots as SVG inside the page: matplotlib draws, the page's own colours and fonts dress them.

No text out of a log is drawn, but for names of evidence. Colours are placeholders that become CSS variables, so that
one drawing serves light, dark and paper.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import EngFormatter, MaxNLocator

from detector.report.visible import visible

INK, MAIN, ALARM, GRID, FAINT = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
VARIABLES = {INK: "var(--ink)", MAIN: "var(--main)", ALARM: "var(--alarm)", GRID: "var(--grid)", FAINT: "var(--faint)"}
SIZE = (5.2, 2.2)  # inches: two beside each other on a desk, one on a telephone, where 8 points can still be read
LEFT, LABELS = 0.12, 0.42  # shares of the width for numbers and for names of evidence
LINE, TWO_LINES = 24, 5  # letters of a name of evidence beside its bar; how many bars leave room for two lines each
BARS = 60  # of a timeline at most

TICKS = 5
STEPS = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "detector",
    "text.parse_math": False,
    "font.size": 8,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}

_NUMBER = re.compile(r">[^<]+<|-?\d+\.\d{2,}")  # or a text, which stays: an axis says 4.15k
_NAMED = re.compile(r' id="(?:figure|axes|patch|line2d|text|xtick|ytick|matplotlib\.axis|legend|\w+Collection)_?\d*"')
_FONT = re.compile(r" ?font-family: [^;\"]+;?")  # the page's own
_CLIP, _CLIPPED = re.compile(r"<clipPath.*?</clipPath>"), re.compile(r' clip-path="[^"]*"')  # all lies inside
_DOT = re.compile(r"M ([\d.-]+ [\d.-]+) L \1 ?")  # a line without length, shorter
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*"')

Draw = Callable[[Axes], None]


def svg(draw: Draw, title: str, left: float) -> str:
    """A drawing as an ``<svg>`` element; ``title`` is what a screen reader says of it, ``left`` the share of
    the width that labels take: fixed, for finding it out takes as long as drawing."""
    with rc_context(STYLE):
        figure = Figure(figsize=SIZE)
        axes = figure.add_axes((left, 0.21, 0.98 - left, 0.76))
        draw(axes)
        out = io.StringIO()
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace("\n", " ")
    text = re.sub(r"<metadata>.*?</metadata>", "", text)
    text = re.sub(r'<style type="text/css">.*?</style>', "", text)
    text = _NAMED.sub("", text)
    text = _NUMBER.sub(_shorter, text)
    text = _UNTURNED.sub("", _FONT.sub("", text))
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    view = re.search(r'viewBox="[^"]+"', text)
    assert view is not None
    text = _CLIPPED.sub("", _CLIP.sub("", text))
    if "<g " not in text:
        text = text.replace("<g>", "").replace("</g>", "")
    text = re.sub(r"  +", " ", text).replace("> <", "><").replace(' style="fill: none"', ' fill="none"')
    text = _DOT.sub(r"M\1h0", text).replace("<g/>", "").replace("<defs></defs>", "")
    opening = f'<svg {view[0]} role="img" aria-label="{title}">'
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)


def _shorter(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == ">" else f"{float(found[0]):.1f}".removesuffix(".0")


def exposure(curve: Sequence[tuple[datetime, int]], raised: datetime | None) -> Draw:
    """Distinct records exposed over time, and when it was raised."""

    def draw(axes: Axes) -> None:
        when = _numbers([t for t, _ in curve])
        gone = np.array([n for _, n in curve], np.float64)
        axes.plot(when, gone, color=MAIN, linewidth=1.6, drawstyle="steps-post")
        axes.set_ylim(0, max(float(gone.max()) * 1.1, 1.0))
        if raised is not None:
            at = float(_numbers([raised])[0])
            axes.axvline(at, color=ALARM, linewidth=1.4)
            left = at < (when[0] + when[-1]) / 2
            axes.annotate(
                "raised",
                (at, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4 if left else -4, -2),
                textcoords="offset points",
                ha="left" if left else "right",
                va="top",
                color=ALARM,
            )
        _count_axis(axes)
        _time_axis(axes)

    return draw


def requests(minutes: Sequence[tuple[datetime, int]], usual_a_day: float) -> Draw:
    """Record reads over time, and what as many ordinary clients would read in that time."""

    def draw(axes: Axes) -> None:
        times = np.array([t.timestamp() for t, _ in minutes])
        reads = np.array([n for _, n in minutes], np.float64)
        width = _width(minutes)
        place = (times // width).astype(np.int64)
        bars = np.bincount(place - place[0], weights=reads)
        at = (np.arange(len(bars) + 1) + place[0]) * width / 86_400.0
        axes.stairs(bars, at, fill=True, color=MAIN)  # one shape: a bar each takes five times as long
        if usual_a_day > 0:
            axes.axhline(usual_a_day * width / 86_400.0, color=ALARM, linewidth=1.2, linestyle="--")
        axes.set_xlim(at[0] - width / 86_400.0, at[-1] + width / 86_400.0)
        axes.set_ylim(bottom=0)
        _count_axis(axes)
        _time_axis(axes)

    return draw


def scatter(points: Sequence[tuple[datetime, int]]) -> Draw:
    """Ids over time: a line where they were asked for in order, a cloud where they were not."""

    def draw(axes: Axes) -> None:
        x = _numbers([t for t, _ in points])
        y = np.array([float(n) for _, n in points])
        corners = np.repeat(np.stack([x, y], axis=1), 2, axis=0)  # one path of lines without length: dots in 9 kB
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], np.uint8), len(x))
        path = Path(corners, codes)
        path.should_simplify = False
        axes.add_artist(PathPatch(path, fill=False, edgecolor=MAIN, linewidth=2.4, capstyle="round"))
        axes.set_xlim(*_room(x))
        axes.set_ylim(*_room(y))
        _count_axis(axes)
        _time_axis(axes)

    return draw


def hours(reads: Sequence[int]) -> Draw:
    """Record reads by hour of the day, UTC."""

    def draw(axes: Axes) -> None:
        axes.stairs(np.array(reads, np.float64), np.arange(25.0), fill=True, color=MAIN)
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 3))
        axes.set_xlabel("hour of the day, UTC")
        _count_axis(axes)

    return draw


def waterfall(findings: Sequence[tuple[str, float]]) -> Draw:
    """What each piece of evidence adds to the sum that convicts, in nats."""

    def draw(axes: Axes) -> None:
        names = [visible(name, 2 * LINE if len(findings) <= TWO_LINES else LINE) for name, _ in findings]
        names = ["\n".join(textwrap.wrap(name, LINE)[:2]) for name in names]
        weights = np.array([weight for _, weight in findings])
        place = np.arange(len(weights))[::-1]
        ends = np.cumsum(weights)
        axes.barh(place, weights, left=ends - weights, color=MAIN, height=0.6, linewidth=0)
        for at, end, weight in zip(place, ends, weights, strict=True):
            axes.annotate(
                f"+{weight:,.4g}", (end, at), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7
            )
        axes.set_yticks(place, names)
        axes.set_xlim(0, float(ends[-1]) * 1.18)
        axes.grid(visible=False)
        axes.grid(visible=True, axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("nats of evidence, added up")

    return draw


def _numbers(moments: Sequence[datetime]) -> Any:
    return np.asarray(date2num(list(moments)))


def _width(minutes: Sequence[tuple[datetime, int]]) -> float:
    """Seconds a bar of `requests`: a round time that makes at most `BARS`."""
    seconds = (minutes[-1][0] - minutes[0][0]).total_seconds() + 60.0
    for width in (60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400):
        if seconds <= BARS * width:
            return float(width)
    return float(30 * 86_400)


def bar(minutes: Sequence[tuple[datetime, int]]) -> str:
    """How long a bar of `requests` is, in words."""
    width = _width(minutes)
    words = {60: "minute", 300: "5 minutes", 900: "15 minutes", 3600: "hour", 14_400: "4 hours", 86_400: "day"}
    return words.get(int(width), f"{int(width) // 86_400} days")


def _room(values: Any) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    spare = (high - low) * 0.04 or max(abs(high) * 0.01, 1e-4)
    return low - spare, high + spare


def _count_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _time_axis(axes: Axes) -> None:
    """At most `TICKS` round moments, UTC, and the day of the first below."""
    low, high = (float(day) * 86_400.0 for day in axes.get_xlim())
    step = next((step for step in STEPS if (high - low) / step <= TICKS), (high - low) / TICKS)
    at = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    moments = [datetime.fromtimestamp(float(second), UTC) for second in at]
    form = "%Y-%m-%d" if step >= 200 * 86_400 else "%d %b" if step >= 86_400 else "%H:%M" if step >= 60 else "%H:%M:%S"
    axes.set_xticks(at / 86_400.0, [moment.strftime(form) for moment in moments])
    axes.set_xlabel(datetime.fromtimestamp(low, UTC).strftime("from %Y-%m-%d, UTC"))
