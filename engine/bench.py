"""How fast a fill is on this machine, and what it costs.

    python -m palimpsest.engine.bench [--against transformers] [--model FOLDER] [--runs N] [--fills N] [--json PATH]
    python -m palimpsest.engine.bench --gpu [--precisions bf16 fp8 int4] [--json PATH]      (see bench_gpu.py)

All holes are in files of the standard library. Times are medians in milliseconds. Reported, beside the plain times:

mean_steps_fraction    mean denoising steps of fills of lines and words, as a share of the most allowed; and how many of
                       those fills were exact, with the early stop and when all steps run
ratio_cold_over_warm   first draft in a document of 2,000 tokens: nothing read yet, over one character typed since
rss_growth_mb          growth of the most memory held, from the first 50 fills to the last of --fills
ratio_vs_transformers  fill of as many free tokens by transformers' generate(), told of the pins by a logits processor,
                       over ours with nothing cached; also for generate() on a canvas as narrow as ours (same_canvas),
                       and for ours with its prefix read before, as the editor does while the user chooses (warm)
key_*                  key press to paint while a fill runs, in a window of its own process
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList

from palimpsest.engine import PRECISIONS, Done, Draft, EngineError, Fill, Options
from palimpsest.engine.canvas import Canvas, Row, lay_out
from palimpsest.engine.device import leave_a_core, pick_device
from palimpsest.engine.kernels import operators
from palimpsest.engine.local import LocalBackend
from palimpsest.engine.model import Model, load_model

LIBRARY = Path(textwrap.__file__).parent
FREE_TOKENS = 20
LINE = 151  # of textwrap.py: the body of an if
DOCUMENT = 2000  # tokens
FILES = ["argparse.py", "difflib.py", "textwrap.py", "tarfile.py", "typing.py"]


def a_hole(line: int = LINE, file: str = "textwrap.py") -> tuple[str, str, str]:
    """The text before a line of a standard library file, the line, and the text after."""
    lines = (LIBRARY / file).read_text("utf-8").split("\n")
    return "\n".join(lines[: line - 1]) + "\n", lines[line - 1], "\n" + "\n".join(lines[line:])


def timed(backend: LocalBackend, fill: Fill) -> tuple[Done, float, float]:
    """The result of a fill, the milliseconds to its first draft and to its end."""
    began, first, done = time.perf_counter(), 0.0, None
    for event in backend.fill(fill):
        if isinstance(event, Draft) and not first:
            first = time.perf_counter() - began
        done = event
    assert isinstance(done, Done)
    return done, 1e3 * first, 1e3 * (time.perf_counter() - began)


def fills(backend: LocalBackend, runs: int) -> dict[str, float]:
    """Medians over ``runs`` fills of one hole, after one to warm up."""
    before, _, after = a_hole()
    results = []
    for seed in range(runs + 1):
        done, first, whole = timed(backend, Fill(before, after, options=Options(seed=seed, length=FREE_TOKENS)))
        results.append(
            {
                "steps": done.steps,
                "ms_per_step": (whole - first) / max(1, done.steps - 1),
                "first_draft_ms": first,
                "fill_ms": whole,
                "tokens_per_s": 1e3 * done.tokens / whole,
            }
        )
    return {name: round(median(result[name] for result in results[1:]), 2) for name in results[0]}


def steps(backend: LocalBackend, model: Model, count: int) -> dict[str, float]:
    """What the early stop saves, and what it loses."""
    stopped, whole, shares = [], [], []
    for seed, (before, truth, after) in enumerate(islice(holes(), count)):
        for exact, confidence in ((stopped, None), (whole, 0.0)):
            options = Options(seed=seed, confidence=confidence)
            done, _, _ = timed(backend, Fill(before, after, options=options))
            exact.append(done.text == truth)
            if confidence is None:
                shares.append(done.steps / model.schedule.max_steps)
    return {
        "mean_steps_fraction": round(mean(shares), 3),
        "exact_when_stopped_early": round(mean(stopped), 3),
        "exact_with_all_steps": round(mean(whole), 3),
    }


def holes() -> Iterator[tuple[str, str, str]]:
    """Lines without their indentation and words of the files in turn, always the same ones: the text before, the truth
    and the text after, at most 4,000 characters around it."""
    rng = random.Random(0)
    texts = [(LIBRARY / file).read_text("utf-8") for file in FILES]
    places = [[list(re.finditer(kind, text, re.MULTILINE)) for kind in (r"\S.*\S$", r"\w+")] for text in texts]
    while True:
        for text, kinds in zip(texts, places, strict=True):
            for found in kinds:
                start, end = rng.choice(found).span()
                yield text[max(0, start - 4000) : start], text[start:end], text[end : end + 4000]


def cold_over_warm(backend: LocalBackend, model: Model, runs: int) -> dict[str, float]:
    """First draft behind 2,000 tokens, with nothing read, and after one more character typed before the hole."""
    text = (LIBRARY / FILES[0]).read_text("utf-8")
    ids = model.tokenizer.encode(text, add_special_tokens=False).ids
    before = model.tokenizer.decode(ids[:DOCUMENT])
    times = {"cold": [], "warm": []}
    for seed in range(runs):
        options = Options(seed=seed, length=FREE_TOKENS)
        backend.use(model)  # with nothing cached
        times["cold"].append(timed(backend, Fill(before, "\n", options=options))[1])
        before += random.Random(seed).choice("abcdefgh ")
        times["warm"].append(timed(backend, Fill(before, "\n", options=options))[1])
    cold, warm = median(times["cold"]), median(times["warm"])
    return {
        "first_draft_cold_ms": round(cold, 1),
        "first_draft_warm_ms": round(warm, 1),
        "ratio_cold_over_warm": round(cold / warm, 2),
    }


def growth(backend: LocalBackend, count: int) -> dict[str, float | None]:
    """Growth of the most memory held between the 50th fill and the last: different holes in several files, and some
    words typed before each."""
    early = None
    places = ((before + "word " * typed, after) for before, _, after in holes() for typed in range(5))
    for number, (before, after) in enumerate(islice(places, count)):
        if number == 50:
            early = peak_rss_mb()
        timed(backend, Fill(before, after, options=Options(seed=number)))
    late = peak_rss_mb()
    return {"fills": count, "rss_growth_mb": None if early is None or late is None else round(late - early, 1)}


class OneHot(LogitsProcessor):
    """Makes generate() certain of the pins of ``canvas``."""

    def __init__(self, canvas: Canvas):
        self.canvas = canvas

    def __call__(self, input_ids, scores):  # noqa: ARG002  (transformers gives both)
        known = torch.full_like(scores, -torch.inf).scatter_(-1, self.canvas.ids[..., None], 0.0)
        return torch.where(self.canvas.free[..., None], scores, known)


def against_transformers(backend: LocalBackend, model: Model, runs: int) -> dict[str, float]:
    """Fills of one hole by us and by generate(), in turns."""
    before, _, after = a_hole()
    prefix, right = (model.tokenizer.encode(text, add_special_tokens=False).ids for text in (before, after))
    ids = torch.tensor([[model.tokenizer.token_to_id("<bos>"), *prefix]], device=model.device)
    row = Row()
    row.open(FREE_TOKENS, 0)
    narrow = lay_out([row], right, model.canvas_limit, model.ends[0]).to(model.device)
    row.pin(right[: model.canvas_limit - FREE_TOKENS])
    own = lay_out([row], None, model.canvas_limit, model.ends[0]).to(model.device)
    times: dict[str, list[float]] = {"cold": [], "warm": [], "own": [], "narrow": []}
    for seed in range(runs + 1):
        backend.use(model)  # with nothing cached
        fill = Fill(before, after, options=Options(seed=seed, length=FREE_TOKENS))
        times["cold"].append(timed(backend, fill)[2])
        times["warm"].append(timed(backend, fill)[2])
        for name, canvas in (("own", own), ("narrow", narrow)):
            torch.manual_seed(seed)
            began = time.perf_counter()
            generate(model, ids, canvas)
            times[name].append(1e3 * (time.perf_counter() - began))
    cold, warm, theirs, same = (median(values[1:]) for values in times.values())
    return {
        "transformers_fill_ms": round(theirs, 1),
        "cold_fill_ms": round(cold, 1),
        "ratio_vs_transformers": round(theirs / cold, 2),
        "ratio_vs_transformers_same_canvas": round(same / cold, 2),
        "ratio_vs_transformers_warm": round(theirs / warm, 2),
    }


def generate(model: Model, ids: Tensor, canvas: Canvas) -> None:
    """One canvas by transformers' own generate()."""
    network: Any = model.network
    own, width = network.config.canvas_length, canvas.ids.shape[1]
    start = torch.where(canvas.free, torch.randint_like(canvas.ids, model.vocabulary), canvas.ids)
    processors = LogitsProcessorList([OneHot(canvas)])
    network.config.canvas_length = width
    try:
        network.generate(
            ids, max_new_tokens=width, eos_token_id=None, decoder_input_ids=start, logits_processor=processors
        )
    finally:
        network.config.canvas_length = own


