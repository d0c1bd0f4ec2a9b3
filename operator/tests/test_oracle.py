"""The code against what it and the TLA+ specification agreed upon (`make oracle`), without Java."""

import json
from dataclasses import replace
from typing import Any

import pytest

from holdfast.core import fence, tree
from holdfast.core.guards import Fence, Rollback
from oracle.__main__ import differ
from oracle.agreed import AGREED, entry, specification
from oracle.cases import Case, Found, cases
from oracle.ours import ours
from oracle.tlc import configuration, read

RECORD: dict[str, Any] = json.loads(AGREED.read_text())


def case_of(raw: dict[str, Any]) -> Case:
    return Case(**raw | {"fence": Fence(raw["fence"]), "rollback": Rollback(raw["rollback"])})


AGREEMENTS = {case_of(agreed["case"]): agreed for agreed in RECORD["cases"]}
CRASHING = Case(Fence.CHECK_IN_LOCK, 3, expiries=1, crashes=1)
QUICK = [c for c in AGREEMENTS if (c.plans == 3 and not c.crashes) or c == CRASHING]
LOCKED = Case(Fence.CHECK_ONCE, 3)


def test_the_record_is_of_this_specification_and_of_every_case() -> None:
    assert RECORD["specification"] == specification(), "python -m oracle --record"
    assert list(AGREEMENTS) == list(cases())


@pytest.mark.parametrize(
    "case", QUICK, ids=lambda c: f"{c.fence}-{c.enactors}-{c.expiries}-{c.crashes}"
)
def test_the_code_moves_as_the_specification_does(case: Case) -> None:
    assert json.loads(json.dumps(entry(case, ours(case)))) == AGREEMENTS[case]


def test_a_lock_that_keeps_nobody_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "is_free", lambda *_: True)
    found, agreed = ours(LOCKED), AGREEMENTS[LOCKED]
    assert len(found.worlds) == agreed["worlds"], "worlds alone would have been enough"
    assert found.digest != agreed["digest"]


def test_a_proof_that_is_not_awaited_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_prove", lambda *_: iter(()))
    assert ours(LOCKED).digest != AGREEMENTS[LOCKED]["digest"]


def test_what_differs_is_told() -> None:
    code = ours(LOCKED)
    assert differ(code, code) == []
    move = min(code.moves)
    told = differ(replace(code, broken={}), Found(code.moves - {move}, code.broken, 0, 0.0))
    assert "NonEmpty: TLC says holds, the code broken after 24 steps" in told
    assert any(line.startswith("only TLC has 1 moves") for line in told)


ASKING = r"<<<<\"pick\", 0, \"Pick\", 0>>>>"
PRINTED = rf"""TLC2 Version 2.18
"<<<<0, <<>>, <<0>>>>, {ASKING}>> -> <<<<1, <<>>, <<0>>>>, {ASKING}>>"
<<"Monotone", 21>>
12 states generated, 6 distinct states found, LEFT states left on queue.
"""


@pytest.mark.parametrize(("left", "states"), [(0, 6), (3, None)])
def test_reading_what_tlc_prints(left: int, states: int | None) -> None:
    lines = PRINTED.replace("LEFT", str(left)).splitlines(keepends=True)
    moves, broken, found, rest = read(Case(Fence.GENERATION, 1), lines)
    pick = '["pick", 0, "Pick", 0]'
    assert moves == {(f"[0, [], [0]] | {pick}", f"[1, [], [0]] | {pick}")}
    assert (broken, found, rest[0]) == ({"Monotone": 21}, states, "TLC2 Version 2.18")


def test_every_constant_of_the_specification_is_given() -> None:
    text = AGREED.with_name("DNSRace.tla").read_text()
    declared = text.partition("CONSTANTS")[2].partition("ASSUME")[0]
    names = {line.split()[0].rstrip(",") for line in declared.splitlines() if "\\*" in line}
    given = {line.split()[0] for line in configuration(LOCKED).splitlines() if " = " in line}
    assert names == given
