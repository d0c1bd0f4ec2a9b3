"""A query that is cancelled is over, whatever comes at the same moment."""

import asyncio
from typing import cast

import dns.message

from holdfast.live.resolver import Server, ask


class Parrot(asyncio.DatagramProtocol):
    """Answers at once, and then cancels who asked, some turns of the loop later."""

    def __init__(self, hops: int) -> None:
        self.asking: asyncio.Task[object] | None = None
        self._hops, self.cancelled = hops, False
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(
            dns.message.make_response(dns.message.from_wire(data)).to_wire(), addr
        )
        self._later(self._hops)

    def _later(self, hops: int) -> None:
        assert self.asking is not None
        if hops:
            asyncio.get_running_loop().call_soon(self._later, hops - 1)
        else:
            self.cancelled = self.asking.cancel()


async def cancelled_after(hops: int) -> tuple[bool, bool]:
    """Whether the task was told to end, and whether it did."""
    loop = asyncio.get_running_loop()
    transport, parrot = await loop.create_datagram_endpoint(
        lambda: Parrot(hops), local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    task = asyncio.create_task(ask(Server("127.0.0.1", port), "dynamodb.test", "IPv4"))
    parrot.asking = task
    await asyncio.wait([task])
    transport.close()
    return parrot.cancelled, task.cancelled()


def test_a_cancellation_that_comes_with_the_answer_is_not_lost() -> None:
    ends = [asyncio.run(cancelled_after(hops)) for hops in range(16)]
    assert (True, True) in ends, "none came in time"
    assert (True, False) not in ends
