"""The inner loop that all products here share: a tile of inputs times a tile of packed weights.

The inputs are ROWS x INNER, the weights COLUMNS x INNER. See ``formats.py`` for how weights are packed.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
# (the language of Triton's kernels is not Python's)

import torch
import triton
import triton.language as tl
from torch import Tensor

from palimpsest.engine.kernels.formats import FP8, Packed

# From this compute capability on e4m3 is turned into bf16 by the hardware; Triton 3.6 does not compile it for 8.9.
NATIVE_FP8 = (9, 0)


def operands(packed: Packed) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Values, scale and offset as a kernel reads them on their device."""
    values = packed.values
    if values.dtype == FP8 and (
        values.device.type == "cpu" or (values.is_cuda and torch.cuda.get_device_capability(values.device) < NATIVE_FP8)
    ):
        values = values.view(torch.uint8)
    return values, packed.scale, packed.offset


def compute_type(tensor: Tensor) -> tl.dtype:
    """What products are computed in: the type of ``tensor``."""
    return {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}[tensor.dtype]


@triton.jit
def load(inputs, valid, k, FORMAT: tl.constexpr, COMPUTE: tl.constexpr, INNER: tl.constexpr):
    """The inputs at columns k and on, ``inputs`` pointing at each row's begin; for int4 in two halves."""
    if FORMAT == "int4":
        half = k + tl.arange(0, INNER // 2)
        low = tl.load(inputs + half[None, :], mask=valid[:, None], other=0.0).to(COMPUTE)
        high = tl.load(inputs + (half + INNER // 2)[None, :], mask=valid[:, None], other=0.0).to(COMPUTE)
        return low, high
    else:
        place = k + tl.arange(0, INNER)
        low = tl.load(inputs + place[None, :], mask=valid[:, None], other=0.0).to(COMPUTE)
        return low, low


@triton.jit
def multiply(
    sums, low, high, values, scale, offset, rows, k,
    WIDTH: tl.constexpr, FORMAT: tl.constexpr, GROUP: tl.constexpr, COMPUTE: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """``sums`` (ROWS COLUMNS) and the product of the loaded inputs with columns k and on of the weights' ``rows``.

    A scale per row is left to ``by_row``.
    """
    if FORMAT == "int4":
        half = tl.arange(0, INNER // 2)
        packed = tl.load(values + rows[:, None] * (WIDTH // 2) + (k // 2 + half)[None, :])
        first = rows * (WIDTH // GROUP) + k // GROUP
        second = rows * (WIDTH // GROUP) + (k + INNER // 2) // GROUP
        weight = _spread(packed & 15, scale, offset, first, COMPUTE)
        sums = tl.dot(low, tl.trans(weight), sums, input_precision="ieee")
        weight = _spread(packed >> 4, scale, offset, second, COMPUTE)
        return tl.dot(high, tl.trans(weight), sums, input_precision="ieee")
    else:
        place = k + tl.arange(0, INNER)
        weight = tl.load(values + rows[:, None] * WIDTH + place[None, :])
        if weight.dtype == tl.uint8:
            weight = decode_fp8(weight)
        return tl.dot(low, tl.trans(weight.to(COMPUTE)), sums, input_precision="ieee")


@triton.jit
def by_row(sums, scale, rows, FORMAT: tl.constexpr):
    """``sums`` (ROWS COLUMNS) times the scale of each of the weights' ``rows``, where the format has one per row."""
    if FORMAT == "fp8" or FORMAT == "int8":
        sums *= tl.load(scale + rows)[None, :].to(tl.float32)
    return sums


@triton.jit
def whole(
    inputs, valid, values, scale, offset, rows,
    WIDTH: tl.constexpr, FORMAT: tl.constexpr, GROUP: tl.constexpr, COMPUTE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """The product of a tile of inputs, ``inputs`` pointing at each row's begin, with the weights' ``rows``, in fp32."""
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for k in range(0, WIDTH, INNER):
        low, high = load(inputs, valid, k, FORMAT, COMPUTE, INNER)
        sums = multiply(sums, low, high, values, scale, offset, rows, k, WIDTH, FORMAT, GROUP, COMPUTE, INNER)
    return by_row(sums, scale, rows, FORMAT)


@triton.jit
def _spread(levels, scale, offset, group, COMPUTE: tl.constexpr):
    """Four-bit levels (COLUMNS x INNER/2) of one ``group`` of each row, as weights."""
    slope = tl.load(scale + group)[:, None].to(COMPUTE)
    return levels.to(COMPUTE) * slope + tl.load(offset + group)[:, None].to(COMPUTE)


@triton.jit
def decode_fp8(byte):
    """e4m3 bytes as fp32, exact, on cards that know no such type.

    Moved into fp32's fields they are too small by 2^120, for the biases of the exponents are 7 and 127.
    """
    bits = byte.to(tl.uint32)
    moved = ((bits & 0x80) << 24) | ((bits & 0x7F) << 20)
    return moved.to(tl.float32, bitcast=True) * 1.329227995784916e36
