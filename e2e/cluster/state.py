"""How the present cluster was made, remembered beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .choice import Choice, Engine, NodeImage
from .paths import Cache


@dataclass(frozen=True, slots=True)
class Made:
    """`key` is the hash of the configuration it was made from."""

    choice: Choice
    node_image: str
    key: str


def load(cache: Cache) -> Made | None:
    """None where no cluster was made, or the file says nothing we understand."""
    try:
        found = json.loads(cache.state.read_text(encoding="utf-8"))
        choice = Choice(Engine(found["engine"]), NodeImage(found["image"]))
        return Made(choice, str(found["node_image"]), str(found["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(cache: Cache, made: Made) -> None:
    text = json.dumps(
        {
            "engine": made.choice.engine.value,
            "image": made.choice.image.value,
            "node_image": made.node_image,
            "key": made.key,
        }
    )
    partial = cache.state.with_suffix(".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(cache.state)


def forget(cache: Cache) -> None:
    cache.state.unlink(missing_ok=True)
