"""Traffic as lines of any format of `layouts`: every field of every request as text, then put in its place."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from detector.simulate.layouts import TEMPLATES
from detector.simulate.site import HOST, PURPOSES, REFERERS, consent_id
from detector.simulate.traffic import Actors, Traffic

Texts = npt.NDArray[np.object_]


def lines(layout: str, actors: Actors, part: Traffic, method: Texts, target: Texts) -> str:
    """The lines of some requests, a line feed after each.

    Args:
        layout: a name of TEMPLATES.
        actors, part: who asks, and the requests.
        method, target: of each request, object (n,) of text.
    """
    template = TEMPLATES[layout]
    is_json = template.startswith("{{")
    fields = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    columns = _Columns(actors, part, target, is_json)
    known: dict[str, Texts] = {"method": method, "target": target}
    known |= {name: getattr(columns, name)() for name in sorted(fields - set(known))}
    pieces: list[Texts] = []
    for text, name, _, _ in string.Formatter().parse(template + "\n"):
        if text:
            pieces.append(np.full(len(part), text, object))
        if name:
            pieces.append(known[name])
    return "".join(np.stack(pieces, axis=1).ravel().tolist())


class _Columns:
    """The fields of requests by name, each object (n,) of text."""

    def __init__(self, actors: Actors, part: Traffic, target: Texts, is_json: bool) -> None:
        self._actors = actors
        self._part = part
        self._target = target
        self._escape = (lambda text: json.dumps(text)[1:-1]) if is_json else str
        seconds, self._where = np.unique(part.time_us // 1_000_000, return_inverse=True)
        self._moments = [datetime.fromtimestamp(second, UTC) for second in seconds.tolist()]

    def _stamp(self, form: str) -> Texts:
        return np.array([moment.strftime(form) for moment in self._moments], object)[self._where]

    def _of_actor(self, texts: list[str]) -> Texts:
        used, where = np.unique(self._part.actor, return_inverse=True)
        return np.array([self._escape(texts[row]) for row in used.tolist()], object)[where]

    def clf(self) -> Texts:
        """03/Mar/2026:05:06:07 +0000."""
        return self._stamp("%d/%b/%Y:%H:%M:%S +0000")

    def us(self) -> Texts:
        """03/04/2026:05:06:07 -0000, month first."""
        return self._stamp("%m/%d/%Y:%H:%M:%S -0000")

    def local(self) -> Texts:
        """04/Mar/2026:05:06:07.000."""
        return self._stamp("%d/%b/%Y:%H:%M:%S.000")

    def iso(self) -> Texts:
        """2026-03-04T05:06:07.000Z."""
        return self._stamp("%Y-%m-%dT%H:%M:%S.000Z")

    def date(self) -> Texts:
        """2026-03-04."""
        return self._stamp("%Y-%m-%d")

    def slashed(self) -> Texts:
        """2026/03/04 05:06:07."""
        return self._stamp("%Y/%m/%d %H:%M:%S")

    def clock(self) -> Texts:
        """05:06:07."""
        return self._stamp("%H:%M:%S")

    def epoch(self) -> Texts:
        """Seconds since 1970."""
        return np.array([str(int(moment.timestamp())) for moment in self._moments], object)[self._where]

    def address(self) -> Texts:
        """Of the client."""
        return self._of_actor(self._actors.addresses)

    def account(self) -> Texts:
        """Of the client, ``-`` for none."""
        return self._of_actor(self._actors.accounts)

    def agent(self) -> Texts:
        """As the server logs it."""
        return self._of_actor(self._actors.agents)

    def agent_plus(self) -> Texts:
        """With + for blanks."""
        return self._of_actor([agent.replace(" ", "+") for agent in self._actors.agents])

    def agent_twice(self) -> Texts:
        """Percent-encoded twice."""
        return self._of_actor([quote(quote(agent, safe="/;()"), safe="/;()") for agent in self._actors.agents])

    def referer(self) -> Texts:
        """Or ``-``."""
        return np.array([self._escape(text) for text in REFERERS], object)[self._part.referer]

    def host(self) -> Texts:
        """The site's."""
        return np.full(len(self._part), HOST, object)

    def path(self) -> Texts:
        """Of the target, without its query."""
        return np.array([text.partition("?")[0] for text in self._target.tolist()], object)

    def query(self) -> Texts:
        """Of the target, ``-`` for none."""
        return np.array([text.partition("?")[2] or "-" for text in self._target.tolist()], object)

    def status(self) -> Texts:
        """Three digits."""
        return np.array([f"{status:03d}" for status in self._part.status.tolist()], object)

    def purpose(self) -> Texts:
        """What for, ``-`` where the client does not say."""
        return np.array(PURPOSES, object)[self._part.purpose]

    def consent(self) -> Texts:
        """Id of the consent the client names, ``-`` for none."""
        return np.array([consent_id(number) for number in self._part.consent.tolist()], object)

    def size(self) -> Texts:
        """Bytes."""
        return np.array([str(size) for size in self._part.size.tolist()], object)
