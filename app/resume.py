"""What was open when the editor was closed is open again at the next start."""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

from platformdirs import user_state_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A caret in a file, line and column from 1."""

    path: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Desk:
    """The files that are open, which of them is in front, and where the window stands (Qt's own bytes, in base64)."""

    places: list[Place] = field(default_factory=list)
    front: int = 0
    geometry: str = ""


def _file() -> Path:
    return user_state_path("palimpsest") / "session.json"


def load() -> Desk:
    """The desk as it was left; an empty one at the first start, or when it cannot be read."""
    try:
        told = json.loads(_file().read_text("utf-8"))
        return Desk(**told | {"places": [Place(**place) for place in told["places"]]})
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("what was open last cannot be told: %s", error)
    return Desk()


def save(desk: Desk) -> None:
    """Remember ``desk``."""
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        part = _file().with_suffix(".part")
        part.write_text(json.dumps(asdict(desk)), "utf-8")
        part.replace(_file())
    except OSError as error:
        log.warning("what is open cannot be remembered: %s", error)
