"""The recipe's stages fit together."""

from pathlib import Path

import pytest

from palimpsest.engine.training import corpus, tokenizer, train
from palimpsest.engine.training.architecture import SIZES
from palimpsest.engine.training.recipe import RECIPES, stages

MODULES = {"corpus": corpus, "tokenizer": tokenizer, "train": train}


@pytest.mark.parametrize("size", RECIPES)
def test_each_stage_uses_what_an_earlier_one_made(size):
    made = {str(Path("text") / f"{name}.txt.xz") for name in ("code", "prose", "heldout_code", "heldout_prose")}
    work = Path("work")
    for product, (module, *arguments) in stages(size, Path("text"), work, rival=True):
        assert module in MODULES
        own = {str(product), str(product.parent)}
        used = {str(argument) for argument in arguments if isinstance(argument, Path)} - own
        folders = {str(work / name) for name in ("read", "fill", "left-to-right")}
        assert {name for name in used if name not in folders} <= made
        made |= own
    assert str(work / "left-to-right-checkpoint") in made
    assert set(RECIPES) == set(SIZES)
