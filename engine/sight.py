"""Pictures before the eyes of a model that has a vision tower: how many soft tokens each gets, and reading a prefix
that holds some.

Shapes: N soft tokens, C width.
"""

import io
import math
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from palimpsest.engine.cache import Prefix, PrefixCache
from palimpsest.engine.errors import RequestError
from palimpsest.engine.language import tr
from palimpsest.engine.model import Model
from palimpsest.engine.request import DETAILS, Picture, Reading

USUAL = 280  # of DETAILS, for a picture without writing (processor of Gemma 4)
LEGIBLE = 6  # pixels of a letter's height at least
LETTERS = 20  # fewer are no writing
PROCESSORS = ("preprocessor_config.json", "processor_config.json")  # a checkpoint that sees has one of them


def budget(picture: Image.Image, side: int) -> int:
    """The least of DETAILS in which the writing on a picture is legible, where a soft token sees ``side`` by ``side``
    pixels."""
    width, height = picture.size
    scales = {one: min(1.0, side * math.sqrt(one / (width * height))) for one in DETAILS}
    letter = _letter(picture)
    least = min(1.0, LEGIBLE / letter) if letter else scales[USUAL]
    return next((one for one in DETAILS if scales[one] >= least), DETAILS[-1])


def _letter(picture: Image.Image) -> float | None:
    """How many pixels high the smaller letters are, if there is writing."""
    import cv2  # as seldom needed as what follows

    from palimpsest.engine.ink import legible, mask

    _, _, stats, _ = cv2.connectedComponentsWithStats(mask(legible(np.asarray(picture.convert("RGB")))))
    heights = stats[1:, cv2.CC_STAT_HEIGHT]
    heights = heights[(heights >= LEGIBLE // 2) & (heights < picture.height // 4)]
    return float(np.percentile(heights, 25)) if len(heights) >= LETTERS else None


class Gallery:
    """Pictures, and what reads the prefixes of their fills as a shelf does: whole, since the soft tokens of a picture
    see each other, keeping only the last. Raises RequestError for a model that does not see.

    ``shown`` are the tokens that stand for the pictures in a conversation, those of a video each behind its time. Each
    picture gets ``detail`` soft tokens, by default as many as there is to see.
    """

    def __init__(self, model: Model, pictures: Sequence[Picture], detail: int | None = None):
        folder = model.folder
        if not (folder and model.chats and any((folder / name).exists() for name in PROCESSORS)):
            raise RequestError(
                tr("{model} sees no pictures: choose another model, or a server whose model does.", model=model.name)
            )
        self._model, self.hung = model, (pictures, detail)
        seen = [_seen(model, folder, picture, detail) for picture in pictures]
        self._seen = torch.cat(seen)
        config: Any = model.network.config
        begin, soft, end = config.boi_token_id, config.image_token_id, config.eoi_token_id
        self.shown: list[int] = []
        for picture, one in zip(pictures, seen, strict=True):
            if picture.clock:
                time = f"{' ' if self.shown else ''}{picture.clock} "
                self.shown += model.tokenizer.encode(time, add_special_tokens=False).ids
            self.shown += [begin, *[soft] * len(one), end]
        self._read: tuple[list[int], Prefix] | None = None

    def read(self, ids: list[int]) -> Generator[Reading, None, Prefix]:
        """As a shelf reads."""
        if self._read is None or self._read[0] != ids:
            yield Reading(0, len(ids))
            prefix = Prefix(PrefixCache(self._model.windows), 0)
            self._model.encode(prefix, ids, self._seen)
            self._read = ids, prefix
            yield Reading(len(ids), len(ids))
        return self._read[1]


@torch.inference_mode()
def _seen(model: Model, folder: Path, picture: Picture, detail: int | None) -> Tensor:
    """What the vision tower makes of a picture. N C"""
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil  # seldom needed

    processor: Any = Gemma4ImageProcessorPil.from_pretrained(folder)
    image = Image.open(io.BytesIO(picture.png)).convert("RGB")
    of_video = DETAILS[0] if picture.clock else None  # as the processor of videos has it
    most = detail or of_video or budget(image, processor.patch_size * processor.pooling_kernel_size)
    told = processor(image, max_soft_tokens=most, return_tensors="pt").to(model.device)
    encoder: Any = model.network.model.encoder
    features = encoder.get_image_features(
        told["pixel_values"].to(model.network.dtype), told["image_position_ids"], return_dict=True
    )
    return features.pooler_output
