"""The training script: examples that fit, and a run that goes on exactly where it stopped."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from conftest import REAL_FILE
from palimpsest.engine import Fill, open_backend
from palimpsest.engine.prompt import build
from palimpsest.engine.training.corpus import encode
from palimpsest.engine.training.examples import Examples, damage, rewrite_prompt
from palimpsest.engine.training.optimizer import orthogonalise
from palimpsest.engine.weights import SHIPPED


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))


@pytest.fixture(scope="module")
def tokens(tokenizer):
    return encode(tokenizer, [file.read_text() for file in sorted(REAL_FILE.parent.glob("t*.py"))])


def test_every_example_is_a_text_with_holes(tokenizer, tokens):
    examples = Examples(tokens, tokenizer, documents=8, seed=0)
    seen = set()
    for step in range(40):
        batch = examples.batch(step)
        seen.add(batch.width)
        assert batch.target.shape == batch.canvas.shape == batch.free.shape == batch.start.shape
        # Pins carry no noise, and slack stands in holes only.
        assert (batch.canvas == batch.target)[~batch.free].all()
        assert not (batch.target == examples.delete)[~batch.free].any()
        assert batch.start.min() >= 1
        assert batch.start.max() <= batch.prefix.shape[1]
        assert batch.free.any()
    assert len(seen) > 2


def test_a_step_s_batch_depends_on_seed_and_step_only(tokenizer, tokens):
    batches = [Examples(tokens, tokenizer, 4, seed).batch(step) for seed, step in [(0, 5), (0, 5), (1, 5), (0, 6)]]
    assert np.array_equal(batches[0].canvas, batches[1].canvas)
    assert not np.array_equal(batches[0].prefix, batches[2].prefix)
    assert not np.array_equal(batches[0].prefix, batches[3].prefix)


def test_rewriting_is_asked_as_in_training(tokenizer, mini):
    """The prompt the engine builds is, token by token, the one the model was trained on."""
    trained = tokenizer.encode(rewrite_prompt("Fix the typos", "teh end")).ids
    fill = Fill("", "", selected="teh end", instruction="Fix the typos")
    assert build(fill, mini.tokenizer, 256, 256, chats=False).prefix == [2, *trained]


def test_damage_is_what_the_instruction_undoes():
    rng = np.random.default_rng(0)
    text = "The quick brown fox, of London, jumps over the lazy dog. " * 4
    kinds = {}
    for _ in range(60):
        instruction, damaged = damage(rng, text)
        kinds[instruction.split()[-1]] = damaged
    assert kinds["capitals"] == text.lower()
    assert kinds["punctuation"] == text.replace(",", "").replace(".", "")
    assert kinds["spelling"] != text


def test_orthogonalised_updates_have_singular_values_near_one():
    for shape in [(3, 40, 20), (20, 40)]:
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        values = torch.linalg.svdvals(orthogonalise(matrix))
        assert 0.5 < values.min() < values.max() < 1.5


def train(tokens, folder, steps, *more):
    command = [sys.executable, "-m", "palimpsest.engine.training.train", tokens, folder, "--steps", str(steps)]
    options = ["--decay", "0", "--documents", "1", "--threads", "1", "--eager", *map(str, more)]
    subprocess.run([*map(str, command), *options], check=True, capture_output=True)


def test_a_run_resumes_to_the_same_weights_and_its_export_loads(tokens, tmp_path):
    np.save(tmp_path / "tokens.npy", tokens)
    train(tmp_path / "tokens.npy", tmp_path / "whole", 4, "--export", tmp_path / "model")
    train(tmp_path / "tokens.npy", tmp_path / "parts", 2)
    train(tmp_path / "tokens.npy", tmp_path / "parts", 4)
    whole, parts = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    log = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [2, 4]
    (tmp_path / "model" / "tokenizer.json").write_bytes((SHIPPED / "tokenizer.json").read_bytes())
    open_backend(checkpoint=tmp_path / "model").load()
