"""What the model's process runs: requests come as lines on its standard input, events go as lines to its output.

A line of output is the number of the job and the event; the input's end is the process's.
"""

import argparse
import gc
import os
import signal
import sys

from palimpsest.engine.backend import open_backend
from palimpsest.engine.engine import Engine
from palimpsest.engine.request import PRECISIONS, Event, Ready
from palimpsest.engine.wire import request_of, to_json


def work(arguments: list[str] | None = None) -> None:
    """Do what is asked until the input ends, then end the process."""
    parser = argparse.ArgumentParser(prog="palimpsest worker")
    parser.add_argument("--model", metavar="CHECKPOINT", required=True)
    parser.add_argument("--precision", choices=PRECISIONS)
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever started us, and we end with them
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand between the events

    def report(job: int, event: Event) -> None:
        told.write(f"{job} {to_json(event)}\n".encode())
        told.flush()
        if isinstance(event, Ready):
            gc.freeze()  # the hundred thousand objects of torch never become garbage

    engine = Engine(lambda: open_backend("local", checkpoint=args.model, precision=args.precision), report)
    for line in sys.stdin.buffer:
        request = request_of(line)
        if asked := request.fill or request.denoise:
            engine.submit(asked)
        if request.warm:
            engine.warm(request.warm)
        if request.stop is not None:
            engine.stop(request.stop)
    os._exit(0)  # whoever asked is gone, and a model that is still loading would hold the interpreter up


if __name__ == "__main__":
    work()
