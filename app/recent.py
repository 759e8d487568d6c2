"""The files that were opened lately."""

import logging
from pathlib import Path

from palimpsest.app import state

log = logging.getLogger(__name__)

MOST = 30


def files() -> list[Path]:
    """Those that are still there, the one opened last first; meant for a thread, as a disk may be far away."""
    return [path for path in remembered() if path.is_file()]


def add(path: Path) -> None:
    """``path`` was opened now."""
    paths = [path, *(known for known in remembered() if known != path)]
    state.write("recent", [str(known) for known in paths[:MOST]])


def remembered() -> list[Path]:
    """The same, there or not."""
    try:
        return [Path(name) for name in state.read("recent") or []]
    except (OSError, ValueError, TypeError) as error:
        log.warning("recent files cannot be told: %s", error)
        return []
