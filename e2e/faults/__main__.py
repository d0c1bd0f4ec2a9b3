"""`python -m e2e.faults`: play all cases, or those whose name matches, and write the page."""

import argparse
import logging
import re
import sys
from pathlib import Path

import uvloop

from e2e.faults.cases import CASES
from e2e.faults.sweep import AT_ONCE, Sweep, sweep
from e2e.faults.table import render


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.faults", description=__doc__)
    parser.add_argument("--docs", type=Path, help="write the page here; only of all cases")
    parser.add_argument("--only", default="", help="cases whose name matches this pattern")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    arguments = parser.parse_args()
    if arguments.docs and arguments.only:
        parser.error("the page is of all cases: --docs or --only, not both")
    chosen = [c for c in CASES if re.search(arguments.only, c.name)]
    logging.disable(logging.WARNING)  # that a lock is held, and the like: it is what is tested
    print(f"{len(chosen)} cases, {arguments.at_once} at once", flush=True)
    run = uvloop.run(sweep(chosen, arguments.at_once))
    failed = _tell(run)
    if arguments.docs and not failed:
        arguments.docs.write_text(render(run))
    return 1 if failed else 0


def _tell(run: Sweep) -> int:
    """Print what is not as it should be; how many things are."""
    failed = [r for r in run.results if r.verdict.failures]
    for result in failed:
        print(f"FAILED {result.case.name}", *result.verdict.failures, sep="\n    ")
    for complaint in run.complaints:
        print(f"without any fault: {complaint}")
    print(f"{len(run.results) - len(failed)} passed, {len(failed)} failed ({run.seconds:.0f} s)")
    return len(failed) + len(run.complaints)


if __name__ == "__main__":
    sys.exit(main())
