------------------------------ MODULE DNSRace ------------------------------
(***************************************************************************)
(* The DNS enactors of one endpoint, on top of an API server.              *)
(*                                                                         *)
(* Written from what the protocol means, as a second opinion on the Python *)
(* code and its explorer: the two share nothing but this granularity.  One *)
(* action is one call that an enactor makes (an API request, a DNS proof,  *)
(* waiting for a plan) and all that it concludes from the answer, or one   *)
(* move of the environment.                                                *)
(*                                                                         *)
(* Numbers that are only ever compared for equality are not modelled as    *)
(* numbers.  What an enactor holds of an object's uid or resourceVersion   *)
(* is one bit: whether the object still is, as it was when it was seen.    *)
(*                                                                         *)
(* Left out: lost requests and replies, reads that lag, a DNS server that  *)
(* lags, several endpoints, trees of several slices, and the other rungs.  *)
(***************************************************************************)
EXTENDS Naturals

CONSTANTS
  Fence,      \* what keeps an older plan from replacing a newer one
  Rollback,   \* whether an apply fails with its rollback record
  Zones,      \* enactors are 1..Zones
  Plans,      \* how many plans the planner will append
  Retention,  \* how many generations older than its own plan an enactor keeps
  Expiries,   \* how often the lock of a living enactor may expire
  Crashes     \* how often an enactor may crash

ASSUME /\ Fence \in {"CheckOnce", "ResourceVersion", "CheckInLock", "Generation"}
       /\ Rollback \in {"Coupled", "Decoupled"}
       /\ {Zones, Plans, Retention, Expiries, Crashes} \subseteq Nat

VARIABLES
  plans,        \* plans 1..plans exist
  alias,        \* the root alias: target, generation, rollback, lock; or NoAlias
  trees,        \* the record tree of each generation
  clock,        \* how many locks have expired
  incarnation,  \* how often each enactor has been replaced
  spent,        \* the faults that have struck: expiries of a living enactor's lock, and crashes
  here          \* where each enactor stands, and all it knows there

api  == <<plans, alias, trees>>
vars == <<plans, alias, trees, clock, incarnation, spent, here>>

-----------------------------------------------------------------------------
(* The API server's objects.                                               *)

Enactors    == 1 .. Zones
Generations == 1 .. Plans
None        == 0               \* no generation: no rollback record
NoAlias     == <<>>
Free        == <<>>            \* the text of a lock that nobody holds
Absent      == "absent"        \* no Service
Bare        == "bare"          \* a Service without its slice: it answers nothing
Served      == "served"        \* a Service with its slice

Exists    == alias # NoAlias
Stands(g) == trees[g] # Absent

\* A lock's text names its holder and its epoch.  It outlives its validity.
Text(z, epoch) == <<z, incarnation[z], epoch>>
IsValid(lock)  == lock # Free /\ lock[3] >= clock
IsFreeFor(z, lock) ==
  \/ ~IsValid(lock)
  \/ lock[1] = z /\ lock[2] = incarnation[z]

-----------------------------------------------------------------------------
(* The enactors.                                                           *)

UsesLock    == Fence \in {"CheckOnce", "CheckInLock"}
ReadDecides == Fence \in {"CheckInLock", "Generation"}

Place(name, g) ==
  [ at      |-> name,
    plan    |-> g,      \* the plan in hand; at pick: wait for one newer than this
    own     |-> FALSE,  \* the tree of `plan` still is the one whose uid I know
    fresh   |-> FALSE,  \* the alias has not changed since I read it for writing
    expect  |-> Free,   \* the lock's text that I am about to replace
    epoch   |-> 0,      \* when I read it
    lock    |-> Free,   \* the lock's text that I wrote
    record  |-> None,   \* the rollback record that I am about to write
    again   |-> FALSE,  \* my write has just been refused
    victims |-> {} ]    \* the trees that I am about to delete

PickAbove(g) == Place("pick", g)
PickAnew(g)  == PickAbove(g - 1)     \* this plan or a newer one
Turn(g)      == Place(IF UsesLock THEN "ask" ELSE "read", g)

Go(z, place) == here' = [here EXCEPT ![z] = place]
Move(z, name) == Go(z, [here[z] EXCEPT !.at = name])

\* Whoever holds a uid of tree g, or a version of the alias, holds an old one from now on.
LosingTree(g) ==
  [z \in Enactors |-> [here[z] EXCEPT !.own = @ /\ here[z].plan # g]]
LosingAlias ==
  [z \in Enactors |-> [here[z] EXCEPT !.fresh = FALSE]]

Is(z, name) == here[z].at = name

-----------------------------------------------------------------------------
(* pick, check                                                             *)

Pick(z) ==
  /\ Is(z, "pick")
  /\ plans > here[z].plan
  /\ Go(z, Place("check", plans))
  /\ UNCHANGED <<api, clock, incarnation, spent>>

IsLive(g) == Exists /\ alias.target = g /\ alias.generation = g
HasNewer(g) == Exists /\ alias.generation > g

Check(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "check")
  /\ Go(z, CASE HasNewer(g) -> PickAbove(g)
             [] IsLive(g)   -> Place("list", g)
             [] OTHER       -> Place("create", g))
  /\ UNCHANGED <<api, clock, incarnation, spent>>

-----------------------------------------------------------------------------
(* tree: a Service, then its slice, then a proof that both are the same    *)
(* tree's and are served.  Whatever fails starts over at pick.             *)

CreateService(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "create")
  /\ IF Stands(g)
     THEN Move(z, "adopt") /\ UNCHANGED trees
     ELSE /\ trees' = [trees EXCEPT ![g] = Bare]
          /\ Go(z, [Place("slice", g) EXCEPT !.own = TRUE])
  /\ UNCHANGED <<plans, alias, clock, incarnation, spent>>

AdoptService(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "adopt")
  /\ Go(z, IF Stands(g) THEN [Place("slice", g) EXCEPT !.own = TRUE] ELSE PickAnew(g))
  /\ UNCHANGED <<api, clock, incarnation, spent>>

\* A slice is named after its Service's uid.  One made for a Service that is gone is collected at
\* once, and its maker is none the wiser.
CreateSlice(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "slice")
  /\ trees' = IF here[z].own THEN [trees EXCEPT ![g] = Served] ELSE trees
  /\ Move(z, IF here[z].own /\ trees[g] = Served THEN "compare" ELSE "prove")
  /\ UNCHANGED <<plans, alias, clock, incarnation, spent>>

CompareSlice(z) ==
  /\ Is(z, "compare")
  /\ IF here[z].own THEN Move(z, "prove") ELSE Go(z, PickAnew(here[z].plan))
  /\ UNCHANGED <<api, clock, incarnation, spent>>

Prove(z) ==
  /\ Is(z, "prove")
  /\ Move(z, IF trees[here[z].plan] = Served THEN "proven" ELSE "unproven")
  /\ UNCHANGED <<api, clock, incarnation, spent>>

\* The proof asked a name, which another tree of that name may have answered.
Confirm(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "proven") \/ Is(z, "unproven")
  /\ IF here[z].own
     THEN IF Is(z, "proven") THEN Go(z, Turn(g)) ELSE Move(z, "prove")
     ELSE Go(z, PickAnew(g))
  /\ UNCHANGED <<api, clock, incarnation, spent>>

-----------------------------------------------------------------------------
(* turn: take the lock, where there is one.  Who fails keeps the plan.     *)

AskForLock(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "ask")
  /\ Go(z, CASE ~Exists -> Place("birth", g)
             [] Exists /\ IsFreeFor(z, alias.lock) ->
                  [Place("take", g) EXCEPT !.expect = alias.lock, !.epoch = clock]
             [] OTHER -> here[z])
  /\ UNCHANGED <<api, clock, incarnation, spent>>

\* The lock is valid from when it was found free.
TakeLock(z) ==
  LET g    == here[z].plan
      mine == Text(z, here[z].epoch) IN
  /\ Is(z, "take")
  /\ IF alias.lock = here[z].expect
     THEN /\ alias' = [alias EXCEPT !.lock = mine]
          /\ Go(z, [Place("read", g) EXCEPT !.lock = mine])
     ELSE Go(z, Turn(g)) /\ UNCHANGED alias
  /\ UNCHANGED <<plans, trees, clock, incarnation, spent>>

\* The alias is created with every record in it, lock free, naming a proven tree.
Birth(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "birth")
  /\ IF Exists
     THEN Go(z, Turn(g)) /\ UNCHANGED alias
     ELSE /\ alias' = [target |-> g, generation |-> g, rollback |-> None, lock |-> Free]
          /\ Go(z, Place("list", g))
  /\ UNCHANGED <<plans, trees, clock, incarnation, spent>>

-----------------------------------------------------------------------------
(* read: the alias, then the tree that it names, for the rollback record.  *)

Holds(z) == here[z].lock # Free

Read(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "read")
  /\ CASE ~Exists -> Go(z, Place("birth", g))
       [] ReadDecides /\ HasNewer(g) ->
            IF Holds(z) THEN Move(z, "yield") ELSE Go(z, PickAbove(g))
       [] IsLive(g) ->
            IF Holds(z) THEN Move(z, "release") ELSE Go(z, Place("list", g))
       [] Fence = "Generation" /\ here[z].again /\ Exists /\ ~HasNewer(g) /\ ~IsLive(g) ->
            Go(z, Turn(g))
       [] OTHER ->
            Go(z, [here[z] EXCEPT !.at = "record", !.record = alias.target, !.fresh = ~Holds(z)])
  /\ UNCHANGED <<api, clock, incarnation, spent>>

ReadRollback(z) ==
  LET g == here[z].plan IN
  /\ Is(z, "record")
  /\ IF Stands(here[z].record) THEN Move(z, "flip")
     ELSE CASE Rollback = "Decoupled" -> Go(z, [here[z] EXCEPT !.at = "flip", !.record = None])
            [] Rollback = "Coupled" /\ Holds(z)  -> Move(z, "abort")
            [] Rollback = "Coupled" /\ ~Holds(z) -> Go(z, PickAnew(g))
  /\ UNCHANGED <<api, clock, incarnation, spent>>

\* Three ends give the lock back.  Only to whom the plan is live does it matter whether it was
\* still his to give.
GiveLockBack(z) ==
  LET g    == here[z].plan
      mine == alias.lock = here[z].lock IN
  /\ Is(z, "yield") \/ Is(z, "abort") \/ Is(z, "release")
  /\ alias' = IF mine THEN [alias EXCEPT !.lock = Free] ELSE alias
  /\ Go(z, CASE Is(z, "yield")   -> PickAbove(g)
             [] Is(z, "abort")   -> PickAnew(g)
             [] Is(z, "release") -> IF mine THEN Place("list", g) ELSE Turn(g))
  /\ UNCHANGED <<plans, trees, clock, incarnation, spent>>

-----------------------------------------------------------------------------
(* flip: one write, under the lock or under the version that was read.     *)

Flip(z) ==
  LET g       == here[z].plan
      granted == IF Holds(z) THEN alias.lock = here[z].lock ELSE here[z].fresh IN
  /\ Is(z, "flip")
  /\ IF granted
     THEN /\ alias' = [target |-> g, generation |-> g, rollback |-> here[z].record, lock |-> Free]
          /\ here'  = [LosingAlias EXCEPT ![z] = Place("list", g)]
     ELSE /\ Go(z, IF Holds(z) \/ here[z].again
                   THEN Turn(g)
                   ELSE [Place("read", g) EXCEPT !.again = TRUE])
          /\ UNCHANGED alias
  /\ UNCHANGED <<plans, trees, clock, incarnation, spent>>

-----------------------------------------------------------------------------
(* list, delete: trees much older than my plan, whatever is live.          *)

ListTrees(z) ==
  LET g   == here[z].plan
      old == {v \in Generations : Stands(v) /\ v + Retention < g} IN
  /\ Is(z, "list")
  /\ Go(z, IF old = {} THEN PickAbove(g) ELSE [Place("delete", g) EXCEPT !.victims = old])
  /\ UNCHANGED <<api, clock, incarnation, spent>>

DeleteTree(z) ==
  LET g      == here[z].plan
      victim == CHOOSE v \in here[z].victims : \A w \in here[z].victims : v <= w
      rest   == here[z].victims \ {victim} IN
  /\ Is(z, "delete")
  /\ trees' = [trees EXCEPT ![victim] = Absent]
  /\ here'  = [LosingTree(victim) EXCEPT
                 ![z] = IF rest = {} THEN PickAbove(g) ELSE [here[z] EXCEPT !.victims = rest]]
  /\ UNCHANGED <<plans, alias, clock, incarnation, spent>>

-----------------------------------------------------------------------------
(* The environment.                                                        *)

AppendPlan ==
  /\ plans < Plans
  /\ plans' = plans + 1
  /\ UNCHANGED <<alias, trees, clock, incarnation, spent, here>>

\* A lock passes its time while its holder is slow, which is rare, or dead, which lasts.
LockExpires ==
  LET holder == alias.lock[1]
      isDead == incarnation[holder] # alias.lock[2]
  IN
  /\ Exists /\ IsValid(alias.lock)
  /\ isDead \/ spent.expiries < Expiries
  /\ spent' = IF isDead THEN spent ELSE [spent EXCEPT !.expiries = @ + 1]
  /\ clock' = clock + 1
  /\ UNCHANGED <<api, incarnation, here>>

\* An enactor dies and starts again, knowing nothing: as another that bears another name, or, if only
\* its container has died, under the name it had.  Where no name is ever written, nothing happens to
\* one that knows nothing yet.
Crash(z) ==
  /\ here[z] # PickAbove(0) \/ UsesLock
  /\ spent.crashes < Crashes
  /\ spent' = [spent EXCEPT !.crashes = @ + 1]
  /\ \/ incarnation' = [incarnation EXCEPT ![z] = @ + 1]
     \/ UsesLock /\ here[z] # PickAbove(0) /\ UNCHANGED incarnation
  /\ Go(z, PickAbove(0))
  /\ UNCHANGED <<api, clock>>

-----------------------------------------------------------------------------

Init ==
  /\ plans = 0
  /\ alias = NoAlias
  /\ trees = [g \in Generations |-> Absent]
  /\ clock = 0
  /\ incarnation = [z \in Enactors |-> 0]
  /\ spent = [expiries |-> 0, crashes |-> 0]
  /\ here = [z \in Enactors |-> PickAbove(0)]

Call(z) ==
  \/ Pick(z) \/ Check(z)
  \/ CreateService(z) \/ AdoptService(z) \/ CreateSlice(z) \/ CompareSlice(z)
  \/ Prove(z) \/ Confirm(z)
  \/ AskForLock(z) \/ TakeLock(z) \/ Birth(z)
  \/ Read(z) \/ ReadRollback(z) \/ GiveLockBack(z) \/ Flip(z)
  \/ ListTrees(z) \/ DeleteTree(z)

Next ==
  \/ AppendPlan
  \/ LockExpires
  \/ \E z \in Enactors : Call(z) \/ Crash(z)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What shall hold.                                                        *)

\* An alias names a tree that answers.
NonEmpty == Exists => trees[alias.target] = Served

\* A rollback record that says anything names one, too.
RollbackNamesATree == Exists /\ alias.rollback # None => trees[alias.rollback] = Served

\* No write lowers an alias's generation.
IsMonotone == Exists => /\ alias' # NoAlias
                        /\ alias'.generation >= alias.generation
Monotone == [][IsMonotone]_vars

\* No tree is deleted while an alias names it.
IsNoLiveDelete == Exists /\ Stands(alias.target) => trees'[alias.target] # Absent
NoLiveDelete == [][IsNoLiveDelete]_vars

\* Held in every rung: the alias names what its generation says; only who lost the tree sees it
\* not served, so no proof is repeated; who holds no uid or version any more is not thought to.
Sound ==
  /\ Exists => alias.target = alias.generation
  /\ \A z \in Enactors :
       /\ Is(z, "unproven") => ~here[z].own
       /\ here[z].own => Is(z, "slice") \/ Is(z, "compare") \/ Is(z, "prove")
                         \/ Is(z, "proven") \/ Is(z, "unproven")
       /\ here[z].fresh => Is(z, "record") \/ Is(z, "flip")
       /\ Holds(z) => UsesLock
=============================================================================
