"""Weights in fewer bits: how they are packed, and what they are again.

bf16    as they are
fp8     e4m3, one scale per row
int8    symmetric, one scale per row
int4    groups along the row, each with a scale and an offset that fit its weights best by least squares

Shapes: ... any number of leading dimensions, R rows, K columns (the products' inner dimension), G columns of a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from palimpsest.engine.errors import CheckpointError

FP8, FP8_MOST = torch.float8_e4m3fn, 448.0
LEVELS = 15  # of four bits, beside 0
ROUNDS = 4  # of fitting int4's scale and offset
FORMATS = ("bf16", "fp8", "int8", "int4")
LEAST_INNER = 16  # the shortest inner dimension a tensor core takes


@dataclass(frozen=True)
class Packed:
    """A matrix, or a stack of them, in one of FORMATS.

    ``values``: ... R K, or for int4 ... R K/2 bytes. Each two groups' worth of columns (one where that does not divide
    K) is a block, whose first half lies in the low four bits and whose second half in the high ones: so that a kernel
    unpacks a byte into two halves of a tile without moving anything. ``scale``: ... R, or ... R K/G; ``offset`` the
    same, for int4 alone.
    """

    format: str
    values: Tensor
    scale: Tensor | None = None
    offset: Tensor | None = None

    @staticmethod
    def of(format: str, tensors: Sequence[Tensor | None]) -> "Packed":
        """Of values and, where there are, scale and offset."""
        values, *rest = tensors
        assert values is not None
        return Packed(format, values, *rest)

    @cached_property
    def shape(self) -> torch.Size:
        """Of the matrix that is packed: ... R K"""
        *leading, columns = self.values.shape
        return torch.Size([*leading, columns * 2 if self.format == "int4" else columns])

    @property
    def group(self) -> int:
        """Columns that share a scale."""
        columns = self.shape[-1]
        return columns // self.scale.shape[-1] if self.format == "int4" and self.scale is not None else columns

    @property
    def tensors(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What a kernel is given."""
        return self.values, self.scale, self.offset

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors if tensor is not None)

    def kernel(self, inner: int) -> dict[str, object]:
        """The compile-time settings of a kernel that would like to take ``inner`` columns at a time."""
        inner = block(self.shape[-1], self.group) if self.format == "int4" else dividing(self.shape[-1], inner)
        return {"FORMAT": self.format, "GROUP": self.group, "INNER": inner}

    def __getitem__(self, index: int) -> "Packed":
        """One matrix of a stack."""
        return Packed.of(self.format, [None if tensor is None else tensor[index] for tensor in self.tensors])


def dividing(columns: int, wanted: int) -> int:
    """The widest tile, at most ``wanted``, of which a whole number fits ``columns``: a kernel would read past the end
    of each row of any other. Raises CheckpointError where there is none."""
    while wanted >= LEAST_INNER and columns % wanted:
        wanted //= 2
    if wanted < LEAST_INNER:
        raise CheckpointError(
            f"A weight of this model has {columns} columns, which {LEAST_INNER} does not divide: load it as bf16."
        )
    return wanted


def group_of(columns: int) -> int:
    """How many columns share a scale in int4: 64, or 32 where only that divides them. Raises CheckpointError."""
    if columns % 32:
        raise CheckpointError(
            f"A weight of this model has {columns} columns, which 32 does not divide: it cannot be packed as int4."
        )
    return 64 if columns % 64 == 0 else 32


def block(columns: int, group: int) -> int:
    """Columns that int4 packs together."""
    return 2 * group if columns % (2 * group) == 0 else group


def pack(weight: Tensor, format: str) -> Packed:
    """``weight`` (... R K) in ``format``. Raises CheckpointError for a shape that the format does not fit."""
    if format == "bf16":
        return Packed(format, weight)
    if format == "int4":
        return _pack_int4(weight)
    most = weight.float().abs().amax(-1)
    scale = torch.where(most > 0, most / (FP8_MOST if format == "fp8" else 127), 1.0)
    scaled = weight.float() / scale[..., None]
    values = scaled.to(FP8) if format == "fp8" else scaled.round().to(torch.int8)
    return Packed(format, values, scale)


def unpack(packed: Packed) -> Tensor:
    """The weight again (... R K), in fp32."""
    values, scale, offset = packed.tensors
    if scale is None:
        return values.float()
    if offset is None:
        return values.float() * scale[..., None].float()
    size = block(packed.shape[-1], packed.group)
    halves = values.unflatten(-1, (-1, size // 2))
    levels = torch.cat([halves & 15, halves >> 4], -1).flatten(-2).unflatten(-1, (-1, packed.group))
    return (levels * scale[..., None].float() + offset[..., None].float()).flatten(-2)


def _pack_int4(weight: Tensor) -> Packed:
    columns = weight.shape[-1]
    group = group_of(columns)
    grouped = weight.float().unflatten(-1, (-1, group))
    least, most = grouped.amin(-1, keepdim=True), grouped.amax(-1, keepdim=True)
    scale, offset = ((most - least) / LEVELS).clamp(min=1e-12), least
    best, error = (scale, offset), torch.full_like(scale, torch.inf)
    for _ in range(ROUNDS):
        scale, offset = scale.bfloat16().float(), offset.bfloat16().float()
        levels = _levels(grouped, scale, offset)
        wrong = (levels * scale + offset - grouped).square().sum(-1, keepdim=True)
        better = wrong < error
        best = tuple(torch.where(better, new, old) for new, old in zip((scale, offset), best, strict=True))
        error = torch.where(better, wrong, error)
        # The line that maps these levels to the weights with the least square error.
        centred = levels - levels.mean(-1, keepdim=True)
        spread = centred.square().sum(-1, keepdim=True)
        slope = (centred * grouped).sum(-1, keepdim=True) / spread.clamp(min=1e-12)
        scale = torch.where((spread > 0) & (slope > 0), slope, scale)
        offset = grouped.mean(-1, keepdim=True) - scale * levels.mean(-1, keepdim=True)
    scale, offset = best
    levels = _levels(grouped, scale, offset).to(torch.uint8).flatten(-2)
    low, high = levels.unflatten(-1, (-1, 2, block(columns, group) // 2)).unbind(-2)
    packed = (low | high << 4).flatten(-2)
    return Packed("int4", packed, scale.squeeze(-1).bfloat16(), offset.squeeze(-1).bfloat16())


def _levels(weight: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    return ((weight - offset) / scale).round().clamp(0, LEVELS)
