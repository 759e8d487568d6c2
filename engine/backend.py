"""Who computes: the ``Backend`` protocol and the table of backends, each imported when it is first used."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from palimpsest.engine import environment
from palimpsest.engine.request import Denoised, Done, Fill, Loading, Picture, Progress, Reading, Ready, Seeded

Tell = Callable[[Loading | None], None]


@dataclass(frozen=True)
class Probed:
    """What a server was found to do: ``ways`` is how it fills and what else it can, of WAYS, ``told`` that and how
    fast, in a sentence."""

    ways: tuple[str, ...]
    told: str


class Backend(Protocol):
    """Computes fills. Used by one thread at a time; the consumer that closes the generator cancels the fill."""

    def load(self, tell: Tell = lambda _: None) -> Ready:
        """Make ready to fill; may take minutes. ``tell`` learns of the progress, or with None that there is none yet,
        and may raise to end it. Raises EngineError."""
        ...

    def warm(self, fill: Fill) -> Generator[Reading, None, None]:
        """Get ready for ``fill`` and the like, so that its first draft comes sooner. Raises EngineError."""
        ...

    def fill(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        """Yield progress, the same again while there is none, then one Done. Raises EngineError."""
        ...

    def denoise(self, seeded: Seeded) -> Generator[Progress | Denoised, None, None]:
        """Yield progress, then one Denoised. Raises EngineError."""
        ...

    def close(self) -> None:
        """Give memory and devices back."""
        ...


_BACKENDS = {
    "local": ("palimpsest.engine.local", "LocalBackend"),
    "process": ("palimpsest.engine.process", "ProcessBackend"),
    "remote": ("palimpsest.engine.remote", "RemoteBackend"),
}


def open_backend(name: str = "local", **arguments) -> Backend:
    """The backend called ``name``, not yet loaded."""
    module, kind = _BACKENDS[name]
    return getattr(import_module(module), kind)(**arguments)


def apart(checkpoint: str | Path | None = None, precision: str | None = None) -> Backend:
    """The model in a process of its own, not yet loaded: in the environment that was made for it, if there is one."""
    return open_backend("process", checkpoint=checkpoint, precision=precision, python=environment.python())


def examine(checkpoint: str | Path | None = None) -> dict[str, str]:
    """What this machine offers and what will be used of it, in words. Raises EngineError."""
    return import_module("palimpsest.engine.doctor").examine(checkpoint)


def needs(folder: Path) -> dict[str, int]:
    """For each precision the bytes of memory that a checkpoint takes, by its configuration in ``folder``."""
    return import_module("palimpsest.engine.loading").needs(folder)


def pictures_of(path: Path) -> tuple[Picture, ...]:
    """The picture of a file as ``Fill.pictures`` has it, or those of a short video. Raises PictureError."""
    return import_module("palimpsest.engine.pictures").shown(path)


def sent(fill: Fill) -> str:
    """What a server is told to fill so; one of ours, or with a canvas, gets the same text in parts."""
    return import_module("palimpsest.engine.remote").prompt(fill)


def probe(**arguments) -> Probed:
    """How a server fills and how fast, given what ``open_backend("remote")`` takes. Raises EngineError."""
    return import_module("palimpsest.engine.remote").probe(**arguments)


def serve(
    checkpoint: str | Path | None,
    precision: str | None,
    host: str,
    port: int,
    key: str | None,
    tell: Callable[[Ready, str], None],
) -> None:
    """Let others fill by a checkpoint on this machine, until interrupted. Raises EngineError."""
    import_module("palimpsest.engine.server").serve(checkpoint, precision, host, port, key, tell)
