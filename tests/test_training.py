"""The training script: examples that fit, the engine's own conditions, and a run that resumes exactly."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from conftest import REAL_FILE, drained
from palimpsest.engine import Fill, open_backend
from palimpsest.engine.canvas import Canvas, spaced
from palimpsest.engine.denoise import begin
from palimpsest.engine.prompt import build
from palimpsest.engine.training.corpus import encode
from palimpsest.engine.training.examples import LENGTH, MARKS, OBJECTIVES, Examples
from palimpsest.engine.training.optimizer import orthogonalise
from palimpsest.engine.training.rewriting import DAMAGES, aligned, choose, rewrite_prompt
from palimpsest.engine.training.train import Trainer, _Prefix
from palimpsest.engine.weights import SHIPPED


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))


@pytest.fixture(scope="module")
def tokens(tokenizer):
    return encode(tokenizer, [file.read_text() for file in sorted(REAL_FILE.parent.glob("t*.py"))])


def test_every_example_is_a_text_with_holes(tokenizer, tokens):
    examples = Examples(tokens, tokenizer, "fill", documents=8, seed=0)
    widths, held = set(), 0
    for step in range(40):
        batch = examples[step]
        canvases = batch.canvases
        assert canvases is not None
        target, free = canvases.target.numpy(), canvases.free.numpy()
        widths.add(target.shape[1])
        assert free.any(-1).mean() > 0.9
        assert not (target == examples.delete)[~free].any()  # slack stands in holes only
        for row, start, document in zip(target, canvases.start.tolist(), canvases.document.tolist(), strict=True):
            assert 1 <= start < LENGTH
            # Without slack and with its blanks where words have them, a canvas goes on where its document stops.
            text = tokenizer.decode(row[row != examples.delete].tolist())
            following = tokenizer.decode(batch.ids[document, start:].tolist())
            held += following.startswith(text[:20]) or text.startswith(following[:20])
    assert widths == {32, 64, 128, 256}
    assert held > 1300


def test_a_step_s_batch_depends_on_seed_and_step_only(tokenizer, tokens):
    for objective in OBJECTIVES:
        batches = [
            Examples(tokens, tokenizer, objective, 4, seed)[step] for seed, step in [(0, 5), (0, 5), (1, 5), (0, 6)]
        ]
        assert np.array_equal(batches[0].ids, batches[1].ids)
        assert not np.array_equal(batches[0].ids, batches[2].ids)
        assert not np.array_equal(batches[0].ids, batches[3].ids)


def test_the_left_to_right_rival_reads_what_follows_first(tokenizer, tokens):
    examples = Examples(tokens, tokenizer, "left-to-right", 8, seed=0)
    first, second = map(tokenizer.token_to_id, MARKS)
    for ids in examples[0].ids:
        before, _, rest = tokenizer.decode(ids.tolist(), skip_special_tokens=False).partition(MARKS[0])
        assert before != rest.partition(MARKS[1])[0]
        assert len(ids) == LENGTH
        assert before
        assert (ids == first).sum() in ((ids == second).sum(), (ids == second).sum() + 1)


def test_the_trainer_sees_what_the_engine_sees(tokenizer, tokens, tiny):
    """From one document and canvas, the logits of the first pass are those of the engine's first step."""
    trainer = Trainer(tiny.network, compiled=False)
    examples, revised = Examples(tokens, tokenizer, "fill", 2, seed=0), 0
    for step in (1, 3):
        batch = examples[step]
        canvases = batch.canvases
        assert canvases is not None
        prefix = _Prefix()
        with torch.no_grad():
            trainer._read(torch.from_numpy(batch.ids), prefix)
            seen = prefix.behind(canvases, tiny.windows)
            standing = canvases.standing.where(canvases.standing >= 0, canvases.target)
            shown, soft = trainer.begun(canvases, standing)
            hidden = trainer._decode(shown, soft, canvases, seen)
        for row in range(0, len(hidden), 3):
            ids = batch.ids[canvases.document[row]][: canvases.start[row]].tolist()
            view, _ = drained(tiny.shelf().read(ids))
            one = slice(row, row + 1)
            canvas = Canvas(shown[one], canvases.free[one], canvases.document[one, None])
            if (canvases.standing[row] >= 0).any():
                canvas, revised = replace(canvas, revised=True), revised + 1
                (guess,) = begin(canvas, tiny.vocabulary, torch.Generator()).guess or [None]
            else:
                guess = None
            expected = tiny.decode(view, canvas.ids, canvas.free, guess)
            torch.testing.assert_close(tiny._logits(hidden[row][canvas.free[0]]), expected, atol=1e-4, rtol=1e-4)
    assert revised


def test_pins_carry_no_noise_and_only_holes_are_learned(tokenizer, tokens, tiny):
    trainer = Trainer(tiny.network, compiled=False)
    canvases = Examples(tokens, tokenizer, "fill", 2, seed=0)[0].canvases
    assert canvases is not None
    generator = torch.Generator().manual_seed(0)
    unsure = torch.rand(canvases.free.shape, generator=generator).where(canvases.free, 0.0)
    proposal = torch.full_like(canvases.target, 77).where(canvases.free, canvases.target)
    kept = trainer.kept(canvases, unsure, proposal, generator)
    # A free position shows noise, what was proposed, or the truth.
    assert ((kept == -1) | (kept == 77) | (kept == canvases.target))[canvases.free].all()
    assert {int(value) for value in kept[canvases.free].unique()} > {-1, 77}
    loss, *_ = trainer.loss_and_guess(torch.zeros(5, 192), torch.arange(5))
    assert loss.item() == pytest.approx(np.log(tiny.vocabulary))


