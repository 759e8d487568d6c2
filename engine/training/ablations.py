"""What each choice in the recipe is worth: short runs of the small checkpoint, alike but for one thing.

    python -m palimpsest.engine.training.ablations TOKENS.npy HELDOUT.npy WORK_DIR --tokenizer FOLDER --from RUN
        [--steps N] [NAME...]

Those of the objective begin with the weights of a *read* run, those of the shape with none and learn to read. All are
judged by the losses of the shipped recipe on the same held-out examples, conditioned as they were trained.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from palimpsest.engine.sampler import accept
from palimpsest.engine.training import examples as recipe
from palimpsest.engine.training.architecture import SIZES, Size, config, fresh
from palimpsest.engine.training.examples import Canvases, Examples
from palimpsest.engine.training.train import BOUND, Run, Trainer, train, weights

NANO = SIZES["nano"]
SHAPES: dict[str, Size] = {
    "4 experts, dense width 384": NANO,
    "8 experts": replace(NANO, experts=8),
    "16 experts": replace(NANO, experts=16),
    "dense width 192": replace(NANO, dense=192),
    "dense width 576": replace(NANO, dense=576),
}


class ScatteredNoise(Examples):
    """Free positions drawn one by one instead of holes."""

    def _canvas(self, rng, window, width, least):
        start = int(rng.integers(least, recipe.LENGTH - 1))
        target = self._until_eos(window[start : start + width])
        free = rng.random(width) < rng.uniform(0.1, 0.9)
        free[0] = True
        return target, free, np.full(width, -1), start


class NoSlack(Examples):
    """Holes as long as what they hold: lengths are left to candidates."""

    def _slack(self, rng, room):  # noqa: ARG002
        return 0


class PinsOnNothing(Trainer):
    """Pinned positions without self-conditioning."""

    def marked(self, free, pinned):
        return super().marked(free, pinned) * free[..., None]

    def conditioned(self, free, pinned, guess):
        return super().conditioned(free, pinned, guess) * free[..., None]


class Unmarked(Trainer):
    """No conditioning in the first pass, as in the released model: nothing tells pins from free positions."""

    def marked(self, free, pinned):  # noqa: ARG002
        return torch.zeros_like(pinned)


class UniformNoise(Trainer):
    """The second pass on the released objective's canvases only: the truth and uniform noise."""

    def kept(self, canvases, unsure, proposal, generator):  # noqa: ARG002
        level = torch.rand(len(unsure), 1, generator=generator, device=unsure.device)
        true = torch.rand(unsure.shape, generator=generator, device=unsure.device) > level
        return canvases.target.where(true, -1)


class SampledOnly(Trainer):
    """The second pass on the sampler's canvases only."""

    def kept(self, canvases, unsure, proposal, generator):  # noqa: ARG002
        return proposal.where(accept(unsure, BOUND), -1)


class LeaveOneOut(Trainer):
    """The second pass' loss on positions that do not show the truth: what stands there itself is of no help (a cheap
    form of the leave-one-out denoiser, arXiv 2605.22765)."""

    def counted(self, canvases: Canvases, current: Tensor) -> Tensor:
        return canvases.free & (current != canvases.target)


OBJECTIVES: dict[str, tuple[type[Examples], type[Trainer]]] = {
    "as shipped": (Examples, Trainer),
    "scattered noise, no holes": (ScatteredNoise, Trainer),
    "no slack": (NoSlack, Trainer),
    "pins conditioned on nothing": (Examples, PinsOnNothing),
    "free positions not marked": (Examples, Unmarked),
    "second pass: uniform noise": (Examples, UniformNoise),
    "second pass: the sampler's": (Examples, SampledOnly),
    "loss leaves out what is shown": (Examples, LeaveOneOut),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("heldout", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", choices=[*SHAPES, *OBJECTIVES, []], metavar="NAME", help="all by default")
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--from", dest="origin", type=Path, metavar="RUN", required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--documents", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    tokens, unseen = np.load(args.tokens, mmap_mode="r"), np.load(args.heldout)
    for name in args.names or [*OBJECTIVES, *SHAPES]:
        objective, size = ("read", SHAPES[name]) if name in SHAPES else ("fill", NANO)
        kind, trainer = OBJECTIVES.get(name, (Examples, Trainer))
        torch.manual_seed(0)
        model = fresh(config(tokenizer, size)).train()
        model.set_experts_implementation("grouped_mm")
        folder = args.folder / name.replace(" ", "_").replace(":", "")
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(folder, model, 4e-3)
        if objective == "fill":
            run.take(weights(args.origin))
        heldout = Examples(unseen, tokenizer, objective, args.documents, seed=1)
        last = train(
            run,
            trainer(model, compiled=True),
            kind(tokens, tokenizer, objective, args.documents, seed=2),
            args.steps,
            args.steps // 3,
            heldout,
            judge=(trainer if trainer in (PinsOnNothing, Unmarked) else Trainer)(model, compiled=False),
        )
        with (args.folder / "results.jsonl").open("a") as results:
            results.write(json.dumps({"name": name} | last) + "\n")


if __name__ == "__main__":
    main()
