"""The model on this machine: text -> tokens -> denoise -> text."""

from collections.abc import Generator
from pathlib import Path

from palimpsest.engine.backend import Tell
from palimpsest.engine.cache import Shelf
from palimpsest.engine.captured import Steps
from palimpsest.engine.device import leave_a_core
from palimpsest.engine.kernels import operators
from palimpsest.engine.model import Model, load_model
from palimpsest.engine.request import Denoised, Done, Fill, Progress, Reading, Ready, Seeded
from palimpsest.engine.seeded import denoised
from palimpsest.engine.sight import Gallery
from palimpsest.engine.writing import Writing


class LocalBackend:
    """Fills by a checkpoint folder on this machine, by default the shipped one, with its weights in ``precision``, by
    default the most exact one that fits."""

    def __init__(self, checkpoint: str | Path | None = None, precision: str | None = None):
        self._checkpoint, self._precision = checkpoint, precision
        self._model: Model | None = None
        self._steps: Steps | None = None  # without one, a step is run operation by operation
        self._shelf: Shelf | None = None
        self._gallery: Gallery | None = None  # of the last fill with pictures

    def load(self, tell: Tell = lambda _: None) -> Ready:
        leave_a_core()
        return self.use(load_model(self._checkpoint, self._precision, tell))

    def use(self, model: Model) -> Ready:
        """Fill by ``model`` from now on."""
        self._model, self._shelf, self._gallery = model, model.shelf(), None
        if operators.missing(model.device) is None:
            from palimpsest.engine.kernels.sampler import predict  # Triton only where it is used

            self._steps = Steps(model, predict)
        return Ready(model.name, str(model.device), int(model.network.get_memory_footprint()))

    def close(self) -> None:
        self._model = self._shelf = self._steps = self._gallery = None

    def warm(self, fill: Fill) -> Generator[Reading, None, None]:
        """Read the text before the hole, so that the first draft of this fill comes sooner."""
        yield from (yield from self._writing(fill)).warm()

    def fill(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        """Yield progress, a Draft for every denoising step, and a Done. Raises RequestError for what does not fit."""
        if not fill.pictures:
            self._gallery = None  # it takes as much memory as a long text
        yield from (yield from self._writing(fill)).run()

    def denoise(self, seeded: Seeded) -> Generator[Progress | Denoised, None, None]:
        """Yield progress and a Denoised. Raises RequestError for tokens and widths that the model has not."""
        yield from denoised(*self._loaded, seeded)

    def _writing(self, fill: Fill) -> Generator[Reading, None, Writing]:
        model, shelf = self._loaded
        if not fill.pictures:
            return Writing(model, shelf, fill, self._steps)
        wanted = fill.pictures, fill.options.detail
        if self._gallery is None or self._gallery.hung != wanted:
            self._gallery = None
            self._gallery = Gallery(model, *wanted)
        yield from self._gallery.look()
        return Writing(model, self._gallery, fill, self._steps, self._gallery.shown)

    @property
    def _loaded(self) -> tuple[Model, Shelf]:
        if self._model is None or self._shelf is None:
            raise RuntimeError("load() comes before fill()")
        return self._model, self._shelf
