"""python -m oracle: explores every case twice, prints both findings, fails where they differ."""

import argparse
import sys
from collections.abc import Mapping

from oracle.agreed import AGREED, entry, write
from oracle.cases import INVARIANTS, Case, Found, cases
from oracle.ours import ours
from oracle.tlc import Unavailable, fetch, theirs

SHORT = {name: "".join(c for c in name if c.isupper()) for name in INVARIANTS}


def main() -> int:
    """0 if all agree, 1 if not, 2 if TLC cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m oracle", description=__doc__)
    parser.add_argument("fence", nargs="*", help="only these rungs of dns.fence")
    parser.add_argument("--record", action="store_true", help=f"write {AGREED.name} if all agree")
    arguments = parser.parse_args()
    only = {f.casefold() for f in arguments.fence}
    chosen = [c for c in cases() if not only or c.fence.casefold() in only]
    if not chosen:
        parser.error("no case has such a rung")
    if only and arguments.record:
        parser.error("only all cases together are recorded")
    try:
        jar = fetch()
    except Unavailable as why:
        print(f"oracle: {why}", file=sys.stderr)
        return 2
    print(f"{'':<67} | {'TLC, the specification':<46} | {'explorer, the code':<46} |")
    print(_HEAD)
    differing = 0
    record = []
    for case in chosen:
        tla, code = theirs(jar, case), ours(case)
        differences = differ(tla, code)
        print(_row(case, tla, code, not differences), flush=True)
        for line in differences:
            print(f"    {line}")
        differing += bool(differences)
        record.append(entry(case, tla))
    print("broken, after steps: " + ", ".join(f"{SHORT[n]} {n}" for n in INVARIANTS))
    print(f"{len(chosen)} cases, {differing} differ")
    if arguments.record and not differing:
        write(record)
    return 1 if differing else 0


_HEAD = (
    "fence           rollback  enactors plans retention expiries crashes"
    " |      states  worlds   views    moves seconds |      states  worlds   views    moves seconds"
    " |          | broken"
)


def _row(case: Case, tla: Found, code: Found, same: bool) -> str:
    return (
        f"{case.fence:<15} {case.rollback:<9} {case.enactors:>8} {case.plans:>5}"
        f" {case.retention:>9} {case.expiries:>8} {case.crashes:>7} | {_size(tla)} | {_size(code)}"
        f" | {'the same' if same else 'DIFFER':<8} | {_broken(tla.broken)}"
    )


def _size(found: Found) -> str:
    return (
        f"{found.states:>11,} {len(found.worlds):>7,} {len(found.views):>7,}"
        f" {len(found.moves):>8,} {found.seconds:>7.1f}"
    )


def _broken(found: Mapping[str, int]) -> str:
    return " ".join(f"{SHORT[n]} {found[n]}" for n in INVARIANTS if n in found) or "none"


def differ(tla: Found, code: Found) -> list[str]:
    """What the two do not agree on, with an example of each kind."""
    lines = []
    for name in INVARIANTS:
        a, b = tla.broken.get(name), code.broken.get(name)
        if a != b:
            lines.append(f"{name}: TLC says {_verdict(a)}, the code {_verdict(b)}")
    for who, found, other in (("TLC", tla, code), ("the code", code, tla)):
        if worlds := found.worlds - other.worlds:
            lines.append(f"only {who} has {len(worlds)} worlds, such as {min(worlds)}")
        if views := found.views - other.views:
            lines.append(f"only {who} has {len(views)} views, such as {min(views)}")
        if moves := found.moves - other.moves:
            # A move between views that both have tells more than one that leaves them.
            before, after = min(moves, key=lambda m: (m[0] in views, m[1] in views, m))
            lines.append(f"only {who} has {len(moves)} moves, such as from {before}")
            lines.append(f"{'to ' + after:>{len(after) + 5}}")
    return lines


def _verdict(steps: int | None) -> str:
    return "holds" if steps is None else f"broken after {steps} steps"


if __name__ == "__main__":
    sys.exit(main())
