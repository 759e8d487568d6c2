"""Trains the mini checkpoint.

    python -m palimpsest.engine.training.train TOKENS.npy WORK_DIR [--steps N] [--decay N] [--export FOLDER]

Uniform-state block diffusion as the released model was trained: every free position is replaced by a uniform token with
a probability drawn per canvas, flat cross-entropy over the free positions, plus the encoder's next-token loss, and
self-conditioning in half the steps. For filling: holes with slack between clean tokens (see ``examples.py``), and the
free positions are marked from the first pass (the mean embedding instead of their own as self-conditioning).

Training stops at ``--steps``, saves often, and goes on where it was when started again; the learning rate is constant
but for a linear fall over the last ``--decay`` steps, so a longer run is the same run with a larger ``--steps``.

Shapes: D documents, T prefix tokens, L canvas tokens a document, C hidden, F free positions in the batch, V vocabulary.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import DiffusionGemmaForBlockDiffusion

from palimpsest.engine.training.architecture import mini_config, mini_generation_config
from palimpsest.engine.training.examples import Batch, Examples
from palimpsest.engine.training.optimizer import Muon

CHECKPOINT = Path(__file__).parents[2] / "resources" / "mini"
LEARNING_RATE = 2e-3
WARMUP = 100


class _Prefix:
    """The keys and values of one training batch, in the form the model's layers read; nothing is ever dropped."""

    is_compileable = False

    class Layer:
        keys: Tensor
        values: Tensor

    def __init__(self, layers: int):
        self.layers = [self.Layer() for _ in range(layers)]

    def update(self, keys: Tensor, values: Tensor, layer: int):
        self.layers[layer].keys, self.layers[layer].values = keys, values
        return keys, values


class Trainer:
    def __init__(self, model: DiffusionGemmaForBlockDiffusion, compiled: bool):
        self.model = model
        # Typed loosely: transformers' modules are their own only documentation of what they call with what.
        self.encoder: Any = model.model.encoder.language_model
        self.decoder: Any = model.model.decoder
        self.types: list[str] = self.decoder.text_config.layer_types
        self.cap = model.final_logit_softcapping
        if compiled:
            self._loss = torch.compile(self._loss, dynamic=True)
            torch._dynamo.config.cache_size_limit = 64  # every layer is compiled on its own
            for layer in [*self.encoder.layers, *self.decoder.layers]:
                layer.forward = torch.compile(layer.forward, dynamic=False)

    def losses(self, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Diffusion loss and next-token loss, each the mean over its tokens, in nats."""
        prefix, target, canvas, free, start = (
            torch.from_numpy(array) for array in (batch.prefix, batch.target, batch.canvas, batch.free, batch.start)
        )
        with torch.autocast("cpu", torch.bfloat16):
            # 1. Encoder: next-token loss and the prefix that every canvas reads a part of.
            cache = _Prefix(len(self.types))
            hidden = self._layers(self.encoder, self.encoder.embed_tokens(prefix), None, cache, None)
            next_token = self._loss(hidden[:, :-1].flatten(0, 1), prefix[:, 1:].flatten())
            # 2. Decoder: pins are conditioned on themselves, free positions on nothing known or on the first pass.
            mask = self._mask(start, prefix.shape[1], batch.width)  # D 1 L T+L
            position = start + torch.arange(batch.width).repeat(start.shape[1] // batch.width)  # D L
            embedded = self.decoder.embed_tokens(canvas)  # D L C
            weight = self.decoder.embed_tokens.weight
            scale = self.decoder.embed_tokens.embed_scale
            soft = torch.where(free[..., None], weight.mean(0) * scale, embedded)
            if rng.random() < 0.5:
                with torch.no_grad():
                    logits = self._logits(self._decode(embedded, soft, mask, position, cache)[free])  # F V
                    known = (logits / rng.uniform(0.4, 1.0)).softmax(-1).to(weight.dtype)
                guess = (known @ weight) * scale  # F C
                soft = soft.masked_scatter(free[..., None], guess.to(soft.dtype))
            hidden = self._decode(embedded, soft, mask, position, cache)
            diffusion = self._loss(hidden[free], target[free])
        return diffusion, next_token

    def _decode(self, embedded: Tensor, soft: Tensor, mask: Tensor, position: Tensor, cache: _Prefix) -> Tensor:
        return self._layers(self.decoder, self.decoder.self_conditioning(embedded, soft), mask, cache, position)

    def _layers(self, stack: Any, hidden: Tensor, mask, cache: _Prefix, position: Tensor | None) -> Tensor:
        if position is None:
            position = torch.arange(hidden.shape[1])[None]
        rotary = {kind: stack.rotary_emb(hidden, position, kind) for kind in set(self.types)}
        for layer, kind in zip(stack.layers, self.types, strict=True):
            hidden = layer(hidden, position_embeddings=rotary[kind], attention_mask=mask, past_key_values=cache)
        return stack.norm(hidden)

    def _mask(self, start: Tensor, length: int, width: int) -> Tensor:
        """True where a canvas position looks: the prefix before its canvas, and its own canvas."""
        before = torch.arange(length) < start[..., None]  # D L T
        block = torch.arange(start.shape[1]) // width
        own = (block[:, None] == block[None, :]).expand(len(start), -1, -1)  # D L L
        return torch.cat([before, own], dim=-1)[:, None]

    def _logits(self, hidden: Tensor) -> Tensor:
        return torch.tanh(self.model.lm_head(hidden).float() / self.cap) * self.cap

    def _loss(self, hidden: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(self._logits(hidden), target)


class Run:
    """One training run in a folder: what is needed to go on, as safetensors and JSON."""

    def __init__(self, folder: Path, model: DiffusionGemmaForBlockDiffusion):
        self.folder, self.model, self.step = folder, model, 0
        parameters = {name: p for name, p in model.named_parameters() if "vision" not in name}
        matrices = {name for name, p in parameters.items() if p.ndim > 1 and "embed" not in name}
        rest = [p for name, p in parameters.items() if name not in matrices]
        self.optimizers = [
            Muon([parameters[name] for name in sorted(matrices)], LEARNING_RATE, weight_decay=0.05),
            torch.optim.AdamW(rest, LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def update(self, share: float) -> None:
        """One optimizer step at ``share`` of the learning rate."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * share
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

    def resume(self) -> None:
        """Go on from the folder's state, if there is one."""
        path = self.folder / "state.safetensors"
        if not path.exists():
            return
        tensors = load_file(path)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        for number, optimizer in enumerate(self.optimizers):
            states: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer.{number}."):
                    _, _, index, name = key.split(".")
                    states.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])


