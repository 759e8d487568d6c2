"""Every kernel against its twin in plain torch: in Triton's interpreter, or on a GPU where there is one."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
# (the language of Triton's kernels is not Python's)

import os
import subprocess
import sys
from typing import Any

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux")

import triton
import triton.language as tl

from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.kernels import experts, linear, operators, product, reference, sampler
from palimpsest.engine.kernels.formats import FORMATS, FP8, Packed, pack, unpack

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CLOSE: Any = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def random(*shape):
    return torch.randn(shape, device=DEVICE)


def moe(tokens, hidden=64, width=32, number=6, top_k=2):
    """Tokens, their experts and the router's weights, and both matrices of the experts."""
    index = torch.stack([torch.randperm(number, device=DEVICE)[:top_k] for _ in range(tokens)])
    weights = torch.rand(tokens, top_k, device=DEVICE)
    gate_up, down = random(number, 2 * width, hidden) / hidden**0.5, random(number, hidden, width) / width**0.5
    return random(tokens, hidden), index, weights, gate_up, down


@pytest.fixture(autouse=True)
def poisoned():
    """What a kernel does not write is not a number: deterministic torch fills new memory so."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_new_memory_is_poisoned():
    assert torch.empty(3, device=DEVICE).isnan().all()
    assert torch.empty(3, device=DEVICE).new_empty(3).isnan().all()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("tokens", [1, 21])
def test_experts(format, tokens):
    hidden, index, weights, gate_up, down = moe(tokens)
    packed = pack(gate_up, format), pack(down, format)
    wanted = reference.experts(hidden, index, weights, *packed)
    torch.testing.assert_close(experts.experts(hidden, index, weights, *packed), wanted, **CLOSE)


@pytest.mark.parametrize("format", ["bf16", "int4"])
def test_experts_of_odd_sizes(format):
    """Widths that no tile fits, and in int4 both ways to pack a row (one block of 96, three of 32)."""
    hidden, index, weights, gate_up, down = moe(7, hidden=192, width=96, number=3)
    packed = pack(gate_up, format), pack(down, format)
    wanted = reference.experts(hidden, index, weights, *packed)
    torch.testing.assert_close(experts.experts(hidden, index, weights, *packed), wanted, **CLOSE)


def test_experts_when_one_takes_all_and_the_others_are_empty():
    hidden, index, weights, gate_up, down = moe(40, top_k=1)
    index[:] = 4
    packed = pack(gate_up, "bf16"), pack(down, "bf16")
    wanted = reference.experts(hidden, index, weights, *packed)
    torch.testing.assert_close(experts.experts(hidden, index, weights, *packed), wanted, **CLOSE)


def test_routing_keeps_the_order_of_pairs(monkeypatch):
    monkeypatch.setattr(experts, "CHUNK", 8)  # in several readings
    index = torch.randint(5, (13, 2), device=DEVICE)
    order, starts = experts.route(index, 5)
    assert order.tolist() == index.flatten().argsort(stable=True).tolist()
    assert starts.diff().tolist() == index.flatten().bincount(minlength=5).tolist()
    assert int(starts[0]) == 0


@pytest.mark.parametrize(("pairs", "number", "rows"), [(1, 128, 16), (2048, 128, 32), (256, 4, 16), (17, 1, 16)])
def test_there_are_blocks_for_the_worst_routing(pairs, number, rows):
    """All experts but one have a single pair, or as near to it as can be."""
    used = min(pairs, number)
    counts = [1] * (used - 1) + [pairs - used + 1]
    assert sum(-(-count // rows) for count in counts) <= experts.blocks_at_most(pairs, number, rows)


@pytest.mark.parametrize("format", FORMATS)
def test_linear(format):
    inputs, weight = random(3, 7, 96), pack(random(80, 96), format)
    torch.testing.assert_close(linear.linear(inputs, weight), inputs @ unpack(weight).T, **CLOSE)


def test_a_width_that_no_tile_divides_is_refused():
    """A kernel would read past the end of every row, and nothing would tell."""
    with pytest.raises(CheckpointError, match="100 columns"):
        linear.linear(random(4, 100), pack(random(32, 100), "bf16"))
    assert pack(random(4, 704), "bf16").kernel(128)["INNER"] == 64  # 704 is 5.5 times 128


@triton.jit
def _decode(bytes_, out, SIZE: tl.constexpr):  # noqa: N803
    place = tl.arange(0, SIZE)
    tl.store(out + place, product.decode_fp8(tl.load(bytes_ + place)))


def test_fp8_is_decoded_exactly():
    every = torch.arange(256, dtype=torch.uint8, device=DEVICE)
    out = torch.zeros(256, device=DEVICE)
    _decode[(1,)](every, out, SIZE=256)
    wanted = every.view(FP8).float()
    number = ~wanted.isnan()  # nothing packed holds one that is not
    assert torch.equal(out[number], wanted[number])


@triton.jit
def _uniform(out, seed, V: tl.constexpr, SIZE: tl.constexpr):  # noqa: N803
    row, column = tl.program_id(0), tl.arange(0, SIZE)
    tl.store(out + row * V + column, tl.rand(tl.load(seed), row * V + column), mask=column < V)


@pytest.mark.parametrize(
    ("rows", "vocabulary", "width", "kept"), [(3, 777, 64, torch.float32), (20, 300, 96, torch.float16)]
)
def test_sampler(monkeypatch, rows, vocabulary, width, kept):
    monkeypatch.setattr(sampler, "MOST_PARTS", 4)
    hidden, table = random(rows, width), random(vocabulary, width)
    table[7] = table[250]
    hidden[0] = 9 * table[7]  # two tokens are the likeliest, in different parts or tiles
    temperature, seed = torch.tensor([0.6], device=DEVICE), torch.tensor([7], dtype=torch.int32, device=DEVICE)
    uniform = torch.zeros(rows, vocabulary, device=DEVICE)
    _uniform[(rows,)](uniform, seed, vocabulary, triton.next_power_of_2(vocabulary))
    found = sampler.predict(hidden, table, 30.0, temperature, seed, 3.0, kept)
    wanted = reference.predict(hidden, table, 30.0, temperature, uniform, 3.0, kept)
    assert found.likeliest[0] == 7
    for name in ("entropy", "confidence", "expected", "likeliest", "proposal"):
        torch.testing.assert_close(
            getattr(found, name), getattr(wanted, name), **CLOSE, msg=lambda m, n=name: f"{n} {m}"
        )


def test_the_draw_has_the_distribution_of_the_logits():
    """400 equal rows: the frequencies are within five standard errors of the probabilities."""
    rows = 400
    hidden, table = torch.ones(rows, 16, device=DEVICE), random(17, 16) / 4
    temperature, seed = torch.tensor([0.7], device=DEVICE), torch.tensor([3], dtype=torch.int32, device=DEVICE)
    drawn = sampler.predict(hidden, table, 30.0, temperature, seed, 1.0, torch.float32).proposal
    logits = 30 * torch.tanh(hidden[0] @ table.T / 30) / 0.7
    wanted = logits.softmax(-1)
    frequency = drawn.bincount(minlength=17) / rows
    assert ((frequency - wanted).abs() < 5 * (wanted * (1 - wanted) / rows).sqrt()).all()


@pytest.mark.parametrize("format", FORMATS)
def test_operators_pass_a_full_graph_compile(format):
    """The backend that only traces: what a step's graph needs is that nothing breaks it."""
    hidden, index, weights, gate_up, down = moe(5)
    packed = pack(gate_up, format), pack(down, format)
    square = pack(random(64, 64), format)

    def layer(hidden: torch.Tensor) -> torch.Tensor:
        return operators.linear(operators.experts(hidden, index, weights, *packed), square)

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(hidden), layer(hidden), **CLOSE)


def test_compiled_for_cards_that_are_not_here():
    """At the released model's full shapes, no kernel spills or takes more shared memory than such a card has."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "palimpsest.engine.kernels.compile", "--tokens", "256"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("sm_86") >= 19


def test_a_packed_weight_tells_its_size():
    packed = pack(torch.zeros(4, 128), "int4")
    assert (packed.shape, packed.group, packed.nbytes) == ((4, 128), 64, 4 * 64 + 2 * 4 * 2 * 2)
    assert isinstance(packed[0], Packed)
