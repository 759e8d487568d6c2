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
IN_ROWS = 2.5  # times as many letters as by chance stand on a line, at least
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
    """How many pixels high the smaller letters are, if there is writing: blots that stand in rows."""
    import cv2  # as seldom needed as what follows

    from palimpsest.engine.ink import legible, mask

    stats: Any = cv2.connectedComponentsWithStats(mask(legible(np.asarray(picture.convert("RGB")))))[2]
    heights, tops = stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_TOP]
    sized = (heights >= LEGIBLE // 2) & (heights < picture.height // 4)
    heights, bottoms = heights[sized], (tops + heights)[sized]
    if len(heights) < LETTERS:
        return None
    level = np.convolve(np.bincount(bottoms, minlength=picture.height + 1), np.ones(3), "same")
    in_rows = np.median(level[bottoms]) > IN_ROWS * 3 * len(heights) / picture.height
    return float(np.percentile(heights, 25)) if in_rows else None


class Gallery:
    """Pictures, and what reads the prefixes of their fills as a shelf does: whole, since the soft tokens of a picture
    see each other, keeping only the last. Raises RequestError for a model that does not see, or not as much, and for
    what is no picture.

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
        self._unseen = _prepared(folder, pictures, detail)
        self._seen: list[Tensor] = []
        config: Any = model.network.config
        begin, soft, end = config.boi_token_id, config.image_token_id, config.eoi_token_id
        self.shown: list[int] = []
        for picture, one in zip(pictures, self._unseen, strict=True):
            if picture.clock:
                time = f"{' ' if self.shown else ''}{picture.clock} "
                self.shown += model.tokenizer.encode(time, add_special_tokens=False).ids
            self.shown += [begin, *[soft] * int(one["num_soft_tokens_per_image"][0]), end]
        if len(self.shown) > model.prefix_limit:
            raise RequestError(
                tr(
                    "The images are {count} tokens and this model reads {limit}: show fewer, or have it look less "
                    "closely.",
                    count=len(self.shown),
                    limit=model.prefix_limit,
                )
            )
        self._read: tuple[list[int], Prefix] | None = None

    def look(self) -> Generator[Reading, None, None]:
        """Look at the pictures that were not looked at yet."""
        while self._unseen:
            yield Reading(len(self._seen), len(self._seen) + len(self._unseen))
            self._seen.append(_seen(self._model, self._unseen[0]))
            del self._unseen[0]

    def read(self, ids: list[int]) -> Generator[Reading, None, Prefix]:
        """As a shelf reads."""
        if self._read is None or self._read[0] != ids:
            yield Reading(0, len(ids))
            prefix = Prefix(PrefixCache(self._model.windows), 0)
            self._model.encode(prefix, ids, torch.cat(self._seen))
            self._read = ids, prefix
            yield Reading(len(ids), len(ids))
        return self._read[1]


def _prepared(folder: Path, pictures: Sequence[Picture], detail: int | None) -> list[Any]:
    """The pictures as the vision tower takes them."""
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil  # seldom needed

    processor: Any = Gemma4ImageProcessorPil.from_pretrained(folder)
    prepared = []
    for picture in pictures:
        try:
            image = Image.open(io.BytesIO(picture.file), formats=["PNG", "JPEG"]).convert("RGB")
        except (OSError, Image.DecompressionBombError) as error:
            raise RequestError(tr("A picture cannot be read: {error}.", error=error)) from error
        of_video = DETAILS[0] if picture.clock else None  # as the processor of videos has it
        most = detail or of_video or budget(image, processor.patch_size * processor.pooling_kernel_size)
        prepared.append(processor(image, max_soft_tokens=most, return_tensors="pt"))
    return prepared


@torch.inference_mode()
def _seen(model: Model, prepared: Any) -> Tensor:
    """What the vision tower makes of a picture. N C"""
    told = prepared.to(model.device)
    encoder: Any = model.network.model.encoder
    features = encoder.get_image_features(
        told["pixel_values"].to(model.network.dtype), told["image_position_ids"], return_dict=True
    )
    return features.pooler_output
