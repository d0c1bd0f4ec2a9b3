"""Whether `dns.admission` is in force: the API server hears of a Region as any watcher does.

Between a Region's creation and that moment nothing is refused. So a Region whose arm is to be
guarded is made paused, and let go when a forbidden change has been refused in its namespace. The
change is a dry run: were it taken, nothing would be stored.
"""

import asyncio

from holdfast.core.names import tree_name
from holdfast.core.objects import Alias
from holdfast.core.replies import ADMISSION_POLICY, Rejected
from holdfast.live.api import Api
from holdfast.live.perform import refusal
from holdfast.live.wire import path_of, render

FORBIDDEN = Alias("holdfast-admission", tree_name("holdfast-admission", 2), 1)
"""An alias at one generation that names the tree of another."""
DEADLINE_SECONDS = 30.0
PAUSE_SECONDS = 0.05


async def until_in_force(api: Api, namespace: str, deadline: float = DEADLINE_SECONDS) -> str:
    """Wait until the policies refuse what they must in this namespace. "" when they do; after
    `deadline` seconds what the API server said instead.

    Asks one API server: behind a balancer of several, another may hear of the Region later.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while True:
        body = render(FORBIDDEN, namespace, "none")
        answer = await api.create(path_of(Alias, namespace), body, dryRun="All")
        reply = None if answer.ok else refusal(answer, 0.0)
        if isinstance(reply, Rejected) and reply.reason == ADMISSION_POLICY:
            return ""
        if loop.time() > end:
            said = answer.body.get("message") or "it took a forbidden change"
            return f"no policy in force after {deadline:.0f} s ({answer.status}: {said})"
        await asyncio.sleep(PAUSE_SECONDS)
