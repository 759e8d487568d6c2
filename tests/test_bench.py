"""The benchmark for GPUs, run in small where there is none: a card is lent for minutes, and it must work at once."""

from dataclasses import replace

import pytest
import torch

from palimpsest.engine import PRECISIONS, bench, bench_gpu, loading
from palimpsest.engine.device import pick_device
from palimpsest.engine.kernels import operators, reference
from palimpsest.engine.training.architecture import SIZES, config

CPU = torch.device("cpu")


def predict(hidden, table, cap, temperature, _seed, scale, kept):
    return reference.predict(hidden, table, cap, temperature, torch.rand(len(hidden), len(table)), scale, kept)


def test_the_whole_report_in_small(tiny, monkeypatch):
    monkeypatch.setattr(bench_gpu, "RUNS", 1)
    small = config(tiny.tokenizer, replace(SIZES["nano"], layers=2))
    shapes = {"widths": (16,), "batches": (1, 2), "prefixes": (64,), "square": 64}
    report = bench_gpu.measure(small, CPU, torch.float32, predict, **shapes)
    assert report["steps"].keys() == {f"{precision} 16x{batch}" for precision in PRECISIONS for batch in (1, 2)}
    wrong = {name: value for name, value in report["errors"].items() if value > 1e-4}
    assert wrong.keys() <= {"sampler expected"}  # from logits in bf16, as transformers has it
    assert report["errors"]["sampler expected"] < 0.02
    assert report["transformers"]["ms"] > 0


def test_random_weights_are_the_same_for_every_precision(tiny):
    """What differs between two precisions is what packing loses, and nothing else."""
    small = config(tiny.tokenizer, replace(SIZES["nano"], layers=2))
    plain, packed = (bench_gpu.invented(small, precision, CPU, torch.float32) for precision in ("bf16", "fp8"))
    ids = torch.arange(32)[None]
    logits = [model.decode(bench_gpu._read(model, 8), ids, ids >= 0, None) for model in (plain, packed)]
    assert 0 < (logits[0] - logits[1]).norm() / logits[0].norm() < 0.2


def test_the_released_model_has_the_published_size():
    shapes = loading.expected(loading.empty(bench_gpu.released(), CPU))
    decoder = {name: shape for name, shape in shapes.items() if ".decoder." in name}
    assert sum(shape.numel() for shape in decoder.values()) == pytest.approx(25.25e9, rel=0.001)
    assert shapes["model.decoder.layers.0.experts.gate_up_proj"] == (128, 1408, 2816)
    assert "model.decoder.layers.5.self_attn.v_proj.weight" not in shapes
    assert loading.size_of(shapes, "int4") < 16.1e9


@pytest.mark.skipif(operators.missing(pick_device()[0]) is None, reason="there is a GPU: it would be measured")
def test_without_a_gpu_it_says_so(capsys):
    assert bench.gpu(["int4"], None) == 1
    assert "no GPU to measure" in capsys.readouterr().err
