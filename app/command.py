"""What the commands without a window have in common."""

import sys
from collections.abc import Callable

from palimpsest.engine import EngineError


def carried_out(do: Callable[[], int], stopped: str) -> int:
    """The exit code of ``do``; errors become one sentence on standard error, and so does Ctrl+C, by ``stopped``."""
    try:
        return do()
    except EngineError as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"palimpsest: stopped; {stopped}", file=sys.stderr)
        return 130


def itself(*words: str) -> list[str]:
    """What runs ``palimpsest`` with these words as a process of its own."""
    here = [] if getattr(sys, "frozen", False) else ["-P", "-m", "palimpsest.app.main"]
    return [sys.executable, *here, *words]
