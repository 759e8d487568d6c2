"""What a draft takes longer by ``palimpsest serve`` on loopback than at home: ``python tests/bench_server.py``."""

import signal
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from statistics import median
from time import perf_counter

from palimpsest.engine import Draft, Fill, Options, open_backend

RUNS = 9
FILL = Fill("def add(a, b):\n    return ", "\n", options=Options(length=20, confidence=0.0, max_steps=48, seed=1))


def gaps(backend) -> list[float]:
    """Milliseconds from each draft to the next."""
    times = [perf_counter() for event in backend.fill(FILL) if isinstance(event, Draft)]
    return [1000 * (after - before) for before, after in pairwise(times)]


def main() -> int:
    command = [sys.executable, "-m", "palimpsest.app.main", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().split()[-1]
        with closing(open_backend()) as here, closing(open_backend("remote", server=address)) as there:
            for backend in (here, there):
                backend.load()
                gaps(backend)
            pairs = [(median(gaps(here)), median(gaps(there))) for _ in range(RUNS)]
        process.send_signal(signal.SIGINT)
    home, away = (median(times) for times in zip(*pairs, strict=True))
    print(f"a draft at home {home:.1f} ms, by the server {away:.1f} ms: {away - home:+.1f} ms (medians of {RUNS} runs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
