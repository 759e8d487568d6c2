"""Pictures before the eyes of a model that has a vision tower: how many soft tokens each gets, and reading a prefix
that holds some.

Shapes: N soft tokens, C width.
"""

import io
import math
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from palimpsest.engine.cache import Prefix, PrefixCache
from palimpsest.engine.errors import RequestError
from palimpsest.engine.language import tr
from palimpsest.engine.model import Model
from palimpsest.engine.request import Reading

BUDGETS = (70, 140, 280, 560, 1120)  # soft tokens that a picture may get (model card of Gemma 4)
PROCESSORS = ("preprocessor_config.json", "processor_config.json")  # a checkpoint that sees has one of them


def budget(width: int, height: int, side: int) -> int:
    """The least of BUDGETS for a picture of that size, of which a soft token sees ``side`` by ``side`` pixels."""
    whole = math.ceil(width / side) * math.ceil(height / side)
    return next((one for one in BUDGETS if one >= whole), BUDGETS[-1])


class Gallery:
    """Pictures (PNG files), and what reads the prefixes of their fill as a shelf does: whole, since the soft tokens of
    a picture see each other, keeping only the last. Raises RequestError for a model that does not see.

    ``shown`` are the tokens that stand for the pictures in a conversation.
    """

    def __init__(self, model: Model, pictures: Sequence[bytes]):
        folder = model.folder
        if not (folder and model.chats and any((folder / name).exists() for name in PROCESSORS)):
            raise RequestError(
                tr("{model} sees no pictures: choose another model, or a server whose model does.", model=model.name)
            )
        self._model = model
        seen = [_seen(model, folder, Image.open(io.BytesIO(picture))) for picture in pictures]
        self._seen = torch.cat(seen)
        config: Any = model.network.config
        begin, soft, end = config.boi_token_id, config.image_token_id, config.eoi_token_id
        self.shown: list[int] = [index for one in seen for index in (begin, *[soft] * len(one), end)]
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
def _seen(model: Model, folder: Path, picture: Image.Image) -> Tensor:
    """What the vision tower makes of a picture. N C"""
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil  # seldom needed

    processor: Any = Gemma4ImageProcessorPil.from_pretrained(folder)
    most = budget(*picture.size, processor.patch_size * processor.pooling_kernel_size)
    told = processor(picture.convert("RGB"), max_soft_tokens=most, return_tensors="pt").to(model.device)
    encoder: Any = model.network.model.encoder
    features = encoder.get_image_features(
        told["pixel_values"].to(model.network.dtype), told["image_position_ids"], return_dict=True
    )
    return features.pooler_output