def test_rewriting_is_asked_as_in_training(tokenizer, mini):
    """The prompt the engine builds is, token by token, the one the model was trained on, and so is the canvas."""
    trained = tokenizer.encode(rewrite_prompt("Fix the typos")).ids
    fill = Fill("", "", selected="the end", instruction="Fix the typos")
    asked = build(fill, mini.tokenizer, 256, 256, chats=False)
    assert asked.prefix == [2, *trained]
    (ids,) = asked.selections
    assert spaced(ids, None, mini.delete) == [shown for shown, _ in aligned(ids, ids, mini.delete)]


def test_damaged_passages_stand_on_their_canvases(tokenizer, tokens):
    examples = Examples(tokens, tokenizer, "fill", documents=8, seed=0)
    intact = mended = 0
    for step in range(30):
        canvases = examples[step].canvases
        assert canvases is not None
        for row in (canvases.standing >= 0).any(-1).nonzero().flatten().tolist():
            standing, target, free = (part[row] for part in (canvases.standing, canvases.target, canvases.free))
            assert ((standing >= 0) == free).all()
            damaged, text = (
                tokenizer.decode([i for i in ids if i != examples.delete])
                for ids in (standing[free].tolist(), target[free].tolist())
            )
            intact += damaged == text
            mended += damaged != text
    assert mended > 200
    assert intact < 0.3 * mended


@pytest.mark.parametrize(
    ("standing", "wanted", "cells"),
    [
        ("ab", "ab", "-- aa -- bb --"),
        ("ab", "axb", "-- aa -x bb --"),
        ("ab", "axyb", "-- aa -x -y bb --"),
        ("ab", "xab", "-x aa -- bb --"),
        ("acb", "ab", "-- aa -- c- -- bb --"),
        ("acb", "axyb", "-- aa -- cx -y bb --"),
        ("acb", "axyzb", "-- aa -- cx -y -z bb --"),
        ("acdb", "axb", "-- aa -- cx -- d- -- bb --"),
    ],
)
def test_wanted_tokens_take_the_places_of_standing_ones_or_slack(standing, wanted, cells):
    found = aligned([ord(c) for c in standing], [ord(c) for c in wanted], ord("-"))
    assert ["".join(map(chr, cell)) for cell in found] == cells.split()


@pytest.mark.parametrize(
    ("name", "text", "damaged"),
    [
        ("capitals", "The King of England.", "the king of england."),
        ("punctuation", "Well, said he; (go)!", "Well said he go"),
        ("format", 'call(a, b = "x") -> y', "call(a,b='x')->y"),
        ("annotations", "def f(a: int, b: str = 'x') -> bool:", "def f(a, b = 'x'):"),
        ("docstring", 'def f():\n    """Says so."""\n    return 1', "def f():\n    return 1"),
    ],
)
def test_damage_is_what_the_instruction_undoes(name, text, damaged):
    assert DAMAGES[name][1](np.random.default_rng(0), text) == damaged


def test_only_what_changes_the_text_is_asked_for():
    rng = np.random.default_rng(0)
    kinds = {instruction: name for name, (instructions, _) in DAMAGES.items() for instruction in instructions}
    assert {kinds[choose(rng, "no capitals here and no marks either")[0]] for _ in range(60)} == {"typos"}
    assert {kinds[choose(rng, "A King, no less.")[0]] for _ in range(60)} == {
        "typos",
        "capitals",
        "punctuation",
        "format",
    }


def test_orthogonalised_updates_have_singular_values_near_one():
    for shape in [(3, 40, 20), (20, 40)]:
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        values = torch.linalg.svdvals(orthogonalise(matrix))
        assert 0.5 < values.min() < values.max() < 1.5


def train(tokens, folder, steps, *more):
    command = [sys.executable, "-m", "palimpsest.engine.training.train", tokens, folder, "--steps", steps]
    options = ["--tokenizer", SHIPPED, "--decay", 0, "--documents", 1, "--threads", 1, "--eager", *more]
    subprocess.run([*map(str, command + options)], check=True, capture_output=True)


def test_a_run_resumes_to_the_same_weights_and_its_export_loads(tokens, tmp_path):
    file = tmp_path / "tokens.npy"
    np.save(file, tokens)
    train(file, tmp_path / "read", 1, "--objective", "read")
    origin = ("--from", tmp_path / "read")
    train(file, tmp_path / "whole", 4, *origin, "--export", tmp_path / "model")
    train(file, tmp_path / "parts", 2, *origin)
    train(file, tmp_path / "parts", 4)
    read, whole, parts = (load_file(tmp_path / name / "state.safetensors") for name in ("read", "whole", "parts"))
    assert read.keys() <= whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    log = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [2, 4]
    open_backend(checkpoint=tmp_path / "model").load()
