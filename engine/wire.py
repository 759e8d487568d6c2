"""Requests and events as JSON: what servers, the model's process and those who ask them say to each other."""

from dataclasses import asdict, dataclass
from typing import get_args

import msgspec

from palimpsest.engine.request import Event, Fill, Seeded

_KINDS = {kind.__name__.lower(): kind for kind in get_args(Event)}


@dataclass(frozen=True)
class Request:
    """What the model's process is to do, one of these: fill, denoise, get ready for a fill, or stop the job of that
    number."""

    fill: Fill | None = None
    denoise: Seeded | None = None
    warm: Fill | None = None
    stop: int | None = None


def to_json(event: Event) -> str:
    """An event as one line."""
    return msgspec.json.encode({"kind": type(event).__name__.lower(), **asdict(event)}).decode()


def event_of(text: str) -> Event:
    """The event that ``to_json`` made ``text`` of. Raises ValueError for anything else."""
    told = msgspec.json.decode(text, type=dict)
    kind = _KINDS.get(told.get("kind", ""))
    if kind is None:
        raise ValueError(f"no event: {told.get('kind')}")
    return msgspec.convert(told, kind, str_keys=True)


def fill_of(text: bytes) -> Fill:
    """The request that was sent as JSON. Raises ValueError for none, and RequestError for one that cannot be done."""
    return msgspec.json.decode(text, type=Fill)


def request_of(text: bytes) -> Request:
    """What was asked of the model's process. Raises ValueError for anything else."""
    return msgspec.json.decode(text, type=Request)
