"""Scrapes the probe of an arm as Prometheus would: its real /metrics, every five seconds."""

import asyncio
import logging
import random
import time

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from holdfast.core.alerts import SCRAPE_SECONDS, Key, series
from holdfast.core.record import Record
from holdfast.core.scrapes import Scrapes
from holdfast.live.api import Api
from holdfast.live.metrics import PORT

log = logging.getLogger("holdfast.scenario")

METRICS = ("holdfast_answers_total", "holdfast_plan_generation")


class Scraper:
    """`record` is what the arm's watches know."""

    def __init__(self, api: Api, namespace: str, record: Record) -> None:
        self._api, self._namespace, self._record = api, namespace, record
        self._address = ""
        self._scrapes = Scrapes(namespace)

    def fired(self, zero: float) -> dict[str, float]:
        """When each alert began to fire, in seconds after `zero`."""
        return self._scrapes.fired(zero, time.time(), random.random())

    async def run(self) -> None:
        """Until cancelled. A scrape that fails is left out, as Prometheus does."""
        timeout = aiohttp.ClientTimeout(total=SCRAPE_SECONDS - 1)
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    values = await self._scrape(session)
                    self._scrapes.add(time.time(), values, self._record)
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    self._address = ""
                    log.debug("%s: not scraped: %s", self._namespace, error)
                due += SCRAPE_SECONDS
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _scrape(self, session: aiohttp.ClientSession) -> dict[Key, float]:
        self._address = self._address or await self._find()
        async with session.get(f"http://{self._address}:{PORT}/metrics") as answer:
            text = await answer.text()
        return samples(text)

    async def _find(self) -> str:
        """The probe's address. OSError while there is none."""
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        found = await self._api.get(path, labelSelector="app.kubernetes.io/name=probe")
        for pod in found.body.get("items") or ():
            if pod["status"].get("podIP"):
                return str(pod["status"]["podIP"])
        raise OSError("the probe has no address yet")


def samples(text: str) -> dict[Key, float]:
    """What a page of metrics says of those that alerts ask for. ValueError if it is none."""
    return {
        series(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in METRICS
    }
