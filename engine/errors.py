"""What can go wrong, each kind with a sentence that says what the user can do."""

from palimpsest.engine.language import tr


class EngineError(Exception):
    """Base of all errors the engine raises on purpose; ``str()`` is one sentence for the user."""


def sentence(error: Exception) -> str:
    """What to tell the user of any error: its own sentence, or for one that nobody foresaw, its kind."""
    if isinstance(error, EngineError):
        return str(error)
    return tr(
        "The engine failed ({name}: {error}). Your text is untouched; please report this.",
        name=type(error).__name__,
        error=error,
    )


class CheckpointError(EngineError):
    """The model's files are missing, damaged, or of another architecture."""


class RequestError(EngineError):
    """What was asked cannot be done: nothing selected, too long, or an option out of range."""


class PictureError(EngineError):
    """A picture cannot be read: not one, damaged, locked, or larger than is safe."""


class LostError(EngineError):
    """The process that computes has ended by itself; the next fill starts another."""


class ServerError(EngineError):
    """A server cannot be reached, refuses (with an HTTP ``status``), or answers with what is no answer."""

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status