def export(model: DiffusionGemmaForBlockDiffusion, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config, generation settings and bf16 weights as the released model has them."""
    model.generation_config = mini_generation_config(tokenizer)
    copy = DiffusionGemmaForBlockDiffusion(model.config)
    copy.load_state_dict(model.state_dict())
    copy.generation_config = model.generation_config
    copy.bfloat16().save_pretrained(folder)


def rate(step: int, steps: int, decay: int) -> float:
    """The share of the learning rate at ``step``: warm-up, constant, linear fall to zero."""
    return min(1.0, (step + 1) / WARMUP, max(0.0, (steps - step) / max(1, decay)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--heldout", type=Path, help="token file that is never trained on; its losses are printed")
    parser.add_argument("--tokenizer", type=Path, default=CHECKPOINT)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--decay", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument(
        "--export", type=Path, help="write the checkpoint here at the end (--steps 0: of what there is)"
    )
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    model = DiffusionGemmaForBlockDiffusion(mini_config(tokenizer)).train()
    model.set_experts_implementation("grouped_mm")
    args.folder.mkdir(parents=True, exist_ok=True)
    run = Run(args.folder, model)
    run.resume()
    trainer = Trainer(model, compiled=not args.eager)
    examples = Examples(np.load(args.tokens, mmap_mode="r"), tokenizer, args.documents, args.seed)
    heldout = Examples(np.load(args.heldout), tokenizer, args.documents, 1) if args.heldout else None

    began, sums = time.monotonic(), []
    while run.step < args.steps:
        rng = np.random.default_rng((args.seed, 1, run.step))
        diffusion, next_token = trainer.losses(examples.batch(run.step), rng)
        (diffusion + next_token).backward()
        run.update(rate(run.step, args.steps, args.decay))
        sums.append((diffusion.item(), next_token.item()))
        if run.step % 50 == 0 or run.step == args.steps:
            means = np.mean(sums, axis=0)
            entry = {"step": run.step, "diffusion": means[0], "next_token": means[1]}
            if heldout and (run.step % 250 == 0 or run.step == args.steps):
                with torch.no_grad():
                    pairs = [trainer.losses(heldout.batch(i), np.random.default_rng(i)) for i in range(8)]
                entry |= {
                    f"heldout_{k}": v for k, v in zip(("diffusion", "next_token"), np.mean(pairs, axis=0), strict=True)
                }
            entry["seconds_per_step"] = (time.monotonic() - began) / len(sums)
            began, sums = time.monotonic(), []
            entry = {key: round(float(value), 4) if key != "step" else value for key, value in entry.items()}
            print(entry, flush=True)
            with (args.folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            run.save()
    if args.export:
        export(model, tokenizer, args.export)


if __name__ == "__main__":
    main()
