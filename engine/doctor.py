"""Tells what this machine offers, and what the engine makes of it."""

import os
import platform
from pathlib import Path

import torch
import transformers

from palimpsest.engine import environment
from palimpsest.engine.device import free_memory, pick_device
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.kernels import operators
from palimpsest.engine.loading import fitting, size
from palimpsest.engine.model import WORKING
from palimpsest.engine.request import PRECISIONS
from palimpsest.engine.weights import find


def examine(checkpoint: str | Path | None = None) -> dict[str, str]:
    """What there is and what will be used, each with the reason. Raises CheckpointError."""
    folder = find(checkpoint)
    device, dtype = pick_device()
    missing = operators.missing(device)
    sizes = ", ".join(f"{_mib(size(folder, precision))} as {precision}" for precision in PRECISIONS)
    kind = environment.made()
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}",
        "device": _device(device),
        "engine": f"its own environment for {kind}" if kind else "this program's own: see palimpsest engine",
        "model": f"{folder} ({sizes})",
        "precision": _precision(folder, device, dtype),
        "kernels": f"plain torch: {missing}" if missing else "ours, in Triton",
    }


def _device(device: torch.device) -> str:
    if device.type != "cuda":
        return "the CPU: torch sees no GPU that it can use"
    card = torch.cuda.get_device_properties(device)
    return (
        f"{card.name}, compute capability {card.major}.{card.minor}, {_mib(free_memory(device))} of "
        f"{_mib(card.total_memory)} free"
    )


def _precision(folder: Path, device: torch.device, dtype: torch.dtype) -> str:
    if device.type != "cuda":
        return f"{str(dtype).removeprefix('torch.')}: on the CPU nothing is packed unless asked for"
    try:
        return f"{fitting(folder, free_memory(device), WORKING)}: the most exact one that fits"
    except CheckpointError as error:
        return f"none: {error}"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
