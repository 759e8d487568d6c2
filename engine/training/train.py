"""Trains our checkpoints, on a CPU or one GPU.

    python -m palimpsest.engine.training.train TOKENS.npy WORK_DIR --objective read|fill|left-to-right
        [--from WORK_DIR_OR_CHECKPOINT] [--steps N] [--decay N] [--export FOLDER]

1. *read*: the encoder's next-token loss alone. Every token of text is supervised by one pass: the cheapest way to learn
   what code and prose look like.
2. *fill*, from there: beside that loss, canvases with holes. Uniform-state block diffusion as the released model was
   trained, flat cross-entropy over the free positions, in two passes. The first decodes pure noise, with the free
   positions marked (conditioned on the mean embedding), or a text that is to be rewritten, half believed (conditioned
   on that and the mean). The second is conditioned on what the first predicts and decodes a canvas as the sampler
   would leave it, or one with any share of uniform noise, or of that text, as in the released objective.
3. *left-to-right*, from 1 too: the next-token loss alone, on text whose middle was moved behind what follows. The
   autoregressive rival in the evaluation.

A run stops at ``--steps``, saves often, and goes on where it was when started again; the learning rate is constant but
for a linear fall over the last ``--decay`` steps, so a longer run is the same run with a larger ``--steps``. ``--from``
begins a new run with the weights of another, or of a checkpoint. Under ``torchrun`` every process takes its own batch
in each step.

Shapes: D documents, T tokens of each, B canvases, W positions, F free positions in the batch, C hidden, V vocabulary.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import DiffusionGemmaForBlockDiffusion

from palimpsest.engine.denoise import BELIEF
from palimpsest.engine.sampler import accept, entropy
from palimpsest.engine.training.architecture import DENSE, SIZES, config, fresh, generation_config
from palimpsest.engine.training.examples import OBJECTIVES, Batch, Canvases, Examples
from palimpsest.engine.training.optimizer import Muon
from palimpsest.engine.training.tokenizer import save

WARMUP = 100
COOLEST, HOTTEST = 0.2, 1.0  # temperatures of the predictions that condition a second pass
BOUND = 0.1  # the sampler's entropy bound
LOGGED_EVERY, EVALUATED_EVERY = 50, 250  # steps
SAVED_EVERY = 60  # seconds, looked at when something is logged


class _Prefix:
    """The keys and values of a batch of documents, D K T H each, in the form the model's layers read."""

    is_compileable = False

    @dataclass
    class Layer:
        keys: Tensor
        values: Tensor

    def __init__(self) -> None:
        self.layers: list[_Prefix.Layer] = []

    def update(self, keys: Tensor, values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        assert layer == len(self.layers)
        self.layers.append(self.Layer(keys, values))
        return keys, values

    def behind(self, canvases: Canvases, windows: list[int | None]) -> "_Prefix":
        """For each canvas the keys and values that it may see: those of its window right before it."""
        prefix = _Prefix()
        for layer, window in zip(self.layers, windows, strict=True):
            if window is None:
                seen = [tensor[canvases.document] for tensor in (layer.keys, layer.values)]
            else:
                place = _places(canvases.start, window, layer.keys.shape[2])[:, None, :, None]
                place = place.clamp(min=0).expand(-1, layer.keys.shape[1], -1, layer.keys.shape[3])
                seen = [tensor[canvases.document].gather(2, place) for tensor in (layer.keys, layer.values)]
            prefix.layers.append(self.Layer(*seen))
        return prefix


def _places(start: Tensor, window: int | None, length: int) -> Tensor:
    """Which prefix tokens the canvases at ``start`` (B) are shown; negative where there is none."""
    if window is None:
        return torch.arange(length, device=start.device).expand(len(start), -1)
    return start[:, None] - torch.arange(window - 1, 0, -1, device=start.device)


class Trainer:
    """The losses of one model on batches of examples."""

    def __init__(self, model: DiffusionGemmaForBlockDiffusion, compiled: bool):
        self.model = model
        # Typed loosely: transformers' modules are their own only documentation of what they call with what.
        self.encoder: Any = model.model.encoder.language_model
        self.decoder: Any = model.model.decoder
        text: Any = self.decoder.text_config
        self.kinds: list[str] = text.layer_types
        self.windows = {"sliding_attention": text.sliding_window, "full_attention": None}
        self.cap = model.final_logit_softcapping
        self._loss: Callable = self.loss_and_guess
        if compiled:
            torch._dynamo.config.cache_size_limit = 64  # every layer is compiled on its own
            self._loss = torch.compile(self._loss, dynamic=True)
            for layer in self.encoder.layers:
                layer.forward = torch.compile(layer.forward, dynamic=False)
            for layer in self.decoder.layers:
                layer.forward = torch.compile(layer.forward, dynamic=True)

    def losses(self, batch: Batch, seed: tuple[int, ...]) -> dict[str, Tensor]:
        """Each loss by name, the mean over its tokens in nats."""
        device = self.model.device
        generator = torch.Generator(device).manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            # 1. The encoder reads every document.
            ids = torch.from_numpy(batch.ids).to(device)
            prefix = _Prefix()
            hidden = self._read(ids, prefix)
            losses = {"next_token": self._loss(hidden[:, :-1].flatten(0, 1), ids[:, 1:].flatten())[0]}
            if batch.canvases is not None:
                first, second = self._fill(batch.canvases.to(device), prefix, generator)
                losses |= {"first_pass": first, "second_pass": second}
        return losses

    def _fill(self, canvases: Canvases, prefix: _Prefix, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        free, target = canvases.free, canvases.target
        device, embed = free.device, self.decoder.embed_tokens
        wanted, pinned = target[free], embed(target)  # F, B W C
        noise = torch.randint(len(embed.weight), free.shape, generator=generator, device=device)
        place, temperature = (torch.rand(shape, generator=generator, device=device) for shape in ((len(wanted), 1), 1))
        # 2. First pass: noise on all free positions, which are marked, or the text that stands there.
        seen = prefix.behind(canvases, [self.windows[kind] for kind in self.kinds])
        shown = canvases.standing.where(canvases.standing >= 0, noise)
        hidden = self._decode(*self.begun(canvases, shown), canvases, seen)
        temperature = COOLEST + (HOTTEST - COOLEST) * temperature
        first, guess, unsure, proposed = self._loss(hidden[free], wanted, temperature, place)
        # 3. Second pass: conditioned on what the first one predicts.
        unsure, proposal = (
            unsure.new_zeros(free.shape).masked_scatter(free, unsure),
            target.masked_scatter(free, proposed),
        )
        kept = self.kept(canvases, unsure, proposal, generator)
        shown = canvases.standing.where(canvases.standing >= 0, noise.roll(1, 0))
        current = torch.where(free & (kept < 0), shown, torch.where(free, kept, target))
        hidden = self._decode(current, self.conditioned(free, pinned, guess), canvases, seen)
        counted = self.counted(canvases, current)
        second = self._loss(hidden[counted], target[counted])[0]
        return first, second

    def begun(self, canvases: Canvases, shown: Tensor) -> tuple[Tensor, Tensor]:
        """The canvases of the first pass (B W) with these tokens on free positions, and what conditions it (B W C), as
        ``denoise.begin`` has them."""
        embed, free, stands = self.decoder.embed_tokens, canvases.free, canvases.standing >= 0
        marked = self.marked(free, embed(canvases.target))
        marked = torch.where(stands[..., None], BELIEF * embed(shown) + (1 - BELIEF) * marked, marked)
        return torch.where(free, shown, canvases.target), marked

    def marked(self, free: Tensor, pinned: Tensor) -> Tensor:
        """What conditions the first pass (B W C): pins themselves, free positions the mean of all tokens."""
        embed = self.decoder.embed_tokens
        return torch.where(free[..., None], embed.weight.mean(0) * embed.embed_scale, pinned)

    def conditioned(self, free: Tensor, pinned: Tensor, guess: Tensor) -> Tensor:
        """What conditions the second pass (B W C): pins themselves, free positions what is expected there (F C)."""
        return pinned.masked_scatter(free[..., None], guess.to(pinned.dtype))

    def kept(self, canvases: Canvases, unsure: Tensor, proposal: Tensor, generator: torch.Generator) -> Tensor:
        """The tokens known on the second pass' canvas (B W), -1 where none is: of half of the canvases what the
        sampler would accept of the ``proposal``, of the others any share of the truth."""
        accepted = accept(unsure, BOUND)
        shape = (len(unsure), 1)
        sampled, level = (torch.rand(shape, generator=generator, device=unsure.device) for _ in range(2))
        true = torch.rand(unsure.shape, generator=generator, device=unsure.device) > level
        return torch.where(sampled < 0.5, proposal.where(accepted, -1), canvases.target.where(true, -1))

    def counted(self, canvases: Canvases, current: Tensor) -> Tensor:  # noqa: ARG002  (for the ablations)
        """The positions of the ``current`` canvas that the second pass' loss is about (B W bool)."""
        return canvases.free

    def loss_and_guess(
        self, hidden: Tensor, target: Tensor, temperature: Tensor | None = None, place: Tensor | None = None
    ):
        """Cross-entropy of ``target`` (F) given ``hidden`` (F C); at a ``temperature`` also the embedding expected
        (F C), the entropy in nats (F), and the token at ``place`` (F 1, uniform) in the cumulative distribution (F)."""
        weight = self.decoder.embed_tokens.weight
        logits = torch.tanh(F.linear(hidden, weight).float() / self.cap) * self.cap
        loss = F.cross_entropy(logits, target)
        if temperature is None or place is None:
            return loss, None, None, None
        with torch.no_grad():
            probabilities = (logits / temperature).softmax(-1)
            guess = (probabilities.to(weight.dtype) @ weight) * self.decoder.embed_tokens.embed_scale
            drawn = torch.searchsorted(probabilities.cumsum(-1), place).squeeze(-1).clamp(max=weight.shape[0] - 1)
            return loss, guess, entropy(probabilities), drawn

    def _read(self, ids: Tensor, cache: _Prefix) -> Tensor:
        length = ids.shape[1]
        place = torch.arange(length, device=ids.device)
        distance = place[:, None] - place
        masks = {
            kind: None if window is None else ((distance >= 0) & (distance < window))[None, None]
            for kind, window in self.windows.items()
        }
        return self._layers(self.encoder, self.encoder.embed_tokens(ids), place[None], masks, cache)

    def _decode(self, ids: Tensor, soft: Tensor, canvases: Canvases, seen: _Prefix) -> Tensor:
        start, (_, width) = canvases.start, ids.shape
        masks = {}
        for kind, window in self.windows.items():
            length = seen.layers[self.kinds.index(kind)].keys.shape[2]
            place = _places(start, window, length)
            shown = (place >= 0) & (place < start[:, None])
            masks[kind] = F.pad(shown, (0, width), value=True)[:, None, None].expand(-1, -1, width, -1)
        hidden = self.decoder.self_conditioning(self.decoder.embed_tokens(ids), soft)
        position = start[:, None] + torch.arange(width, device=start.device)
        return self._layers(self.decoder, hidden, position, masks, seen)

    def _layers(self, stack: Any, hidden: Tensor, position: Tensor, masks: dict, cache: _Prefix) -> Tensor:
        rotary = {kind: stack.rotary_emb(hidden, position, kind) for kind in self.windows}
        for layer, kind in zip(stack.layers, self.kinds, strict=True):
            hidden = layer(hidden, position_embeddings=rotary[kind], attention_mask=masks[kind], past_key_values=cache)
        return stack.norm(hidden)


class Run:
    """One training run in a folder: what is needed to go on, as safetensors."""

    def __init__(self, folder: Path, model: DiffusionGemmaForBlockDiffusion, learning_rate: float):
        self.folder, self.model, self.learning_rate, self.step = folder, model, learning_rate, 0
        parameters = {name: p for name, p in model.named_parameters() if "vision" not in name}
        matrices = {
            name for name, p in parameters.items() if p.ndim > 1 and "embed" not in name and "router" not in name
        }
        rest = [p for name, p in parameters.items() if name not in matrices]
        self.parameters = list(parameters.values())
        self.optimizers = [
            Muon([parameters[name] for name in sorted(matrices)], learning_rate, weight_decay=0.05),
            torch.optim.AdamW(rest, learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        ]

    def update(self, share: float) -> None:
        """One optimizer step at ``share`` of the learning rate, with the gradients of all processes."""
        if dist.is_initialized():
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            flat /= dist.get_world_size()
            for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(mean.view_as(gradient))
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * share
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1

    def save(self) -> None:
        """Write the state so that a crash in the middle leaves the one before."""
        tensors = {f"model.{name}": p for name, p in self.model.named_parameters()}
        for number, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{index}.{key}": value for key, value in state.items()}
        temporary = self.folder / "state.part"
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, temporary, {"step": str(self.step)})
        temporary.replace(self.folder / "state.safetensors")

    def resume(self) -> bool:
        """Go on from the folder's state, if there is one."""
        path = self.folder / "state.safetensors"
        if not path.exists():
            return False
        tensors = load_file(path)
        self.take({name.removeprefix("model."): value for name, value in tensors.items()})
        for number, optimizer in enumerate(self.optimizers):
            states: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer.{number}."):
                    _, _, index, name = key.split(".")
                    states.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
        return True

    def take(self, tensors: dict[str, Tensor]) -> None:
        """Use these weights."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[name])


def weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a run's folder or of a checkpoint's."""
    state = folder / "state.safetensors"
    if state.exists():
        return {name.removeprefix("model."): value for name, value in load_file(state).items()}
    model = DiffusionGemmaForBlockDiffusion.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return dict(model.named_parameters())


def export(model: DiffusionGemmaForBlockDiffusion, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config, generation settings, bf16 weights and tokenizer as the released model has them."""
    copy = DiffusionGemmaForBlockDiffusion(model.config)
    copy.load_state_dict(model.state_dict())
    copy.generation_config = generation_config(tokenizer)
    copy.bfloat16().save_pretrained(folder)
    save(tokenizer, folder)


def rate(step: int, steps: int, decay: int) -> float:
    """The share of the learning rate at ``step``: warm-up, constant, linear fall to zero."""
    return min(1.0, (step + 1) / WARMUP, max(0.0, (steps - step) / max(1, decay)))


def train(
    run: Run,
    trainer: Trainer,
    examples: Examples,
    steps: int,
    decay: int,
    heldout: Examples | None = None,
    judge: Trainer | None = None,
    workers: int = 0,
) -> dict[str, float]:
    """Go on with ``run`` up to ``steps``, saving and logging on the way; the last entry of the log.

    The losses on ``heldout`` are those of ``judge``, by default the trainer itself. So many ``workers`` make batches
    ahead, each in its own process.
    """
    judge = judge or trainer
    rank, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    began, sums = time.monotonic(), []
    saved = began
    entry: dict[str, float] = {}
    numbers = range(run.step * processes + rank, steps * processes, processes)
    for batch in DataLoader(examples, batch_size=None, sampler=numbers, num_workers=workers):
        losses = trainer.losses(batch, (examples.seed, run.step * processes + rank))
        torch.stack(list(losses.values())).sum().backward()
        run.update(rate(run.step, steps, decay))
        sums.append(torch.stack([loss.detach() for loss in losses.values()]))
        last = run.step == steps
        if rank == 0 and (run.step % LOGGED_EVERY == 0 or last):
            entry = dict(zip(losses, torch.stack(sums).mean(0).tolist(), strict=True))
            entry["seconds_per_step"] = (time.monotonic() - began) / len(sums)
            if heldout and (run.step % EVALUATED_EVERY == 0 or last):
                with torch.no_grad():
                    seen = [judge.losses(heldout[number], (1, number)) for number in range(8)]
                entry |= {f"heldout_{name}": float(np.mean([one[name].item() for one in seen])) for name in losses}
            began, sums = time.monotonic(), []
            entry = {"step": run.step} | {key: round(value, 4) for key, value in entry.items()}
            print(entry, flush=True)
            with (run.folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            if last or began - saved > SAVED_EVERY:
                run.save()
                saved = began
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--size", choices=SIZES, default="nano")
    parser.add_argument("--objective", choices=OBJECTIVES, default="fill")
    parser.add_argument("--from", dest="origin", type=Path, metavar="FOLDER", help="begin with these weights")
    parser.add_argument("--heldout", type=Path, help="token file that is never trained on; its losses are printed")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--decay", type=int, default=1000)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--documents", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches ahead")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument(
        "--export", type=Path, metavar="FOLDER", help="write the checkpoint at the end (--steps 0: of what there is)"
    )
    args = parser.parse_args()

    if "RANK" in os.environ:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    model = fresh(config(tokenizer, SIZES[args.size])).train().to(device)  # pyright: ignore[reportArgumentType]
    model.set_experts_implementation(DENSE if device.type == "cuda" else "grouped_mm")
    args.folder.mkdir(parents=True, exist_ok=True)
    run = Run(args.folder, model, args.learning_rate)
    if not run.resume() and args.origin:
        run.take(weights(args.origin))
    trainer = Trainer(model, compiled=not args.eager)
    examples = Examples(np.load(args.tokens, mmap_mode="r"), tokenizer, args.objective, args.documents, args.seed)
    heldout = None
    if args.heldout:
        heldout = Examples(np.load(args.heldout), tokenizer, args.objective, args.documents, seed=1)

    train(run, trainer, examples, args.steps, args.decay, heldout, workers=args.workers)
    if args.export and os.environ.get("RANK", "0") == "0":
        export(model, tokenizer, args.export)


if __name__ == "__main__":
    main()
