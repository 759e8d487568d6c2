"""The mixture of experts on a GPU: about sixteen tokens of a canvas per expert, so reading weights is what costs.

1. *route*: sort the pairs of token and expert by expert. No host sync, so the step can be captured in a graph.
2. *gate_up*: one block of an expert's rows against a tile of its gates and ups; tanh-GELU(gate) * up in registers.
3. *down*: the same against its second matrix, times the router's weight, one row for every pair.
4. The rows of each token are summed in a fixed order: the same bits every time.

The grid has room for any routing; surplus blocks end at once.

Shapes: T tokens, K experts of each, P = T K pairs, E experts, H hidden, I width of an expert. Tiles: ROWS x COLUMNS,
INNER along the sum.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
# (the language of Triton's kernels is not Python's)

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from palimpsest.engine.kernels.formats import Packed
from palimpsest.engine.kernels.product import by_row, compute_type, load, multiply, operands, whole

CHUNK = 2048  # pairs a routing program reads at a time


@dataclass(frozen=True)
class Tile:
    """The shape of a product's tile, and how it runs."""

    columns: int
    inner: int
    warps: int = 4
    stages: int = 3  # with a fourth, bf16 takes more shared memory than sm_86 and sm_89 have


GATE_UP = Tile(columns=64, inner=128)
DOWN = Tile(columns=128, inner=64)


@triton.jit
def _route(index, order, starts, pairs, EXPERTS: tl.constexpr, SIZE: tl.constexpr):
    """Program e writes where the pairs of expert e begin, and which they are, in order; the last one where all end."""
    expert = tl.program_id(0)
    begin = 0
    for at in range(0, pairs, SIZE):
        place = at + tl.arange(0, SIZE)
        chosen = tl.load(index + place, mask=place < pairs, other=EXPERTS)
        begin += tl.sum((chosen < expert).to(tl.int32))
    tl.store(starts + expert, begin)
    if expert < EXPERTS:
        for at in range(0, pairs, SIZE):
            place = at + tl.arange(0, SIZE)
            mine = tl.load(index + place, mask=place < pairs, other=EXPERTS) == expert
            rank = tl.cumsum(mine.to(tl.int32), 0) - 1
            tl.store(order + begin + rank, place, mask=mine)
            begin += tl.sum(mine.to(tl.int32))


@triton.jit
def _block(starts, EXPERTS: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr):
    """The expert of this block, its first row among the sorted pairs, and where that expert's rows end."""
    block = tl.program_id(1)
    experts = tl.arange(0, PADDED)
    first = tl.load(starts + experts, mask=experts < EXPERTS, other=0)
    last = tl.load(starts + experts + 1, mask=experts < EXPERTS, other=0)
    blocks = (last - first + ROWS - 1) // ROWS
    upto = tl.cumsum(blocks, 0)
    expert = tl.sum((upto <= block).to(tl.int32))
    mine = experts == expert  # none, for a surplus block
    earlier = tl.sum(tl.where(mine, upto - blocks, 0))
    row = tl.sum(tl.where(mine, first, 0)) + (block - earlier) * ROWS
    return expert, row, tl.sum(tl.where(mine, last, 0))


