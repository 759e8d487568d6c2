"""The products of packed weights as operators of torch, so that a compiled step takes each as one piece.

They run our kernels where these can run, and plain torch elsewhere.

Shapes: T tokens, K experts of each, H hidden; ... any number of leading dimensions, R rows, C columns.
"""

import os
import shutil
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

from palimpsest.engine.kernels import reference
from palimpsest.engine.kernels.formats import Packed, unpack

OLDEST = (8, 0)  # compute capability the kernels are written for: bf16 in the tensor cores


def missing(device: torch.device) -> str | None:
    """Why our kernels cannot run on ``device``; None where they can."""
    if device.type != "cuda":
        return f"the model runs on {device.type}, the kernels on CUDA GPUs"
    if find_spec("triton") is None:
        return "Triton is not installed"
    capability = torch.cuda.get_device_capability(device)
    if capability < OLDEST:
        return "the GPU's compute capability is {}.{}, the kernels need {}.{}".format(*capability, *OLDEST)
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        return "there is no C compiler, which Triton needs: install gcc"
    return None


def experts(hidden: Tensor, index: Tensor, weights: Tensor, gate_up: Packed, down: Packed) -> Tensor:
    """As ``reference.experts``, in the type of ``hidden``. T H, T K, T K -> T H"""
    return _experts(hidden, index, weights, gate_up.format, _given(gate_up), _given(down))


def linear(inputs: Tensor, weight: Packed) -> Tensor:
    """``inputs`` times the transposed ``weight``. ... C, R C -> ... R"""
    return _linear(inputs, weight.format, _given(weight))


def _given(packed: Packed) -> list[Tensor]:
    return [tensor for tensor in packed.tensors if tensor is not None]


@torch.library.custom_op("palimpsest::experts", mutates_args=())
def _experts(
    hidden: Tensor, index: Tensor, weights: Tensor, format: str, gate_up: list[Tensor], down: list[Tensor]
) -> Tensor:
    packed = Packed(format, *gate_up), Packed(format, *down)
    if missing(hidden.device) is None:
        from palimpsest.engine.kernels import experts as kernel  # Triton only where it is used

        return kernel.experts(hidden, index, weights, *packed)
    return reference.experts(hidden, index, weights, *packed).to(hidden.dtype)


@_experts.register_fake
def _(hidden, index, weights, format, gate_up, down):  # noqa: ARG001
    return torch.empty_like(hidden)


@torch.library.custom_op("palimpsest::linear", mutates_args=())
def _linear(inputs: Tensor, format: str, weight: list[Tensor]) -> Tensor:
    packed = Packed(format, *weight)
    if missing(inputs.device) is None:
        from palimpsest.engine.kernels import linear as kernel

        return kernel.linear(inputs, packed)
    return F.linear(inputs, unpack(packed).to(inputs.dtype))


@_linear.register_fake
def _(inputs, format, weight):  # noqa: ARG001
    return inputs.new_empty(*inputs.shape[:-1], weight[0].shape[0])
