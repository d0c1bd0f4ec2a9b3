"""AG EF goal: from every reachable state, a state with the goal stays reachable.

That is possibility, not fairness: a state that fails it can never recover, whatever happens next.
No reverse edges are kept: the states are swept backwards, in which order most of them find a
successor that is known to reach the goal at once, until a sweep changes nothing.
"""

from collections.abc import Callable

from holdfast.check.explorer import Exploration, Explorer


def stuck(
    explorer: Explorer,
    found: Exploration,
    progress: Callable[[int], None] | None = None,
) -> list[int]:
    """The states from which the goal cannot be reached, nearest to the start first. Needs an
    exhaustive exploration: ValueError otherwise, or when the model has no goal."""
    goal = explorer.model.goal
    if goal is None or not found.exhaustive:
        raise ValueError("liveness needs a goal, and every state within the bounds")
    reached = [bool(goal(world.objects)) for world in explorer.worlds.all]
    numbers = {state: at for at, state in enumerate(found.parents)}
    can = bytearray(len(numbers))
    for state, at in numbers.items():
        if reached[explorer.world_of(state)]:
            can[at] = 1
    open_states = [s for s, at in reversed(numbers.items()) if not can[at]]
    successors = explorer.successors
    while True:
        left = []
        for state in open_states:
            if any(can[numbers[t]] for t in successors(state)):
                can[numbers[state]] = 1
            else:
                left.append(state)
        if progress:
            progress(len(left))
        if len(left) == len(open_states):
            return left[::-1]
        open_states = left