@triton.jit
def _gate_up(
    hidden, order, starts, values, scale, offset, out,
    H: tl.constexpr, I: tl.constexpr, K: tl.constexpr, EXPERTS: tl.constexpr, PADDED: tl.constexpr,
    FORMAT: tl.constexpr, GROUP: tl.constexpr, COMPUTE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    expert, row, end = _block(starts, EXPERTS, PADDED, ROWS)
    if row >= end:
        return
    rows = row + tl.arange(0, ROWS)
    valid = rows < end
    token = tl.load(order + rows, mask=valid, other=0) // K
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < I
    gates = expert.to(tl.int64) * 2 * I + tl.where(inside, column, 0)
    ups = gates + I
    gate = tl.zeros((ROWS, COLUMNS), tl.float32)
    up = tl.zeros((ROWS, COLUMNS), tl.float32)
    inputs = hidden + token.to(tl.int64)[:, None] * H
    for k in range(0, H, INNER):
        low, high = load(inputs, valid, k, FORMAT, COMPUTE, INNER)
        gate = multiply(gate, low, high, values, scale, offset, gates, k, H, FORMAT, GROUP, COMPUTE, INNER)
        up = multiply(up, low, high, values, scale, offset, ups, k, H, FORMAT, GROUP, COMPUTE, INNER)
    gate, up = by_row(gate, scale, gates, FORMAT), by_row(up, scale, ups, FORMAT)
    # gelu(gate), tanh form: gate * sigmoid(2 z)
    z = 0.7978845608028654 * (gate + 0.044715 * gate * gate * gate)
    result = gate * tl.sigmoid(2 * z) * up
    place = rows.to(tl.int64)[:, None] * I + column[None, :]
    tl.store(out + place, result.to(out.dtype.element_ty), mask=valid[:, None] & inside[None, :])


@triton.jit
def _down(
    inner, order, starts, router, values, scale, offset, out,
    H: tl.constexpr, I: tl.constexpr, EXPERTS: tl.constexpr, PADDED: tl.constexpr,
    FORMAT: tl.constexpr, GROUP: tl.constexpr, COMPUTE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    expert, row, end = _block(starts, EXPERTS, PADDED, ROWS)
    if row >= end:
        return
    rows = row + tl.arange(0, ROWS)
    valid = rows < end
    pair = tl.load(order + rows, mask=valid, other=0)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < H
    own = expert.to(tl.int64) * H + tl.where(inside, column, 0)
    inputs = inner + rows.to(tl.int64)[:, None] * I
    result = whole(inputs, valid, values, scale, offset, own, I, FORMAT, GROUP, COMPUTE, ROWS, COLUMNS, INNER)
    result *= tl.load(router + pair, mask=valid, other=0.0)[:, None].to(tl.float32)
    place = pair.to(tl.int64)[:, None] * H + column[None, :]
    tl.store(out + place, result.to(out.dtype.element_ty), mask=valid[:, None] & inside[None, :])


def rows_per_block(tokens: int) -> int:
    """The height of a block: about what one expert gets of so many tokens."""
    return 16 if tokens <= 128 else 32 if tokens <= 256 else 64


def blocks_at_most(pairs: int, experts: int, rows: int) -> int:
    """How many blocks of ``rows`` the worst routing of ``pairs`` takes."""
    used = min(pairs, experts)  # with one pair each
    return used + (pairs - used) // rows


def route(index: Tensor, experts: int) -> tuple[Tensor, Tensor]:
    """The pairs of ``index`` (T K) by expert (P), and where each expert's begin and the last one's end (E+1)."""
    pairs = index.numel()
    order = torch.empty(pairs, dtype=torch.int32, device=index.device)
    starts = torch.empty(experts + 1, dtype=torch.int32, device=index.device)
    size = min(CHUNK, triton.next_power_of_2(pairs))
    _route[(experts + 1,)](index, order, starts, pairs, EXPERTS=experts, SIZE=size)
    return order, starts


def experts(hidden: Tensor, index: Tensor, weights: Tensor, gate_up: Packed, down: Packed) -> Tensor:
    """As ``reference.experts``; result and products in the type of ``hidden``, sums in fp32. T H -> T H"""
    (tokens, width), top_k = hidden.shape, index.shape[1]
    number, _, inner = down.shape
    pairs, rows = tokens * top_k, rows_per_block(tokens)
    order, starts = route(index, number)
    activated = hidden.new_empty(pairs, inner)
    written = hidden.new_empty(tokens, top_k, width)
    common = {
        "H": width, "I": inner, "EXPERTS": number, "PADDED": triton.next_power_of_2(number),
        "COMPUTE": compute_type(hidden), "ROWS": rows,
    }  # fmt: skip
    blocks = blocks_at_most(pairs, number, rows)
    tile = GATE_UP
    _gate_up[(triton.cdiv(inner, tile.columns), blocks)](
        hidden.contiguous(), order, starts, *operands(gate_up), activated, K=top_k, COLUMNS=tile.columns,
        **gate_up.kernel(tile.inner), **common, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    tile = DOWN
    _down[(triton.cdiv(width, tile.columns), blocks)](
        activated, order, starts, weights.contiguous(), *operands(down), written, COLUMNS=tile.columns,
        **down.kernel(tile.inner), **common, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return written.sum(1)
