"""A model with a vision tower is shown pictures: as transformers' own classes read them, before the text.

The weights are random: what is written says nothing, but it is computed as the released model's would be.
"""

import io
import json
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from printed import font
from transformers import DynamicCache
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from conftest import answered, drained
from palimpsest.engine import DETAILS, Draft, Fill, Options, Picture, Reading, RequestError, open_backend, sight
from palimpsest.engine.local import LocalBackend
from palimpsest.engine.model import load_model
from palimpsest.engine.sight import Gallery, budget

OPTIONS = Options(seed=1, length=6, max_steps=4)


def noise(seed: int, width: int = 96, height: int = 48, second: int | None = None) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Picture(file.getvalue(), second)


@pytest.fixture(scope="module", params=[None, "vision"])
def folder(request, chatty_folder, tmp_path_factory):
    """A checkpoint that sees; the soft tokens of a picture see each other, as in larger models, or only back."""
    place = tmp_path_factory.mktemp("seeing") / "model"
    shutil.copytree(chatty_folder, place)
    Gemma4ImageProcessorPil().save_pretrained(place)
    config = json.loads((place / "config.json").read_text())
    config["text_config"]["use_bidirectional_attention"] = request.param
    (place / "config.json").write_text(json.dumps(config))
    return place


def test_what_is_read_is_what_transformers_reads(folder):
    model = load_model(folder)
    pictures = [noise(1), noise(2, 480, 480), noise(3, second=0), noise(4, second=61)]
    gallery = Gallery(model, pictures)
    said = [model.token(name) for name in ("<bos>", "<|turn>")]
    ids = [*said, *gallery.shown, *range(300, 320)]
    assert list(gallery.look()) == [Reading(number, 4) for number in range(4)]
    prefix, _ = drained(gallery.read(ids))
    network: Any = model.network
    encoder, cache, told = network.model.encoder, DynamicCache(), torch.tensor([ids])
    kinds = (told == network.config.image_token_id).int()
    seen = []
    for one, most in zip(pictures, (70, 140, 70, 70), strict=True):
        processor: Any = Gemma4ImageProcessorPil()
        processed = processor(Image.open(io.BytesIO(one.file)), max_soft_tokens=most, return_tensors="pt")
        values = processed["pixel_values"].to(network.dtype)
        seen.append(encoder.get_image_features(values, processed["image_position_ids"], return_dict=True).pooler_output)
    embedded = encoder.language_model.embed_tokens(told)
    embedded = embedded.masked_scatter((kinds == 1)[..., None], torch.cat(seen).to(embedded.dtype))
    positions = torch.arange(len(ids))[None]
    masks = encoder.create_masks_for_generate(
        config=network.config.text_config,
        inputs_embeds=embedded,
        attention_mask=None,
        past_key_values=cache,
        position_ids=positions,
        mm_token_type_ids=kinds,
    )
    with torch.inference_mode():
        encoder.language_model(
            attention_mask=masks, position_ids=positions, past_key_values=cache, inputs_embeds=embedded, use_cache=True
        )
    assert prefix.length == len(ids)
    read: list[Any] = cache.layers
    for ours, theirs, window in zip(prefix.layers, read, model.windows, strict=True):
        last = len(ids) if window is None else window - 1
        assert torch.allclose(ours.keys[:, :, -last:].float(), theirs.keys[:, :, -last:].float(), atol=0.05, rtol=0.02)
        error = (ours.values[:, :, -last:] - theirs.values[:, :, -last:]).abs().mean()
        assert error < 0.01 * theirs.values.abs().mean() + 1e-3


def test_what_is_written_depends_on_what_is_seen(folder):
    backend = open_backend(checkpoint=folder)
    backend.load()
    texts = []
    for pictures in ((noise(1),), (noise(1),), (noise(2),), (noise(1), noise(2)), ()):
        fill = Fill("It shows ", ".\n", "a thing", "Describe it", options=OPTIONS, pictures=pictures)
        progress, done = answered(backend, fill)
        assert any(isinstance(event, Draft) for event in progress)
        assert bool(pictures) or not any(isinstance(event, Reading) and not event.done for event in progress)
        texts.append(done.text)
    assert texts[0] == texts[1]
    assert len(set(texts)) == 4
    backend.close()


