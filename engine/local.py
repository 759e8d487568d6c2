"""The model on this machine: text -> tokens -> denoise -> text."""

import dataclasses
import secrets
import time
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path

import torch

from palimpsest.engine import prompt
from palimpsest.engine.canvas import Canvas, hole_length, lay_out
from palimpsest.engine.denoise import Step, denoise
from palimpsest.engine.detokenize import Detokenizer
from palimpsest.engine.device import leave_a_core
from palimpsest.engine.model import Model, load_model
from palimpsest.engine.request import Done, Draft, Fill, Ready


class LocalBackend:
    """Fills by a checkpoint folder on this machine, by default the shipped one."""

    def __init__(self, checkpoint: str | Path | None = None):
        self._checkpoint = checkpoint
        self._model: Model | None = None

    def load(self) -> Ready:
        leave_a_core()
        self._model = load_model(self._checkpoint)
        return Ready(self._model.name, str(self._model.device))

    def close(self) -> None:
        self._model = None

    def fill(self, fill: Fill) -> Generator[Draft | Done, None, None]:
        """Yield a Draft per denoising step and a Done. Raises RequestError for what does not fit."""
        model = self._model
        if model is None:
            raise RuntimeError("load() comes before fill()")
        began = time.monotonic()
        seed = secrets.randbits(31) if fill.options.seed is None else fill.options.seed
        # 1. Text -> prefix and canvas.
        asked = prompt.build(fill, model.tokenizer, model.prefix_limit, model.canvas_limit)
        length = fill.options.length or hole_length(
            len(asked.selected) if fill.selected.strip() else 0, model.canvas_limit, model.delete is not None
        )
        canvas = lay_out(asked.left, length, asked.right, model.canvas_limit, model.eos).to(model.device)
        # 2. Denoise; every step is a draft.
        detokenizer = Detokenizer(model.tokenizer, model.eos)
        text, tokens, step = "", 0, None
        for step in self._steps(model, asked.prefix, canvas, fill.options.max_steps, seed):
            ids, sure = step.ids[canvas.free].tolist(), step.confidence[canvas.free].tolist()
            text, settled, tokens = detokenizer.text(ids, sure)
            yield Draft(text, settled, step.number, fill.options.max_steps or model.schedule.max_steps)
        yield Done(text, step.number if step else 0, tokens, time.monotonic() - began, seed)

    def _steps(self, model: Model, prefix: list[int], canvas: Canvas, limit: int | None, seed: int) -> Iterator[Step]:
        schedule = dataclasses.replace(model.schedule, max_steps=limit) if limit else model.schedule
        decode = partial(model.decode, model.encode(prefix))
        generator = torch.Generator(model.device).manual_seed(seed)
        return denoise(decode, canvas, schedule, model.vocabulary, generator, marked=model.delete is not None)
