"""The same controller, whose pods have numbers for names."""

from replicas import WANTED, Pod, model

from holdfast.check import Budgets, Create, Flow, List, Listed, explore


def numbered(_identity: str, _memory: None) -> Flow:
    """The pods have fixed names: the API server itself refuses to create one of them twice."""
    pods = yield List(Pod)
    if isinstance(pods, Listed):
        there = {pod.name for pod in pods.items}
        for name in (f"web-{number}" for number in range(WANTED)):
            if name not in there:
                yield Create(Pod(name))


if __name__ == "__main__":
    faults = Budgets(crashes=2, lost_replies=2, stale_reads=2)
    print(explore(model(numbered, None, faults, "controller", "another")))
