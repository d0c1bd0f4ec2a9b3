"""Metrics of every role. A refusal with its reason is the product; labels stay few.

`holdfast_` stands before every name. Generations are gauges per Region (its namespace), so that
proposed, applied and served can be compared in one graph. The page docs/reference/metrics.md is
made from what stands here.
"""

from prometheus_client import Counter, Gauge, Histogram, Info, start_http_server

from holdfast import __version__

PORT = 9090

WRITES = Counter(
    "holdfast_writes_total",
    "Alias writes of this enactor, by what came of them.",
    ["region", "result"],
)
ROUNDS = Counter("holdfast_rounds_total", "Rounds of this enactor.", ["region", "outcome"])
REFUSALS = Counter(
    "holdfast_refusals_total",
    "What this planner, enactor or lease manager refused, or was refused, by reason (see "
    "events.md).",
    ["region", "reason"],
)
PREVENTED = Counter(
    "holdfast_outages_prevented_total",
    "Stale or empty plans that a guard kept from going live, by that guard.",
    ["region", "guard"],
)
PLANS = Counter(
    "holdfast_plans_total",
    "Plans appended, by cause: change, churn, overtaken.",
    ["region", "cause"],
)
GENERATION = Gauge(
    "holdfast_plan_generation",
    "Newest plan generation that was proposed (planner), applied (enactor) or served (probe).",
    ["region", "endpoint", "stage"],
)
CHECK_TO_WRITE = Histogram(
    "holdfast_check_to_write_seconds",
    "From the freshness check to the flip: the incident's window itself.",
    ["region"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
CALL_BUCKETS = (
    *(0.001, 0.0015, 0.002, 0.0025, 0.003, 0.004, 0.005, 0.006, 0.008),
    *(0.01, 0.012, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 5, 30, 90),
)
"""Seconds: fine enough for the simulator to be told how quick a cluster is."""
CALL = Histogram(
    "holdfast_call_seconds",
    "Duration of each kind of call; Prove is the wait until a new tree is served.",
    ["call"],
    buckets=CALL_BUCKETS,
)
DELETED = Counter("holdfast_trees_deleted_total", "Trees deleted by the cleaner.", ["region"])
ANSWERS = Counter(
    "holdfast_answers_total",
    "DNS answers by class: ok, stale (an older plan than before), empty (NOERROR without "
    "addresses), nxdomain, servfail, missing (none in time).",
    ["server", "answer"],
)
CONNECTS = Counter("holdfast_connects_total", "Connections to the store.", ["result"])
ARMS = Counter("holdfast_arms_total", "Arms finished, by verdict.", ["verdict"])
HOLDS = Gauge("holdfast_holds_active", "Actors of this role standing at a hold.", ["region"])
EVENTS = Counter(
    "holdfast_events_total",
    "Events of ours: posted, counted into one posted before, or dropped because too much was "
    "waiting or the API server would not take them.",
    ["region", "result"],
)
LEASES_HELD = Gauge(
    "holdfast_leases_held",
    "Leases that this zone's manager holds; racks of them in mode Rack.",
    ["region", "zone"],
)
LEASE_QUEUE = Gauge(
    "holdfast_lease_queue_length",
    "State checks that wait in this zone's manager.",
    ["region", "zone"],
)
LEASE_OLDEST = Gauge(
    "holdfast_lease_queue_oldest_age_seconds",
    "For how long the state check that waits longest has; 0 if none waits.",
    ["region", "zone"],
)
LEASE_ATTEMPTS = Counter(
    "holdfast_lease_attempts_total",
    "State checks that a worker ended, by what came of them: held, late (past their deadline), "
    "failed (not answered), conflict (a lost write), theirs (another's lease).",
    ["region", "zone", "result"],
)
LEASE_AGE = Histogram(
    "holdfast_lease_age_at_start_seconds",
    "From a state check's queueing to a worker's taking it: its deadline runs from the former.",
    ["region", "zone"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900),
)
WORK_WASTED = Counter(
    "holdfast_work_wasted_total",
    "State checks that were begun in vain: their deadline had passed, or was sure to before they "
    "could be done.",
    ["region", "zone"],
)
BUILD = Info("holdfast_build", "The version that runs.")
BUILD.info({"version": __version__})


def serve() -> None:
    start_http_server(PORT)
