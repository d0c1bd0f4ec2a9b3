------------------------------ MODULE Observed ------------------------------
(***************************************************************************)
(* What TLC shall report of DNSRace without stopping at it: every step, as *)
(* an onlooker sees it, and the first that breaks each invariant.          *)
(*                                                                         *)
(* An onlooker sees the world, which is what the API server holds, and the *)
(* call that each enactor is about to make.  He does not see what they     *)
(* remember, so that one view may have many futures: views are printed     *)
(* beside the search, never merged.  Registers belong to a worker: run     *)
(* with one.                                                               *)
(***************************************************************************)
EXTENDS DNSRace, Sequences, TLC

Bit(b) == IF b THEN 1 ELSE 0

World ==
  << plans,
     IF Exists
     THEN <<alias.target, alias.generation, alias.rollback, alias.lock>>
     ELSE <<>>,
     [g \in Generations |->
       CASE trees[g] = Absent -> 0 [] trees[g] = Bare -> 1 [] trees[g] = Served -> 2] >>

\* The step of the protocol, the generation of the plan in hand, the call, and what it bears.
CallOf(z) ==
  LET p == here[z]
      g == p.plan IN
  CASE p.at = "pick"    -> <<"pick", 0, "Pick", g>>
    [] p.at = "check"   -> <<"check", g, "List aliases">>
    [] p.at = "create"  -> <<"tree", g, "Create tree", g>>
    [] p.at = "slice"   -> <<"tree", g, "Create slice", Bit(p.own)>>
    [] p.at = "compare" -> <<"tree", g, "Get slice", Bit(p.own)>>
    [] p.at = "prove"   -> <<"tree", g, "Prove", g>>
    [] p.at \in {"adopt", "proven", "unproven"} -> <<"tree", g, "Get tree", g>>
    [] p.at = "ask"     -> <<"turn", g, "Get alias">>
    [] p.at = "take"    -> <<"turn", g, "Patch alias", p.expect, Text(z, p.epoch)>>
    [] p.at = "birth"   ->
         <<IF UsesLock THEN "turn" ELSE "read", g, "Create alias", g, g, None, Free>>
    [] p.at = "read"    -> <<"read", g, "Get alias">>
    [] p.at = "record"  -> <<"read", g, "Get tree", p.record>>
    [] p.at \in {"yield", "abort", "release"} -> <<"read", g, "Patch alias", p.lock, Free>>
    [] p.at = "flip" /\ Holds(z) -> <<"flip", g, "Patch alias", p.lock, Free, g, g, p.record>>
    [] p.at = "flip" /\ ~Holds(z) ->
         <<"flip", g, "Replace alias", Bit(p.fresh), g, g, p.record, Free>>
    [] p.at = "list"    -> <<"list", g, "List trees">>
    [] p.at = "delete"  ->
         <<"delete", g, "Delete tree", [v \in Generations |-> Bit(v \in p.victims)]>>

View == <<World, [z \in Enactors |-> CallOf(z)]>>

\* True.  Prints the name of what is broken, once, and after how many steps.
Watch(register, name, holds) ==
  IF holds \/ TLCGet(register)
  THEN TRUE
  ELSE TLCSet(register, TRUE) /\ PrintT(<<name, TLCGet("level")>>)

ASSUME \A register \in 1..4 : TLCSet(register, FALSE)

\* As an invariant: of every distinct state.
NoteState ==
  /\ Watch(1, "NonEmpty", NonEmpty)
  /\ Watch(2, "RollbackNamesATree", RollbackNamesATree)

\* As an action constraint: of every step, those to known states too.
NoteStep ==
  /\ PrintT(ToString(View) \o " -> " \o ToString(View'))
  /\ Watch(3, "Monotone", IsMonotone)
  /\ Watch(4, "NoLiveDelete", IsNoLiveDelete)
=============================================================================
