"""A product with packed weights, for the few rows of a canvas.

Tiles: ROWS x COLUMNS, INNER along the sum.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
# (the language of Triton's kernels is not Python's)

import torch
import triton
import triton.language as tl
from torch import Tensor

from palimpsest.engine.kernels.formats import Packed
from palimpsest.engine.kernels.product import compute_type, operands, whole

COLUMNS, INNER, WARPS, STAGES = 64, 128, 4, 3


@triton.jit
def _linear(
    inputs, values, scale, offset, out, height,
    WIDTH: tl.constexpr, OUT: tl.constexpr, FORMAT: tl.constexpr, GROUP: tl.constexpr, COMPUTE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    valid = rows < height
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < OUT
    own = tl.where(inside, column, 0).to(tl.int64)
    first = inputs + rows.to(tl.int64)[:, None] * WIDTH
    result = whole(
        first, valid, values, scale, offset, own, WIDTH, FORMAT, GROUP, COMPUTE, ROWS, COLUMNS, INNER
    )  # fmt: skip
    place = rows.to(tl.int64)[:, None] * OUT + column[None, :]
    tl.store(out + place, result.to(out.dtype.element_ty), mask=valid[:, None] & inside[None, :])


def linear(inputs: Tensor, weight: Packed) -> Tensor:
    """``inputs`` (... K) times the transposed ``weight`` (R K), in the type of ``inputs``. ... R"""
    *leading, width = inputs.shape
    flat = inputs.reshape(-1, width)
    height, out = len(flat), weight.shape[0]
    rows = min(64, max(16, triton.next_power_of_2(height)))
    result = torch.empty(height, out, dtype=inputs.dtype, device=inputs.device)
    _linear[(triton.cdiv(out, COLUMNS), triton.cdiv(height, rows))](
        flat, *operands(weight), result, height, WIDTH=width, OUT=out, COMPUTE=compute_type(inputs), ROWS=rows,
        COLUMNS=COLUMNS, **weight.kernel(INNER), num_warps=WARPS, num_stages=STAGES,
    )  # fmt: skip
    return result.view(*leading, out)
