"""Puts a checkpoint's weights into a network, packed on the way: it is built empty and filled weight by weight.

What was packed is kept in the user's cache and read from there the next time, if the checkpoint is still the same.
"""

import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

from palimpsest.engine.backend import Tell
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.kernels.formats import Packed, pack
from palimpsest.engine.language import tr
from palimpsest.engine.quant import PARTS, format_of, put, share
from palimpsest.engine.request import PRECISIONS, Loading

log = logging.getLogger(__name__)

BITS = {"bf16": 16, "fp8": 8, "int8": 8, "int4": 4.5}  # of a weight, with its share of a scale
VERSION = 1  # of what is cached; another one is packed anew
PIECE = 4 << 20  # bytes of a weight that are read and packed at a time; packing int4 takes some twenty times as many
FILE = 512 << 20  # bytes of packed weights in one file of the cache
SPARE = 1 << 30  # bytes of the disk that the cache leaves free
CACHE = Path(platformdirs.user_cache_dir("palimpsest")) / "packed"


def load(
    folder: Path, precision: str, device: torch.device, dtype: torch.dtype, tell: Tell, cache: Path | None = CACHE
) -> DiffusionGemmaForBlockDiffusion:
    """The checkpoint in ``folder`` with its weights packed for ``precision``, the others in ``dtype``.

    Of the weights the host holds at most some pieces at a time, the device those it keeps and one piece. Raises
    CheckpointError when a weight is missing, damaged or of another shape.
    """
    names = _shards(folder)
    network = empty(DiffusionGemmaConfig.from_pretrained(folder), device)
    wanted = expected(network)
    source = _fingerprint(folder, names)
    kept = cache / f"{source}-{precision}-{str(dtype).removeprefix('torch.')}" if cache else None
    if missing := sorted(wanted.keys() - names.keys()):
        raise CheckpointError(
            tr(
                "{folder} lacks {count} weights, {missing} first: fetch the checkpoint again.",
                folder=folder,
                count=len(missing),
                missing=missing[0],
            )
        )
    packed = [name for name in wanted if format_of(name, precision) != "bf16"]
    known = _known(kept, packed) if kept else {}
    sizes = {name: count for file in set(names.values()) for name, (_, count) in _header(file).items()}
    progress = _Progress({name: sizes[name] for name in wanted}, tell)
    written = _Written(kept) if kept and packed and not known and _room(kept, progress.total) else None
    try:
        for name in sorted(wanted, key=lambda name: (names[name], name)):
            if name in known:
                put(network, name, _read_packed(known[name], name, precision, device))
            elif name in packed:
                done = _read_and_pack(names[name], name, wanted[name], format_of(name, precision), device)
                put(network, name, done)
                if written:
                    written.add(name, done)
            else:
                assign(network, name, _read(names[name], name, wanted[name]).to(device, dtype))
            progress.passed(name)
        if written:
            written.finish({"source": source, "precision": precision})
    finally:
        if written:
            written.drop()
    share(network)
    return network.eval()


def size(folder: Path, precision: str) -> int:
    """Bytes that the weights take once loaded with ``precision``, within a few percent."""
    headers = [_header(file) for file in set(_shards(folder).values())]
    return size_of({name: torch.Size(shape) for header in headers for name, (shape, _) in header.items()}, precision)


def needs(folder: Path) -> dict[str, int]:
    """The same for each precision, of a checkpoint of which there is but the configuration."""
    shapes = expected(empty(DiffusionGemmaConfig.from_pretrained(folder), torch.device("cpu")))
    return {precision: size_of(shapes, precision) for precision in PRECISIONS}


def size_of(shapes: dict[str, torch.Size], precision: str) -> int:
    """The same of weights of these names and shapes."""
    return int(sum(shape.numel() * BITS[format_of(name, precision)] / 8 for name, shape in shapes.items()))


