"""What the editor keeps for itself between two starts: JSON files in the user's state folder."""

import json
import logging
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from platformdirs import user_state_path

log = logging.getLogger(__name__)

T = TypeVar("T")


def file(name: str) -> Path:
    """Where ``name`` is kept."""
    return user_state_path("palimpsest") / f"{name}.json"


def read(name: str) -> Any:
    """What was written as ``name``; None if nothing was. Raises OSError and ValueError."""
    try:
        return json.loads(file(name).read_text("utf-8"))
    except FileNotFoundError:
        return None


def known(kind: type[T], told: dict[str, Any]) -> T:
    """A dataclass of what was kept, without what only another version knows. Raises TypeError where something lacks."""
    return kind(**{row.name: told[row.name] for row in fields(cast(Any, kind)) if row.name in told})


def write(name: str, told: Any) -> None:
    """Keep ``told``; when that fails the log says so, and what was kept before stays."""
    try:
        file(name).parent.mkdir(parents=True, exist_ok=True)
        part = file(name).with_suffix(".part")
        part.write_text(json.dumps(told), "utf-8")
        part.replace(file(name))
    except OSError as error:
        log.warning("%s cannot be remembered: %s", name, error)
