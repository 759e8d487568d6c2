"""The files that were opened lately."""

import logging
from pathlib import Path

from palimpsest.app import state

log = logging.getLogger(__name__)

MOST = 30


def files() -> list[Path]:
    """Those that are still there, the one opened last first."""
    return [path for path in _remembered() if path.is_file()]


def add(path: Path) -> None:
    """``path`` was opened now."""
    paths = [path, *(known for known in _remembered() if known != path)]
    state.write("recent", [str(known) for known in paths[:MOST]])


def _remembered() -> list[Path]:
    try:
        return [Path(name) for name in state.read("recent") or []]
    except (OSError, ValueError, TypeError) as error:
        log.warning("recent files cannot be told: %s", error)
        return []
