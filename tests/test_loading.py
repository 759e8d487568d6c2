"""Checkpoints into memory: sharded ones, packed on the way, kept for the next start, and bad ones."""

import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import DiffusionGemmaForBlockDiffusion

from palimpsest.engine import PRECISIONS, loading
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.training.architecture import SIZES, config, generation_config
from palimpsest.engine.weights import SHIPPED

CPU = torch.device("cpu")


def load(folder, precision="bf16", cache=None, tell=lambda _: None):
    return loading.load(folder, precision, CPU, torch.float32, tell, cache)


@pytest.fixture
def sharded(tiny, tmp_path):
    """The tiny checkpoint in several files with an index."""
    folder = tmp_path / "sharded"
    tiny.network.save_pretrained(folder, max_shard_size="1MB")
    shutil.copy(SHIPPED / "tokenizer.json", folder)
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


def test_a_sharded_checkpoint_is_what_transformers_loads(sharded):
    theirs = DiffusionGemmaForBlockDiffusion.from_pretrained(sharded, dtype=torch.float32).state_dict()
    ours = load(sharded)
    assert ours.state_dict().keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.state_dict().items())
    assert not any(tensor.is_meta for tensor in [*ours.parameters(), *ours.buffers()])
    assert ours.lm_head.weight is ours.model.decoder.embed_tokens.weight


def test_buffers_that_no_file_holds_are_computed(sharded):
    theirs = DiffusionGemmaForBlockDiffusion.from_pretrained(sharded, dtype=torch.float32)
    ours = dict(load(sharded).named_buffers())
    assert all(torch.equal(value, ours[name]) for name, value in theirs.named_buffers())


def test_progress_is_told_and_may_end_it(sharded):
    told = []
    load(sharded, tell=told.append)
    assert [event.done for event in told] == sorted({event.done for event in told})
    assert told[-1].done == told[-1].total
    assert told[-1].left == 0

    class GivenUpError(Exception):
        pass

    def give_up(event):
        if event.done > event.total / 2:
            raise GivenUpError

    with pytest.raises(GivenUpError):
        load(sharded, "int4", cache=sharded.parent / "cache", tell=give_up)
    assert not list((sharded.parent / "cache").iterdir())


@pytest.mark.parametrize("precision", ["fp8", "int4"])
def test_what_was_packed_is_kept(sharded, tmp_path, precision, monkeypatch):
    cache = tmp_path / "cache"
    first = load(sharded, precision, cache).state_dict()
    monkeypatch.setattr(loading, "pack", None)  # the second time nothing is packed
    second = load(sharded, precision, cache).state_dict()
    assert all(torch.equal(value.float(), second[name].float()) for name, value in first.items())
    (kept,) = cache.iterdir()
    assert json.loads((kept / "packed.json").read_text())["precision"] == precision


def change_a_weight(sharded, _kept):
    file = next(file for file in sharded.glob("*.safetensors") if "experts.down_proj" in str(load_file(file).keys()))
    tensors = {name: value + 1 for name, value in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})


def cut_what_is_kept(_sharded, kept):
    file = next(kept.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])


def age_what_is_kept(_sharded, kept):
    (kept / "packed.json").write_text('{"version": 0}')


def lose_a_file(_sharded, kept):
    next(kept.glob("*.safetensors")).unlink()


@pytest.mark.parametrize("happens", [change_a_weight, cut_what_is_kept, age_what_is_kept, lose_a_file])
def test_what_is_kept_is_checked(sharded, tmp_path, happens):
    cache = tmp_path / "cache"
    load(sharded, "int4", cache)
    (kept,) = cache.iterdir()
    happens(sharded, kept)
    again = load(sharded, "int4", cache).state_dict()
    fresh = load(sharded, "int4").state_dict()
    assert all(torch.equal(value.float(), again[name].float()) for name, value in fresh.items())


def test_a_full_disk_costs_only_the_cache(sharded, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loading, "SPARE", 1 << 60)
    load(sharded, "int4", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    assert "nearly full" in caplog.text


def lose_a_shard(folder):
    next(folder.glob("*-00002-*.safetensors")).unlink()


def cut_a_shard(folder):
    file = next(folder.glob("*-00002-*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])


def widen(folder):
    settings = json.loads((folder / "config.json").read_text())
    settings["text_config"]["moe_intermediate_size"] *= 2
    (folder / "config.json").write_text(json.dumps(settings))


def lose_a_weight(folder):
    file = next(folder.glob("*-00002-*.safetensors"))
    tensors = load_file(file)
    tensors.popitem()
    save_file(tensors, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("happens", "says"),
    [(lose_a_shard, "is missing"), (cut_a_shard, "is damaged"), (widen, "has the shape"), (lose_a_weight, "lacks 1")],
)
@pytest.mark.parametrize("precision", ["bf16", "int4"])
def test_a_bad_checkpoint_is_refused_in_a_sentence(sharded, tmp_path, happens, says, precision):
    happens(sharded)
    with pytest.raises(CheckpointError, match=says):
        load(sharded, precision, tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


def test_the_most_exact_precision_that_fits_is_chosen(sharded):
    sizes = [loading.size(sharded, precision) for precision in PRECISIONS]
    assert sizes == sorted(sizes, reverse=True)
    for precision, size in zip(PRECISIONS, sizes, strict=True):
        assert loading.fitting(sharded, size + 1000, working=1000) == precision
    with pytest.raises(CheckpointError, match="close other programs"):
        loading.fitting(sharded, sizes[-1], working=1000)


def test_sizes_are_those_of_what_is_loaded(sharded):
    for precision in PRECISIONS:
        network = loading.load(sharded, precision, CPU, torch.bfloat16, lambda _: None, None)
        tensors = {tensor.data_ptr(): tensor.nbytes for tensor in network.state_dict().values()}
        assert loading.size(sharded, precision) == pytest.approx(sum(tensors.values()), rel=0.05)


def test_the_model_is_never_whole_in_memory(tmp_path):
    """A checkpoint of 310 MB in bf16: loading it as int4 adds little more than the packed weights."""
    folder = tmp_path / "large"
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    size = replace(SIZES["nano"], layers=2, hidden=512, dense=1024, experts=32, expert=1536)
    with torch.device("meta"):
        network = DiffusionGemmaForBlockDiffusion(config(tokenizer, size))
    network.config.save_pretrained(folder)
    generation_config(tokenizer).save_pretrained(folder)
    names = [name for name in network.state_dict() if name in loading.expected(network)]
    for number, name in enumerate(names):
        weight = torch.empty(network.state_dict()[name].shape, dtype=torch.bfloat16).uniform_(-0.1, 0.1)
        save_file({name: weight}, folder / f"model-{number:05}.safetensors")
    script = textwrap.dedent("""
        import sys, threading, torch
        from pathlib import Path
        from palimpsest.engine import loading
        torch.set_num_threads(1)
        def anonymous():
            status = Path("/proc/self/status").read_text()
            return int(status.split("RssAnon:")[1].split()[0]) * 1024
        def watch():
            while not done.wait(0.002):
                most.append(anonymous() - before)
        before, most, done = anonymous(), [0], threading.Event()
        thread = threading.Thread(target=watch)
        thread.start()
        loading.load(Path(sys.argv[1]), "int4", torch.device("cpu"), torch.bfloat16, lambda _: None, None)
        done.set()
        thread.join()
        print(max(most), loading.size(Path(sys.argv[1]), "int4"), loading.size(Path(sys.argv[1]), "bf16"))
    """)
    result = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    most, packed, plain = map(int, result.stdout.split())
    assert plain > 290 << 20
    assert most < packed + (256 << 20)
