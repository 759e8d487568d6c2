"""Compiles every kernel at the released model's shapes for cards that need not be here.

    python -m palimpsest.engine.kernels.compile [--capability 90 89 86] [--tokens 32 256 512]

Prints for each kernel and compute capability the registers of a thread, the bytes it spills and the shared memory of a
block, and exits with 1 where any spills or takes more shared memory than such a card has.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from palimpsest.engine.kernels import experts, linear, sampler
from palimpsest.engine.kernels.formats import FORMATS, FP8, Packed, group_of

SHARED = {90: 232_448, 89: 101_376, 86: 101_376}  # bytes of shared memory a block can have
HIDDEN, EXPERT, EXPERTS, TOP_K, DENSE, VOCABULARY = 2816, 704, 128, 8, 2112, 262_144  # of the released model
TYPES = {
    torch.bfloat16: "*bf16", torch.float32: "*fp32", torch.uint8: "*u8", torch.int8: "*i8", torch.int32: "*i32",
    torch.int64: "*i64", FP8: "*fp8e4nv",
}  # fmt: skip


@dataclass(frozen=True)
class Launch:
    """A kernel with the arguments that it was launched with."""

    kernel: JITFunction
    arguments: tuple
    settings: dict[str, Any]


@dataclass(frozen=True)
class Compiled:
    """What ptxas says of one kernel."""

    registers: int
    spilled: int  # bytes of a thread
    shared: int  # bytes of a block


@contextmanager
def recorded(*modules: Any) -> Iterator[list[Launch]]:
    """What the kernels of ``modules`` are launched with inside the block, where nothing is run."""
    launches: list[Launch] = []

    class Recorder:
        def __init__(self, kernel: JITFunction):
            self.kernel = kernel

        def __getitem__(self, _grid: tuple) -> Callable:
            return lambda *arguments, **settings: launches.append(Launch(self.kernel, arguments, settings))

    kernels = [(m, n, k) for m in modules for n, k in vars(m).items() if isinstance(k, JITFunction)]
    for module, name, kernel in kernels:
        setattr(module, name, Recorder(kernel))
    try:
        yield launches
    finally:
        for module, name, kernel in kernels:
            setattr(module, name, kernel)


def compiled(launch: Launch, capability: int) -> Compiled:
    """Compile for a card of ``capability`` (90 is 9.0)."""
    options = {"num_warps": 4, "num_stages": 3} | {k: v for k, v in launch.settings.items() if k.startswith("num_")}
    constants = {k: v for k, v in launch.settings.items() if not k.startswith("num_")}
    signature, divisible = {}, {}
    for place, (name, value) in enumerate(zip(launch.kernel.arg_names, launch.arguments, strict=False)):
        if value is None:
            constants[name] = None
        elif isinstance(value, Tensor):
            signature[name] = TYPES[torch.uint8 if value.dtype == FP8 and capability < 90 else value.dtype]
            divisible[(place,)] = [["tt.divisibility", 16]]
        else:
            signature[name] = "fp32" if isinstance(value, float) else "i32"
    signature |= dict.fromkeys(constants, "constexpr")
    signature = {name: signature[name] for name in launch.kernel.arg_names}
    places = {(launch.kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(launch.kernel, signature, places, divisible)
    binary = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    return Compiled(*_usage(binary.asm["cubin"]), binary.metadata.shared)


def _usage(cubin: bytes) -> tuple[int, int]:
    """Registers, and bytes of local memory, of the one function in a cubin."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(tool), "--dump-resource-usage", file.name]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # STACK is what a thread keeps in local memory, all of it spills: no kernel here has arrays.
    return tuple(int(re.findall(rf"{name}:(\d+)", told)[-1]) for name in ("REG", "STACK"))  # pyright: ignore[reportReturnType]


def shapes(format: str, *leading: int) -> Packed:
    """A weight of this shape that takes no memory."""

    def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    *rows, columns = leading
    if format == "bf16":
        return Packed(format, empty(*leading))
    if format == "int4":
        groups = columns // group_of(columns)
        return Packed(format, empty(*rows, columns // 2, dtype=torch.uint8), empty(*rows, groups), empty(*rows, groups))
    return Packed(
        format, empty(*leading, dtype=FP8 if format == "fp8" else torch.int8), empty(*rows, dtype=torch.float32)
    )


def launches(canvases: list[int]) -> list[tuple[str, Launch]]:
    """Every kernel as one step of the released model launches it, for canvases of so many tokens."""

    def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    named: list[tuple[str, Launch]] = []
    for tokens in canvases:
        for format in FORMATS:
            with recorded(experts, linear) as found:
                gate_up, down = shapes(format, EXPERTS, 2 * EXPERT, HIDDEN), shapes(format, EXPERTS, HIDDEN, EXPERT)
                index, weights = empty(tokens, TOP_K, dtype=torch.int64), empty(tokens, TOP_K)
                experts.experts(empty(tokens, HIDDEN), index, weights, gate_up, down)
                linear.linear(empty(tokens, HIDDEN), shapes(format, 2 * DENSE, HIDDEN))
                linear.linear(empty(tokens, DENSE), shapes(format, HIDDEN, DENSE))
            named += [(f"{launch.kernel.__name__} {format} {tokens}", launch) for launch in found]
        with recorded(sampler) as found:
            hidden, table = empty(tokens, HIDDEN), empty(VOCABULARY, HIDDEN)
            temperature, seed = empty(1, dtype=torch.float32), empty(1, dtype=torch.int32)
            sampler.predict(hidden, table, 30.0, temperature, seed, HIDDEN**0.5, torch.bfloat16)
        named += [(f"{launch.kernel.__name__} {tokens}", launch) for launch in found]
    return named


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capability", type=int, nargs="+", choices=SHARED, default=[*SHARED])
    parser.add_argument("--tokens", type=int, nargs="+", default=[32, 256, 512], metavar="N", help="widths of canvases")
    args = parser.parse_args()
    wrong = 0
    for name, launch in launches(args.tokens):
        for capability in args.capability:
            result = compiled(launch, capability)
            bad = result.spilled > 0 or result.shared > SHARED[capability]
            wrong += bad
            print(
                f"{name:24} sm_{capability}  {result.registers:3} registers  {result.spilled:4} spilled  "
                f"{result.shared:7,} shared{'  TOO MUCH' if bad else ''}",
                flush=True,
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