def test_without_a_selection_it_is_written_at_the_caret(folder):
    backend = open_backend(checkpoint=folder)
    backend.load()
    _, done = answered(backend, Fill("", "", instruction="Describe this", options=OPTIONS, pictures=(noise(3),)))
    assert done.tokens
    backend.close()


def test_a_checkpoint_without_a_processor_of_pictures_does_not_see(chatty_folder):
    backend = open_backend(checkpoint=chatty_folder)
    backend.load()
    with pytest.raises(RequestError, match="sees no pictures"):
        answered(backend, Fill("", "", instruction="Describe this", options=OPTIONS, pictures=(noise(3),)))
    backend.close()


def test_frames_of_a_video_stand_behind_their_times(folder):
    model = load_model(folder)
    gallery = Gallery(model, [noise(1, second=0), noise(2, second=61)])
    config: Any = model.network.config
    begin, end = config.boi_token_id, config.eoi_token_id
    first, second = gallery.shown.index(begin), len(gallery.shown) - gallery.shown[::-1].index(begin) - 1
    assert model.detokenizer.text(gallery.shown[:first]) == "00:00 "
    assert model.detokenizer.text(gallery.shown[gallery.shown.index(end) + 1 : second]) == " 01:01 "
    assert len(gallery.shown[second:]) - 2 <= DETAILS[0]


@pytest.mark.parametrize("detail", DETAILS[:3])  # for more, this checkpoint knows too few places
def test_a_picture_gets_as_many_tokens_as_it_is_told(folder, detail):
    gallery = Gallery(load_model(folder), [noise(1, 200, 200)], detail)
    assert 0.75 * detail < len(gallery.shown) - 2 <= detail


def test_pictures_are_looked_at_once_for_all_that_is_asked_of_them(folder, monkeypatch):
    backend = LocalBackend(folder)
    backend.load()
    looked = []
    monkeypatch.setattr(sight, "_seen", lambda *told, look=sight._seen: looked.append(told) or look(*told))
    for detail, instruction in ((None, "Describe this"), (None, "Count these"), (140, "Count these")):
        options = replace(OPTIONS, detail=detail)
        answered(backend, Fill("", "", instruction=instruction, options=options, pictures=(noise(3),)))
    assert len(looked) == 2
    backend.close()


def test_what_was_left_while_it_was_looked_at_is_gone_on_with(folder):
    gallery = Gallery(load_model(folder), [noise(1), noise(2), noise(3)])
    looking = gallery.look()
    assert [next(looking), next(looking)] == [Reading(0, 3), Reading(1, 3)]
    looking.close()
    assert [*gallery.look()] == [Reading(1, 3), Reading(2, 3)]
    assert [*gallery.look()] == []


def test_more_than_the_model_reads_is_refused_before_it_is_looked_at(folder):
    model = load_model(folder)
    count = model.prefix_limit // 60
    with pytest.raises(RequestError, match=r"The images are \d+ tokens and this model reads \d+: show fewer, or"):
        Gallery(model, [noise(1, second=second) for second in range(count)])


@pytest.mark.parametrize("file", [b"", b"\x89PNG damaged", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_picture_is_told(folder, file):
    with pytest.raises(RequestError, match="A picture cannot be read"):
        Gallery(load_model(folder), [Picture(file)])


def texture(blur: float) -> Image.Image:
    grain = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
    return Image.fromarray(grain).filter(ImageFilter.GaussianBlur(blur))


def sheet(size: int, width: int, height: int) -> Image.Image:
    """A page full of writing of so many pixels."""
    page = Image.new("RGB", (width, height), "white")
    face, line = font("JetBrainsMono-Regular", size), "every good boy deserves figs " * 20
    for top in range(0, height, 2 * size):
        ImageDraw.Draw(page).text((0, top), line, "black", face)
    return page


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (sheet(12, 400, 400), 70),  # as large as it is
        (sheet(12, 1600, 1200), 1120),
        (sheet(16, 1600, 1200), 560),
        (sheet(24, 1600, 1200), 280),
        (sheet(60, 1600, 1200), 70),
        (Image.new("RGB", (1600, 1200), "teal"), 280),  # without writing, as is usual
        (texture(1), 280),
        (texture(2), 280),
        (texture(5), 280),
    ],
)
def test_a_picture_gets_as_many_tokens_as_its_writing_needs(picture, expected):
    assert budget(picture, 48) == expected
