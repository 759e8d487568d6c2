"""How fast a fill is on this machine.

    python -m palimpsest.engine.bench [--model FOLDER] [--runs N] [--json PATH]

Fills a hole of 20 tokens in a file of the standard library, several times with different seeds, and reports medians;
then measures, in a window of its own process, how long a key takes to be painted while a fill runs.
"""

import argparse
import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from palimpsest.engine import Done, EngineError, Fill, Options, open_backend
from palimpsest.engine.backend import Backend

FREE_TOKENS = 20
LINE = 151  # of textwrap.py: the body of an if


def measure(backend: Backend, runs: int) -> dict[str, float]:
    """Medians over ``runs`` fills, after one to warm up. Times in milliseconds."""
    lines = Path(textwrap.__file__).read_text("utf-8").split("\n")
    before, after = "\n".join(lines[: LINE - 1]) + "\n", "\n" + "\n".join(lines[LINE:])
    results = []
    for seed in range(runs + 1):
        began, first, done = time.perf_counter(), None, None
        for event in backend.fill(Fill(before, after, options=Options(seed=seed, length=FREE_TOKENS))):
            first = first or time.perf_counter()
            done = event
        assert first
        assert isinstance(done, Done)
        end = time.perf_counter()
        results.append(
            {
                "steps": done.steps,
                "ms_per_step": 1e3 * (end - first) / max(1, done.steps - 1),
                "first_draft_ms": 1e3 * (first - began),
                "fill_ms": 1e3 * (end - began),
                "tokens_per_s": done.tokens / (end - began),
            }
        )
    return {name: round(median(result[name] for result in results[1:]), 2) for name in results[0]}


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="PATH")
    args = parser.parse_args()
    try:
        with closing(open_backend(checkpoint=args.model)) as backend:
            ready = backend.load()
            fills = measure(backend, args.runs)
    except EngineError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    report = {"device": ready.device, "model": ready.model, "free_tokens": FREE_TOKENS, **fills}
    report |= {"peak_rss_mb": peak_rss_mb(), **key_latency(args.model)}
    for name, value in report.items():
        print(f"{name:16} {value}")
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
