"""Requests and events as JSON: what ``palimpsest serve`` and its clients say to each other."""

from dataclasses import asdict
from typing import get_args

import msgspec

from palimpsest.engine.request import Done, Failed, Fill, Progress, Stopped

Told = Progress | Done | Failed | Stopped  # of a fill
_KINDS = {kind.__name__.lower(): kind for kind in get_args(Told)}


def to_json(event: Told) -> str:
    """An event of a fill as one line."""
    return msgspec.json.encode({"kind": type(event).__name__.lower(), **asdict(event)}).decode()


def event_of(text: str) -> Told:
    """The event that ``to_json`` made ``text`` of. Raises ValueError for anything else."""
    told = msgspec.json.decode(text, type=dict)
    kind = _KINDS.get(told.get("kind", ""))
    if kind is None:
        raise ValueError(f"no event of a fill: {told.get('kind')}")
    return msgspec.convert(told, kind)


def fill_of(text: bytes) -> Fill:
    """The request that was sent as JSON. Raises ValueError for none, and RequestError for one that cannot be done."""
    return msgspec.json.decode(text, type=Fill)