def fitting(folder: Path, free: int, working: int) -> str:
    """The most exact precision in which the checkpoint fits ``free`` bytes and leaves ``working`` of them.

    Raises CheckpointError when none does.
    """
    for precision in PRECISIONS:
        if size(folder, precision) + working <= free:
            return precision
    least = size(folder, PRECISIONS[-1]) + working
    raise CheckpointError(
        tr(
            "The model needs {least:,.1f} GiB of the GPU's memory even with the smallest weights, and "
            "{free:.1f} are free: close other programs, or choose a smaller model.",
            least=least / 2**30,
            free=free / 2**30,
        )
    )


def empty(config: DiffusionGemmaConfig, device: torch.device) -> DiffusionGemmaForBlockDiffusion:
    """The network without weights: they are on the meta device, and what is computed from the config on ``device``."""
    with torch.device("meta"):
        network = DiffusionGemmaForBlockDiffusion(config)
    for module in network.modules():
        own = [name for name, _ in module.named_buffers(recurse=False) if name in module._non_persistent_buffers_set]
        if not own:
            continue
        if hasattr(module, "scalar_embed_scale"):
            module._buffers["embed_scale"] = torch.tensor(module.scalar_embed_scale, device=device)
        else:  # a rotary embedding
            module._buffers |= type(module)(module.config).to(device)._buffers
    return network


def expected(network: nn.Module) -> dict[str, torch.Size]:
    """Name and shape of the weights that a checkpoint of this network holds: of those shared, the decoder's."""
    found = {name: tensor.shape for name, tensor in network.state_dict().items() if name != "lm_head.weight"}
    shared = "model.encoder.language_model."
    return {
        name: shape for name, shape in found.items() if not name.startswith(shared) or name.endswith(".layer_scalar")
    }


