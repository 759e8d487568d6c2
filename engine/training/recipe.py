"""Makes a checkpoint from text files, stage after stage; what is finished is not done again.

    python -m palimpsest.engine.training.recipe nano|mini TEXT_DIR WORK_DIR [--rival]

``TEXT_DIR`` holds what ``sources.py`` writes. *nano* is for two CPU cores; *mini* takes eight minutes on an H200.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from palimpsest.engine.training.architecture import SIZES


@dataclass(frozen=True)
class Recipe:
    """How much text, in MiB of code and of prose, and how many steps of how many documents."""

    tokenizer: tuple[int, int]
    text: tuple[int, int]
    read: int
    fill: int
    decay: int
    read_documents: int
    fill_documents: int
    options: tuple[object, ...] = ()  # of train.py


RECIPES = {
    "nano": Recipe((45, 20), (110, 40), read=700, fill=1500, decay=500, read_documents=8, fill_documents=8),
    # Compiled, the first step would take longer than a quarter of all steps.
    "mini": Recipe(
        (45, 20),
        (290, 110),
        read=682,
        fill=1170,
        decay=585,
        read_documents=64,
        fill_documents=32,
        options=("--learning-rate", 3e-3, "--workers", 8, "--eager"),
    ),
}


def stages(size: str, text: Path, work: Path, rival: bool) -> list[tuple[Path, list[object]]]:
    """What each stage leaves behind, and the module that makes it with its arguments."""
    recipe = RECIPES[size]
    files = [text / f"{name}.txt.xz" for name in ("code", "prose")]
    heldout = [text / f"heldout_{name}.txt.xz" for name in ("code", "prose")]
    tokenizer, tokens, unseen, read = (work / name for name in ("tokenizer", "tokens.npy", "heldout.npy", "read"))
    common = [tokens, "--tokenizer", tokenizer, "--size", size, "--heldout", unseen, *recipe.options]

    def trained(name: str, objective: str) -> tuple[Path, list[object]]:
        whole = ["--from", read, "--steps", recipe.fill, "--decay", recipe.decay, "--documents", recipe.fill_documents]
        export = work / f"{name}-checkpoint"
        return export, ["train", *common, work / name, "--objective", objective, *whole, "--export", export]

    vocabulary = ["--size", SIZES[size].vocabulary, "--megabytes", *recipe.tokenizer]
    reading = ["--steps", recipe.read, "--decay", 0, "--documents", recipe.read_documents, "--export", work / "reader"]
    return [
        (tokenizer / "tokenizer.json", ["tokenizer", tokenizer, *files, *vocabulary]),
        (tokens, ["corpus", tokenizer, tokens, *files, "--megabytes", *recipe.text, "--heldout", *heldout]),
        (unseen, ["corpus", tokenizer, unseen, *heldout]),
        (work / "reader", ["train", *common, read, "--objective", "read", *reading]),
        trained("fill", "fill"),
        *([trained("left-to-right", "left-to-right")] if rival else []),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=RECIPES)
    parser.add_argument("text", type=Path, metavar="TEXT_DIR")
    parser.add_argument("work", type=Path, metavar="WORK_DIR")
    parser.add_argument("--rival", action="store_true", help="train the left-to-right model too")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for made, (module, *arguments) in stages(args.size, args.text, args.work, args.rival):
        if not made.exists():
            command = [sys.executable, "-m", f"palimpsest.engine.training.{module}", *map(str, arguments)]
            print("+", *command, flush=True)
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
