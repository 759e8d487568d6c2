"""What was open when the editor was closed is open again at the next start."""

import logging
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from palimpsest.app import state

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A caret in a file, line and column from 1."""

    path: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Desk:
    """The files that are open, which of them is in front, where the window stands (Qt's own bytes, in base64), the
    folder that is worked on, if any, how many of the files, the last ones, are on the other side, and where the docks
    stand and how wide they are (as for the window)."""

    places: list[Place] = field(default_factory=list)
    front: int = 0
    geometry: str = ""
    folder: str = ""
    aside: int = 0
    docks: str = ""


def load() -> Desk:
    """The desk as it was left; an empty one at the first start, or when it cannot be read."""
    try:
        told = state.read("session")
        return _desk(told) if told is not None else Desk()
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("what was open last cannot be told: %s", error)
    return Desk()


def _desk(told: Any) -> Desk:
    desk = state.known(Desk, told | {"places": [state.known(Place, place) for place in told["places"]]})
    for row in fields(Desk):
        if type(getattr(desk, row.name)) is not type(getattr(Desk(), row.name)):
            raise TypeError(f"{row.name} cannot be that")
    return desk


def save(desk: Desk) -> None:
    """Remember ``desk``."""
    state.write("session", asdict(desk))
