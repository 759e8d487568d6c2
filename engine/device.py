"""What this machine offers: device, memory, precision, kernels, threads."""

import os

import torch


def pick_device() -> tuple[torch.device, torch.dtype]:
    """The fastest device here and the type that suits it."""
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16
    return torch.device("cpu"), torch.float32


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU's memory that nobody uses."""
    return torch.cuda.mem_get_info(device)[0]


def leave_a_core() -> None:
    """Let torch use every core but one, so that the window stays quick while a fill runs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    torch.set_num_threads(max(1, cores - 1))
