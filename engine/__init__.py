"""Text in, drafts out: the public face of the engine. Importing it loads no torch."""

from palimpsest.engine.backend import Backend, open_backend
from palimpsest.engine.engine import LOADING, Engine
from palimpsest.engine.errors import CheckpointError, EngineError, RequestError, sentence
from palimpsest.engine.request import (
    Alternative,
    Done,
    Draft,
    Event,
    Failed,
    Fill,
    Hole,
    Options,
    Progress,
    Reading,
    Ready,
    Stopped,
    Thought,
    Written,
    reopen,
    unsure,
)

__all__ = [
    "LOADING",
    "Alternative",
    "Backend",
    "CheckpointError",
    "Done",
    "Draft",
    "Engine",
    "EngineError",
    "Event",
    "Failed",
    "Fill",
    "Hole",
    "Options",
    "Progress",
    "Reading",
    "Ready",
    "RequestError",
    "Stopped",
    "Thought",
    "Written",
    "open_backend",
    "reopen",
    "sentence",
    "unsure",
]