def in_pieces(shape: torch.Size, format: str, rows: Callable[[int, int], Tensor]) -> Packed:
    """The weight of this shape in ``format``, packed a few of its ``rows`` (from, to) at a time."""
    step = max(1, PIECE // max(1, 2 * shape[1:].numel()))
    whole: list[Tensor | None] = []
    for start in range(0, shape[0], step):
        end = min(start + step, shape[0])
        piece = pack(rows(start, end), format)
        if start == 0:
            whole = [None if part is None else part.new_empty(shape[0], *part.shape[1:]) for part in piece.tensors]
        for all_, part in zip(whole, piece.tensors, strict=True):
            if all_ is not None and part is not None:
                all_[start:end] = part
    return Packed.of(format, whole)


def assign(network: nn.Module, name: str, tensor: Tensor) -> None:
    """Have the weight called ``name`` be ``tensor``."""
    path, _, attribute = name.rpartition(".")
    owner = network.get_submodule(path)
    if attribute in owner._buffers:
        owner._buffers[attribute] = tensor
    else:
        setattr(owner, attribute, nn.Parameter(tensor, requires_grad=False))


class _Progress:
    """Tells how many bytes of the checkpoint are behind us, and how long the rest will take at this pace."""

    def __init__(self, sizes: dict[str, int], tell: Tell):
        self._sizes, self._tell = sizes, tell
        self._done, self.total = 0, sum(sizes.values())
        self._began = time.monotonic()

    def passed(self, name: str) -> None:
        self._done += self._sizes[name]
        left = (time.monotonic() - self._began) * (self.total - self._done) / self._done
        self._tell(Loading(self._done, self.total, left))


class _Written:
    """The packed weights on their way into the cache: a folder that has its name only once it is whole."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
        self._tensors: dict[str, Tensor] = {}
        self._files = 0

    def add(self, name: str, packed: Packed) -> None:
        parts = zip(PARTS, packed.tensors, strict=True)
        self._tensors |= {f"{name}.{part}": tensor.cpu() for part, tensor in parts if tensor is not None}
        if sum(tensor.nbytes for tensor in self._tensors.values()) >= FILE:
            self._flush()

    def finish(self, source: dict[str, str]) -> None:
        self._flush()
        (self._temporary / "packed.json").write_text(json.dumps({"version": VERSION, **source}))
        shutil.rmtree(self._folder, ignore_errors=True)  # of another version, or damaged
        self._temporary.replace(self._folder)

    def drop(self) -> None:
        """Leave nothing behind but what is finished."""
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _flush(self) -> None:
        if self._tensors:
            save_file(self._tensors, self._temporary / f"{self._files:05}.safetensors")
            self._tensors, self._files = {}, self._files + 1


def _known(folder: Path, names: list[str]) -> dict[str, Path]:
    """Where in the cache each of these weights is; nothing when any is not, or the cache is of another version."""
    try:
        if json.loads((folder / "packed.json").read_text())["version"] != VERSION:
            return {}
        places = {key: file for file in sorted(folder.glob("*.safetensors")) for key in _header(file)}
    except (OSError, ValueError, KeyError, CheckpointError) as error:
        log.info("nothing packed is known: %s", error)
        return {}
    known = {name: places[f"{name}.values"] for name in names if f"{name}.values" in places}
    return known if len(known) == len(names) else {}


def _read_packed(file: Path, name: str, precision: str, device: torch.device) -> Packed:
    with safe_open(file, "pt") as shard:
        there = set(shard.keys())
        parts = [f"{name}.{part}" for part in PARTS]
        tensors = [shard.get_tensor(part).to(device) if part in there else None for part in parts]
    return Packed.of(format_of(name, precision), tensors)


def _room(folder: Path, most: int) -> bool:
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(folder.parent).free > most + SPARE
    if not room:
        log.warning("the packed weights are not kept for the next start: the disk is nearly full")
    return room


def _read_and_pack(file: Path, name: str, shape: torch.Size, format: str, device: torch.device) -> Packed:
    """One weight, a few experts or rows at a time."""
    with _opened(file) as shard:
        rows = shard.get_slice(name)
        _check(file, name, torch.Size(rows.get_shape()), shape)
        return in_pieces(shape, format, lambda start, end: rows[start:end].to(device))


def _read(file: Path, name: str, shape: torch.Size) -> Tensor:
    with _opened(file) as shard:
        tensor = shard.get_tensor(name)
    _check(file, name, tensor.shape, shape)
    return tensor


def _opened(file: Path):
    try:
        return safe_open(file, "pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            tr("The model's file {file} is damaged: fetch the checkpoint again.", file=file)
        ) from error


def _check(file: Path, name: str, found: torch.Size, wanted: torch.Size) -> None:
    if found != wanted:
        raise CheckpointError(
            tr(
                "The weight {name} in {file} has the shape {found} where the model's config says {wanted}: "
                "fetch the checkpoint again.",
                name=name,
                file=file,
                found=list(found),
                wanted=list(wanted),
            )
        )


def _shards(folder: Path) -> dict[str, Path]:
    """Which file holds each weight. Raises CheckpointError where one that the index names is missing."""
    index = folder / "model.safetensors.index.json"
    files = {file.name: file for file in folder.glob("*.safetensors")}
    if index.exists():
        named = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        if gone := sorted(named - files.keys()):
            raise CheckpointError(
                tr("The model's file {file} is missing: fetch the checkpoint again.", file=folder / gone[0])
            )
        files = {name: files[name] for name in named}
    return {name: file for file in sorted(files.values()) for name in _header(file)}


Header = dict[str, tuple[list[int], int]]  # of each tensor in a file, shape and bytes


def _header(file: Path) -> Header:
    """What a safetensors file says it holds. Raises CheckpointError where that is not all there."""
    with _opened(file) as shard:  # checks that header and length agree
        del shard
    with file.open("rb") as raw:
        length = int.from_bytes(raw.read(8), "little")
        entries = json.loads(raw.read(length))
    return {
        name: (entry["shape"], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in entries.items()
        if name != "__metadata__"
    }


def _fingerprint(folder: Path, names: dict[str, Path]) -> str:
    """Tells checkpoints apart without reading their weights: by config, and each file's name, size, time and header."""
    told = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(set(names.values())):
        stat = file.stat()
        told.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns} {sorted(_header(file).items())}".encode())
    return told.hexdigest()[:32]
