"""What both agreed upon, kept beside the specification, so that a test that needs no Java holds the
code to it: `python -m oracle --record` writes it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oracle.cases import Case, Found

AGREED = Path(__file__).with_name("agreed.json")


def entry(case: Case, found: Found) -> dict[str, Any]:
    """A case, and TLC's findings in short."""
    return {
        "case": asdict(case),
        "worlds": len(found.worlds),
        "views": len(found.views),
        "moves": len(found.moves),
        "digest": found.digest,
        "broken": {name: found.broken[name] for name in sorted(found.broken)},
    }


def write(entries: Iterable[dict[str, Any]]) -> None:
    document = {"specification": specification(), "cases": list(entries)}
    AGREED.write_text(json.dumps(document, indent=1) + "\n")


def specification() -> str:
    """The digest of the modules whose findings are kept."""
    modules = sorted(Path(__file__).parent.glob("*.tla"))
    return hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()
