"""The same controller, which waits until it sees what it has done."""

from dataclasses import dataclass

from replicas import WANTED, Pod, generated_name, model

from holdfast.check import Budgets, Create, Flow, List, Listed, Written, explore


@dataclass(frozen=True)
class Memory:
    made: int = 0
    expected: frozenset[str] = frozenset()


def expecting(identity: str, memory: Memory) -> Flow:
    """The same, but nothing is created until the list shows all that was created before."""
    pods = yield List(Pod)
    if not isinstance(pods, Listed):
        return memory
    made, expected = memory.made, memory.expected - {pod.name for pod in pods.items}
    if not expected:
        for _ in range(WANTED - len(pods.items)):
            made += 1
            name = generated_name(identity, made)
            reply = yield Create(Pod(name))
            if isinstance(reply, Written):
                expected |= {name}
    return Memory(made, expected)


if __name__ == "__main__":
    print(explore(model(expecting, Memory(), Budgets(stale_reads=2))))
    print()
    print(explore(model(expecting, Memory(), Budgets(stale_reads=1, lost_replies=1))))
