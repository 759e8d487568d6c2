"""From the last hidden states to all that a denoising step needs, without the logits in fp32 in memory.

1. *statistics*: each program takes some rows and a part of the vocabulary, tile by tile: logits, capped, divided by the
   temperature; running maximum, sums for the entropy and the confidence, the likeliest token, and the best one by
   Gumbel's trick, which is a draw exact in distribution. What conditions the next step is written once.
2. *merge*: the parts of each row. Of equal logits the lowest token counts.
3. *expected*: the softmax of what was written times the embeddings, parts of the vocabulary summed in a fixed order.

Temperature and seed are read from the device, so a captured step can change them.

Shapes: N rows, V vocabulary, C hidden, S parts. Tiles: ROWS x COLUMNS, INNER along the sum.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
# (the language of Triton's kernels is not Python's)

import torch
import triton
import triton.language as tl
from torch import Tensor

from palimpsest.engine.kernels.formats import dividing
from palimpsest.engine.kernels.product import compute_type
from palimpsest.engine.kernels.reference import Prediction

COLUMNS, INNER, WARPS, STAGES = 128, 64, 8, 3
MOST_ROWS = 64  # with more of them *statistics* spills registers
MOST_PARTS = 128  # about the number of multiprocessors of a large card
VALUES = 5  # what a part tells in floats: the maximum, three sums, the best Gumbel


@triton.jit
def _statistics(
    hidden, table, temperature, seed, scaled, values, chosen, height, cap, parts,
    V: tl.constexpr, C: tl.constexpr, COMPUTE: tl.constexpr, PART: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    valid = rows < height
    part = tl.program_id(1)
    cooled = tl.load(temperature)
    inputs = hidden + rows.to(tl.int64)[:, None] * C
    most = tl.full((ROWS,), -float("inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)  # of exp(scaled - most)
    weighted = tl.zeros((ROWS,), tl.float32)  # of that times scaled
    uncooled = tl.zeros((ROWS,), tl.float32)  # of exp(logit - most * temperature)
    drawn = tl.full((ROWS,), -float("inf"), tl.float32)
    likeliest = tl.zeros((ROWS,), tl.int32)
    proposal = tl.zeros((ROWS,), tl.int32)
    for at in range(0, PART, COLUMNS):
        column = part * PART + at + tl.arange(0, COLUMNS)
        inside = column < V
        logits = tl.zeros((ROWS, COLUMNS), tl.float32)
        own = table + tl.where(inside, column, 0).to(tl.int64)[:, None] * C
        for k in range(0, C, INNER):
            place = k + tl.arange(0, INNER)
            states = tl.load(inputs + place[None, :], mask=valid[:, None], other=0.0).to(COMPUTE)
            words = tl.load(own + place[None, :]).to(COMPUTE)
            logits = tl.dot(states, tl.trans(words), logits, input_precision="ieee")
        logits = cap * (2 * tl.sigmoid(2 * logits / cap) - 1)  # tanh
        cool = tl.where(inside[None, :], logits / cooled, -float("inf"))
        where = rows.to(tl.int64)[:, None] * V + column[None, :]
        tl.store(scaled + where, cool.to(scaled.dtype.element_ty), mask=valid[:, None] & inside[None, :])
        # 1. The likeliest, and the sums relative to it.
        top = tl.max(cool, 1)
        first = tl.argmax(cool, 1, tie_break_left=True)
        likeliest = tl.where(top > most, part * PART + at + first, likeliest)
        now = tl.maximum(most, top)
        fade = tl.exp(most - now)
        share = tl.exp(cool - now[:, None])
        total = total * fade + tl.sum(share, 1)
        weighted = weighted * fade + tl.sum(share * tl.where(inside[None, :], cool, 0.0), 1)
        plain = tl.exp((cool - now[:, None]) * cooled)
        uncooled = uncooled * tl.exp((most - now) * cooled) + tl.sum(plain, 1)
        most = now
        # 2. The draw.
        uniform = tl.maximum(tl.rand(tl.load(seed), where), 1.1754943508222875e-38)
        gumbel = cool - tl.log(-tl.log(uniform))
        top = tl.max(gumbel, 1)
        first = tl.argmax(gumbel, 1, tie_break_left=True)
        proposal = tl.where(top > drawn, part * PART + at + first, proposal)
        drawn = tl.maximum(drawn, top)
    # 3. Tell: VALUES N S floats, 2 N S ids.
    place = rows * parts + part
    size = height * parts
    tl.store(values + place, most, mask=valid)
    tl.store(values + size + place, total, mask=valid)
    tl.store(values + 2 * size + place, weighted, mask=valid)
    tl.store(values + 3 * size + place, uncooled, mask=valid)
    tl.store(values + 4 * size + place, drawn, mask=valid)
    tl.store(chosen + place, likeliest, mask=valid)
    tl.store(chosen + size + place, proposal, mask=valid)


@triton.jit
def _merge(
    values, chosen, temperature, entropy, confidence, likeliest, proposal, height, parts, PADDED: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0)
    part = tl.arange(0, PADDED)
    there = part < parts
    place = row * parts + part
    size = height * parts
    cooled = tl.load(temperature)
    most = tl.load(values + place, mask=there, other=-float("inf"))
    top = tl.max(most, 0)
    fade = tl.exp(most - top)
    total = tl.sum(tl.load(values + size + place, mask=there, other=0.0) * fade, 0)
    weighted = tl.sum(tl.load(values + 2 * size + place, mask=there, other=0.0) * fade, 0)
    plain = tl.load(values + 3 * size + place, mask=there, other=0.0) * tl.exp((most - top) * cooled)
    # - sum p log p, where log p = scaled - top - log total
    tl.store(entropy + row, tl.maximum(top + tl.log(total) - weighted / total, 0.0))
    tl.store(confidence + row, 1 / tl.sum(plain, 0))
    best = tl.argmax(most, 0, tie_break_left=True)
    tl.store(likeliest + row, tl.load(chosen + row * parts + best).to(tl.int64))
    best = tl.argmax(tl.load(values + 4 * size + place, mask=there, other=-float("inf")), 0, tie_break_left=True)
    tl.store(proposal + row, tl.load(chosen + size + row * parts + best).to(tl.int64))


@triton.jit
def _expected(
    scaled, table, values, out, totals, height, parts,
    V: tl.constexpr, C: tl.constexpr, COMPUTE: tl.constexpr, PART: tl.constexpr, PADDED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    valid = rows < height
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < C
    part = tl.program_id(2)
    other = tl.arange(0, PADDED)
    told = rows[:, None] * parts + other[None, :]
    most = tl.max(tl.load(values + told, mask=valid[:, None] & (other < parts)[None, :], other=-float("inf")), 1)
    most = tl.where(valid, most, 0.0)
    result = tl.zeros((ROWS, COLUMNS), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    for at in range(0, PART, INNER):
        token = part * PART + at + tl.arange(0, INNER)
        known = token < V
        where = rows.to(tl.int64)[:, None] * V + token[None, :]
        seen = valid[:, None] & known[None, :]
        logits = tl.load(scaled + where, mask=seen, other=-float("inf")).to(tl.float32)
        share = tl.exp(logits - most[:, None])
        words = tl.load(
            table + token.to(tl.int64)[:, None] * C + column[None, :], mask=known[:, None] & inside[None, :], other=0.0
        )
        result = tl.dot(share.to(COMPUTE), words.to(COMPUTE), result, input_precision="ieee")
        total += tl.sum(share, 1)
    place = (part * height + rows).to(tl.int64)
    tl.store(out + place[:, None] * C + column[None, :], result, mask=valid[:, None] & inside[None, :])
    if tl.program_id(1) == 0:
        tl.store(totals + place, total, mask=valid)


def predict(
    hidden: Tensor, table: Tensor, cap: float, temperature: Tensor, seed: Tensor, scale: float, kept: torch.dtype
) -> Prediction:
    """As ``reference.predict``, with the uniform numbers of ``seed`` (1, int32); ``temperature``: 1, fp32."""
    (height, width), vocabulary, device = hidden.shape, len(table), hidden.device
    rows = min(MOST_ROWS, max(16, triton.next_power_of_2(height)))
    bands = triton.cdiv(height, rows)
    part = triton.cdiv(triton.cdiv(vocabulary, max(1, MOST_PARTS // bands)), COLUMNS) * COLUMNS
    parts = triton.cdiv(vocabulary, part)
    scaled = torch.empty(height, vocabulary, dtype=kept, device=device)
    values = torch.empty(VALUES, height, parts, device=device)
    chosen = torch.empty(2, height, parts, dtype=torch.int32, device=device)
    common = {
        "V": vocabulary, "C": width, "COMPUTE": compute_type(hidden), "ROWS": rows,
        "num_warps": WARPS, "num_stages": STAGES,
    }  # fmt: skip
    _statistics[(bands, parts)](
        hidden, table, temperature, seed, scaled, values, chosen, height, cap, parts, PART=part, COLUMNS=COLUMNS,
        INNER=dividing(width, INNER), **common,
    )  # fmt: skip
    entropy, confidence = torch.empty(2, height, device=device).unbind()
    likeliest, proposal = torch.empty(2, height, dtype=torch.long, device=device).unbind()
    padded = triton.next_power_of_2(parts)
    _merge[(height,)](
        values, chosen, temperature, entropy, confidence, likeliest, proposal, height, parts, PADDED=padded
    )
    # As many programs again, the vocabulary in fewer parts.
    columns = triton.cdiv(width, COLUMNS)
    shared = triton.cdiv(triton.cdiv(vocabulary, max(1, MOST_PARTS // (bands * columns))), INNER) * INNER
    pieces = triton.cdiv(vocabulary, shared)
    sums = torch.empty(pieces, height, width, device=device)
    totals = torch.empty(pieces, height, device=device)
    _expected[(bands, columns, pieces)](
        scaled, table, values, sums, totals, height, parts, PART=shared, PADDED=padded, COLUMNS=COLUMNS, INNER=INNER,
        **common,
    )  # fmt: skip
    expected = sums.sum(0) * (scale / totals.sum(0))[:, None]
    return Prediction(entropy, likeliest, confidence, proposal, expected)
