"""What customers see: the classes of a DNS answer, and the tally of a stream of them.

Dashboards stayed green through the incident because an empty answer is a successful response. Here
NOERROR without addresses is a class of its own, and the generation that answered is read from the
CNAME, for plans of equal content give equal addresses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from holdfast.core.objects import Family

PROBED_MAX = 5
"""Endpoints of a Region that a probe asks for: its first ones."""


class Answer(StrEnum):
    OK = "ok"
    STALE = "stale"
    """An older generation than this server has answered before."""
    EMPTY = "empty"
    """NOERROR, no addresses: the incident's own signature."""
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    MISSING = "missing"
    """No answer in time, or refused by the network."""


def classify(rcode: str, addresses: int, generation: int | None, newest: int) -> Answer:
    """The class of one answer. `generation` is the tree's in the CNAME, `newest` the highest that
    this server has answered with so far."""
    if rcode == "NXDOMAIN":
        return Answer.NXDOMAIN
    if rcode != "NOERROR":
        return Answer.SERVFAIL
    if not addresses:
        return Answer.EMPTY
    return Answer.STALE if generation is not None and generation < newest else Answer.OK


@dataclass(slots=True)
class Tally:
    """Answers of one server for one name, those of each family from its first good one on, for a
    name without IPv6 answers AAAA with NOERROR and nothing for ever. With `whole` from the first
    NOERROR, for a name that may be broken from the start. Times in seconds of the prober's clock.

    `empty_seconds` is the sum of [first empty, answers with addresses in every family again), to
    the resolution of the probing interval; an episode that has not ended counts up to the last
    answer.
    """

    whole: bool = False
    counts: dict[Answer, int] = field(default_factory=lambda: dict.fromkeys(Answer, 0))
    queries: int = 0
    began: float | None = None
    last: float | None = None
    first_empty: float | None = None
    last_empty: float | None = None
    recovered: float | None = None
    """The first good answer after the last empty one."""
    _closed: float = 0.0
    _open: float | None = None
    generations: list[tuple[float, int]] = field(default_factory=list)
    families: set[Family] = field(default_factory=set)
    """Those that count."""
    _newest: dict[Family, int] = field(default_factory=dict)
    _latest: dict[Family, int] = field(default_factory=dict)
    _dark: set[Family] = field(default_factory=set)

    def add(
        self, t: float, answer: Answer, generation: int | None, family: Family = "IPv4"
    ) -> None:
        good = answer in (Answer.OK, Answer.STALE)
        if family not in self.families:
            if not good and not (self.whole and answer is Answer.EMPTY):
                return  # nothing was ever served: not an outage, a birth
            self.families.add(family)
        self.began = t if self.began is None else self.began
        self.queries += 1
        self.counts[answer] += 1
        self.last = t
        if good and generation is not None:
            self._served(t, generation, family)
        if answer is Answer.EMPTY:
            self.first_empty = t if self.first_empty is None else self.first_empty
            self.last_empty = t
            self.recovered = None
            self._open = t if self._open is None else self._open
            self._dark.add(family)
        elif good:
            self._lit(t, family)

    def newest(self, family: Family = "IPv4") -> int:
        """The highest generation answered so far. Families are asked apart, so that the one that
        was asked a moment earlier is not stale for it."""
        return self._newest.get(family, 0)

    def _served(self, t: float, generation: int, family: Family) -> None:
        moved = self._latest.get(family) != generation
        if moved and (not self.generations or self.generations[-1][1] != generation):
            self.generations.append((t, generation))
        self._latest[family] = generation
        self._newest[family] = max(self.newest(family), generation)

    def _lit(self, t: float, family: Family) -> None:
        """A good answer; the emptiness is over when no family is without one any more."""
        self._dark.discard(family)
        if self._open is not None and not self._dark:
            self._closed += t - self._open
            self._open = None
            self.recovered = t

    def empty_seconds(self) -> float:
        still = self.last - self._open if self._open is not None and self.last is not None else 0.0
        return self._closed + still

    def report(self, zero: float = 0.0) -> dict[str, Any]:
        """The tally for a document, its times counted from `zero`. Absent where there is none."""

        def at(t: float | None) -> float | None:
            return None if t is None else round(t - zero, 3)

        document = {
            "queries": self.queries,
            **{str(a): n for a, n in self.counts.items()},
            "emptySeconds": round(self.empty_seconds(), 1),
            "beganAt": at(self.began),
            "endedAt": at(self.last),
            "firstEmptyAt": at(self.first_empty),
            "lastEmptyAt": at(self.last_empty),
            "recoveredAt": at(self.recovered),
        }
        return {k: v for k, v in document.items() if v is not None}


def told(tallies: Mapping[str, Tally], zero: float = 0.0) -> dict[str, Any]:
    """What the servers answered for one name, as a probe tells it."""
    return {
        "servers": {label: tally.report(zero) for label, tally in tallies.items()},
        "servedGenerations": {
            label: [[round(t - zero, 2), g] for t, g in tally.generations]
            for label, tally in tallies.items()
        },
    }


def told_families(asked: Iterable[Family], tallies: Iterable[Mapping[str, Tally]]) -> list[Family]:
    """The families that every server has answered with addresses for every name; all that were
    asked for while there are none."""
    every = [tally.families for servers in tallies for tally in servers.values()]
    common = [f for f in asked if all(f in families for families in every)]
    return common or list(asked)
