"""Text in, drafts out: the public face of the engine. Importing it loads no torch."""

from palimpsest.engine.backend import Backend, open_backend
from palimpsest.engine.engine import LOADING, Engine
from palimpsest.engine.errors import CheckpointError, EngineError, RequestError, sentence
from palimpsest.engine.request import Done, Draft, Event, Failed, Fill, Options, Ready, Stopped

__all__ = [
    "LOADING",
    "Backend",
    "CheckpointError",
    "Done",
    "Draft",
    "Engine",
    "EngineError",
    "Event",
    "Failed",
    "Fill",
    "Options",
    "Ready",
    "RequestError",
    "Stopped",
    "open_backend",
    "sentence",
]