def peak_rss_mb() -> float | None:
    """The most memory this process has held, where the system says so."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def key_latency(model: Path | None) -> dict[str, float]:
    """Key press to paint while a fill runs; measured by the app, because the engine knows no window."""
    command = [sys.executable, "-m", "palimpsest.app.latency", *(["--model", str(model)] if model else [])]
    environment = os.environ | {"QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    result = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, timeout=300)
    return json.loads(result.stdout)


def gpu(precisions: list[str], path: Path | None) -> int:
    """Measure this machine's GPU and print what was found."""
    device, _ = pick_device()
    if reason := operators.missing(device):
        print(f"bench: There is no GPU to measure: {reason}.", file=sys.stderr)
        return 1
    from palimpsest.engine import bench_gpu

    report = bench_gpu.run(precisions)
    for name, value in report.items():
        if isinstance(value, dict):
            print(name, *(f"    {key:24} {found}" for key, found in value.items()), sep="\n")
        else:
            print(f"{name:24} {value}")
    if path:
        path.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--fills", type=int, default=500, metavar="N", help="fills of which the memory is watched")
    parser.add_argument("--against", choices=["transformers"])
    parser.add_argument("--json", type=Path, metavar="PATH")
    parser.add_argument("--gpu", action="store_true", help="the released model's full size, with random weights")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    args = parser.parse_args()
    if args.gpu:
        return gpu(args.precisions, args.json)
    try:
        model = load_model(args.model)
    except EngineError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    leave_a_core()
    backend = LocalBackend()
    ready = backend.use(model)
    report = {"device": ready.device, "model": ready.model, "free_tokens": FREE_TOKENS, **fills(backend, args.runs)}
    report |= {**growth(backend, args.fills), "peak_rss_mb": peak_rss_mb()}
    report |= {**cold_over_warm(backend, model, args.runs), **steps(backend, model, 10 * args.runs)}
    if args.against:
        report |= against_transformers(backend, model, args.runs)
    report |= key_latency(args.model)
    for name, value in report.items():
        print(f"{name:34} {value}")
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
