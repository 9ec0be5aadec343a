"""Which samples of a series are worth writing, where nobody scrapes: those a reader of the file cannot do without.

A scrape every 15 s writes each series 5,760 times a day, most of them unchanged. A series is a course of values that
hold from one step to a later one, so here it is written

- when it changes, and at the steps around the change that a rate needs to see both values,
- every two minutes in between: Prometheus takes a series without a sample for five minutes to be gone, and a rate over
  five minutes needs two,
- not at all while the log is at rest: see `Samples.awake`,
- at the first step and at the last.

A labelled series that has been nothing but zero is left at the first and last step: it says that there is such a label.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from detector.sinks.openmetrics import Family, OpenMetricsFile, labels_text, number_text

BEAT_S = 120  # two in Prometheus' --query.lookback-delta of five minutes, which is also the shortest range of the rules
OF_ALL = ("job", "instance")  # labels of every series; one that has no others is a metric without labels
RATE_STEPS = 4  # `$__rate_interval` is at least four scrape intervals; steps written on both sides of a change


@dataclass
class _Course:
    """A series and what it holds."""

    family: Family
    value: float
    around: int  # steps written on both sides of a change
    beats: bool  # whether it is written now and then though it does not change
    since: int  # step from which the value holds
    written: int  # the last step that was written


class Samples:
    """Series as courses of values over the steps of a file.

    Args:
        file: where they go.
        step_s: seconds from one step to the next.
    """

    def __init__(self, file: OpenMetricsFile, step_s: int) -> None:
        self._file = file
        self._step_s = step_s
        self._beat = max(BEAT_S // step_s, 1)
        self._courses: dict[str, _Course] = {}
        self._awake: list[list[int]] = []  # from and to, the latter included; ascending, none touches the next

    def awake(self, first: int, last: int) -> None:
        """From one step to another the log goes on: unchanged series are repeated. To be called in order of time."""
        if self._awake and first <= self._awake[-1][1] + 1:
            self._awake[-1][1] = max(self._awake[-1][1], last)
        else:
            self._awake.append([first, last])

    def put(self, step: int, family: Family, labels: Mapping[str, str], value: float) -> None:
        """A series has this value from a step on.

        Args:
            step: the moment, in steps since 1970; never falls from call to call of one series.
            family: the metric.
            labels: the series' own, `OF_ALL` first.
            value: NaN where nothing is known yet.
        """
        key = family.sample + labels_text(labels)
        course = self._courses.get(key)
        if course is None:
            around = 1 if family.kind == "gauge" else RATE_STEPS
            beats = value != 0 or len(labels) <= len(OF_ALL)
            course = self._courses[key] = _Course(family, value, around, beats, step, step)
            self._write(key, course, (step,))
        elif course.value != value:
            self._until(key, course, step, self._head(course, step))
            course.value, course.since, course.written, course.beats = value, step, step, True
            self._write(key, course, (step,))

    def close(self, step: int) -> None:
        """Writes what holds up to a step, and each series once more at that step."""
        for key, course in self._courses.items():
            self._until(key, course, step, ())
            if course.written < step:
                self._write(key, course, (step,))

    def _until(self, key: str, course: _Course, step: int, head: Sequence[int]) -> None:
        """Writes what still held before a step."""
        steps = sorted({*self._tail(course, step), *self._beats(course, step), *head})
        self._write(key, course, steps)
        if steps:
            course.written = steps[-1]

    def _tail(self, course: _Course, step: int) -> range:
        return range(course.written + 1, min(course.since + course.around + 1, step)) if course.beats else range(0)

    def _head(self, course: _Course, step: int) -> range:
        return range(max(step - course.around, course.written + 1), step)

    def _beats(self, course: _Course, step: int) -> Iterator[int]:
        if not course.beats:
            return
        place = bisect_right(self._awake, [course.written])
        for first, last in self._awake[max(place - 1, 0) :]:
            begin = max(first, course.written + 1)
            begin += -begin % self._beat
            yield from range(begin, min(last + 1, step), self._beat)
            if last >= step:
                return

    def _write(self, key: str, course: _Course, steps: Sequence[int]) -> None:
        if course.value != course.value:
            return
        begin = f"{key} {number_text(course.value)} "
        self._file.add(course.family, key, "".join(f"{begin}{step * self._step_s}\n" for step in steps))
