"""Weight formats: what they lose, and a whole model in each of them beside itself unpacked."""

from typing import Any

import pytest
import torch

from conftest import REAL_FILE, answered, drained
from palimpsest.engine import PRECISIONS, Fill, Options, quant
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.kernels.formats import FORMATS, Packed, block, pack, unpack
from palimpsest.engine.local import LocalBackend
from palimpsest.engine.model import load_model
from palimpsest.engine.writing import Writing

# Relative error (Frobenius) on Gaussian weights, and on weights with heavy tails (Student's t of five degrees).
LOST = {"bf16": (0.0, 0.0), "fp8": (0.027, 0.027), "int8": (0.010, 0.018), "int4": (0.088, 0.110)}


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_format_loses(format):
    torch.manual_seed(0)
    gauss = torch.randn(64, 1408)
    heavy = torch.distributions.StudentT(5.0).sample((64, 1408))
    for weight, most in zip((gauss, heavy), LOST[format], strict=True):
        assert (unpack(pack(weight, format)) - weight).norm() / weight.norm() <= most


def test_int4_beats_a_plain_range():
    """The scale and offset by least squares lose less than those of the least and the greatest weight."""
    torch.manual_seed(0)
    weight = torch.randn(64, 1408)
    groups = weight.unflatten(-1, (-1, 64))
    least, most = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    scale = (most - least) / 15
    plain = (((groups - least) / scale).round() * scale + least).flatten(-2)
    assert (unpack(pack(weight, "int4")) - weight).norm() < 0.97 * (plain - weight).norm()


@pytest.mark.parametrize("columns", [32, 64, 96, 128, 704, 2816])
def test_int4_puts_every_column_back(columns):
    """Weights that four bits hold exactly, each column different."""
    group = 64 if columns % 64 == 0 else 32
    levels = torch.arange(columns) % 16
    weight = (levels - 3.0 + (torch.arange(columns) // group))[None].expand(2, -1)
    packed = pack(weight, "int4")
    assert packed.group == group
    assert packed.values.shape == (2, columns // 2)
    torch.testing.assert_close(unpack(packed), weight, rtol=0, atol=0.05)
    assert columns % block(columns, group) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_rows_of_zeros_stay_zeros(format):
    assert not unpack(pack(torch.zeros(2, 3, 64), format)).any()


def test_a_stack_is_packed_as_its_matrices_are():
    torch.manual_seed(0)
    stack = torch.randn(3, 8, 64)
    for format in FORMATS:
        packed = pack(stack, format)
        assert isinstance(packed, Packed)
        assert torch.equal(unpack(packed[1]), unpack(pack(stack[1], format)))


def test_columns_that_four_bits_do_not_fit():
    with pytest.raises(CheckpointError, match="72 columns"):
        pack(torch.zeros(2, 72), "int4")


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("model.decoder.layers.3.experts.gate_up_proj", ("bf16", "fp8", "int4")),
        ("model.decoder.layers.3.experts.down_proj", ("bf16", "fp8", "int4")),
        ("model.decoder.layers.3.self_attn.q_proj.weight", ("bf16", "fp8", "int8")),
        ("model.decoder.layers.3.mlp.down_proj.weight", ("bf16", "fp8", "int8")),
        ("model.decoder.self_conditioning.up_proj.weight", ("bf16", "fp8", "int8")),
        ("model.decoder.layers.3.router.proj.weight", ("bf16", "bf16", "bf16")),
        ("model.decoder.layers.3.input_layernorm.weight", ("bf16", "bf16", "bf16")),
        ("model.decoder.embed_tokens.weight", ("bf16", "bf16", "bf16")),
        ("model.encoder.vision_tower.encoder.layers.0.mlp.up_proj.linear.weight", ("bf16", "bf16", "bf16")),
    ],
)
def test_which_weight_takes_which_format(name, formats):
    assert tuple(quant.format_of(name, precision) for precision in PRECISIONS) == formats


@pytest.mark.parametrize(("precision", "agreeing", "longer"), [("fp8", 0.95, 1.2), ("int4", 0.95, 1.3)])
def test_the_whole_model_packed_beside_itself(mini, precision, agreeing, longer, monkeypatch):
    """The likeliest tokens agree on fixed canvases, and fills take hardly more steps."""
    packed = load_model(precision=precision)
    network: Any = packed.network.model
    layer = network.decoder.layers[0]
    assert isinstance(layer.experts.gate_up_proj, quant.PackedWeight)
    assert isinstance(layer.mlp.gate_proj, quant.PackedLinear)
    assert network.encoder.language_model.layers[0].mlp.gate_proj is layer.mlp.gate_proj
    own, other = likeliest(mini), likeliest(packed)
    assert (own == other).float().mean() >= agreeing
    monkeypatch.setattr(Writing, "_fits", lambda *_: True)  # one race each
    assert steps(packed) <= longer * steps(mini)


def likeliest(model):
    """The likeliest tokens of sixteen canvases of real text, a third of it noise, behind the text before."""
    generator = torch.Generator().manual_seed(0)
    ids = model.tokenizer.encode(REAL_FILE.read_text(), add_special_tokens=False).ids
    prefix, _ = drained(model.shelf().read(ids[:256]))
    canvas = torch.tensor(ids[256 : 256 + 16 * 32]).view(16, 32)
    noisy = torch.rand(canvas.shape, generator=generator) < 1 / 3
    canvas = torch.where(noisy, torch.randint(model.vocabulary, canvas.shape, generator=generator), canvas)
    return model.decode(prefix, canvas, torch.ones_like(canvas, dtype=torch.bool), None).argmax(-1)


def steps(model):
    """Mean denoising steps of fills of several texts: of a single one they differ by half between the formats."""
    backend = LocalBackend()
    backend.use(model)
    fills = [
        Fill(before, after, options=Options(seed=seed, length=8))
        for before, after in (
            ("def area(width, height):\n    ", "\n\n\nprint(area(2, 3))\n"),
            ("import os\n\n\ndef names(folder):\n    return ", "\n"),
            ("The old man looked at the ", ", and said nothing.\n"),
            ("class Point:\n    def __init__(self, x, y):\n        self.x = ", "\n        self.y = y\n"),
            ("for line in lines:\n    if ", ":\n        continue\n    print(line)\n"),
        )
        for seed in range(6)
    ]
    return sum(answered(backend, fill)[1].steps for fill in fills) / len(fills)
