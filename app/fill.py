"""``palimpsest fill``: a fill without a window.

Exit codes: 0 filled, 1 could not be done (file, hole, model), 2 wrong arguments, 130 interrupted.
"""

import argparse
import logging
import os
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from palimpsest.app import offline
from palimpsest.app.document import DocumentError, load, save
from palimpsest.engine import (
    DETAILS,
    PRECISIONS,
    Backend,
    Done,
    Fill,
    Hole,
    Options,
    apart,
    environment,
    open_backend,
    pictures_of,
    sentence,
    to_json,
)

log = logging.getLogger(__name__)


SETTINGS = ("t_min", "t_max", "entropy_bound", "confidence")  # of the sampler, by the names of Options
MODEL = "a checkpoint's folder, or its name if it was fetched; by default the shipped mini model"
SERVER = (
    "have a server fill: palimpsest serve, or what speaks as OpenAI's do, like vLLM; --model is then a name it knows, "
    "and the environment's PALIMPSEST_API_KEY its key. The text around the hole is sent there"
)
PRECISION = "how the weights are kept; by default the most exact way that fits the GPU, on a CPU as they are"


class HoleError(Exception):
    """The place asked for is not in the file; ``str()`` is one sentence for the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Fill a stretch of a file and print the text that fills it."
    parser.epilog = "Exit codes: 0 filled, 1 could not be done, 2 wrong arguments, 130 interrupted."
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--at", type=_place, required=True, metavar="LINE[:COL]", help="where the hole begins, from 1")
    parser.add_argument(
        "--to",
        type=_place,
        metavar="LINE[:COL]",
        help="where it ends: before that column, or at that line's end. By default the hole is the rest of the line, "
        "or nothing where --at names a column",
    )
    parser.add_argument(
        "--also",
        type=_place,
        nargs=2,
        action="append",
        default=[],
        metavar=("AT", "TO"),
        help="one more hole, after the one before; all are filled together",
    )
    parser.add_argument("--instruction", default="", metavar="TEXT", help="rewrite the stretch as told")
    parser.add_argument(
        "--picture",
        type=Path,
        action="append",
        default=[],
        metavar="IMAGE",
        help="show the model a picture, or a video of a minute, first, where it can see; with --instruction it may be "
        "asked about",
    )
    parser.add_argument("--detail", type=int, choices=DETAILS, help="soft tokens of each picture, by default enough")
    parser.add_argument("--length", type=int, metavar="N", help="tokens the hole offers")
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="S", help="share of the text that may change, 0 to 1 (default)"
    )
    parser.add_argument("--alternatives", type=int, default=1, metavar="N", help="answers wanted, the best first")
    parser.add_argument("--think", action="store_true", help="let the model think first, where it can")
    parser.add_argument("--steps", type=int, metavar="N", help="denoising steps at most")
    for name in SETTINGS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X", help="as the released model has it")
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same text on one machine")
    parser.add_argument("--drafts", action="store_true", help="print all that is told as lines of JSON")
    parser.add_argument("--write", action="store_true", help="write the file instead of printing the text")
    add_backend_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model of this machine is to fill."""
    parser.add_argument("--model", metavar="CHECKPOINT", help=MODEL)
    parser.add_argument("--precision", choices=PRECISIONS, help=PRECISION)


def add_backend_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model is to fill, of this machine or of another."""
    add_model_arguments(parser)
    parser.add_argument("--server", metavar="URL", help=SERVER)


def backend_of(args: argparse.Namespace) -> Backend:
    """What ``add_backend_arguments`` was told, not yet loaded."""
    if args.server:
        offline.check(args.server)
        return open_backend("remote", server=args.server, model=args.model, key=os.environ.get("PALIMPSEST_API_KEY"))
    if environment.made():
        return apart(args.model, args.precision)
    return open_backend(checkpoint=args.model, precision=args.precision)


def run(args: argparse.Namespace) -> int:
    """Fill as asked; errors become one sentence on standard error."""
    try:
        return _fill(args)
    except (DocumentError, HoleError) as error:
        message = str(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has gone; Python would complain once more at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # here the command stands where the engine's job loop stands in the editor
        log.debug("the fill failed", exc_info=error)
        message = sentence(error)
    print(f"palimpsest: {message}", file=sys.stderr)
    return 1


def _fill(args: argparse.Namespace) -> int:
    file = load(args.file)
    holes = [hole(file.text, args.at, args.to), *(hole(file.text, at, to) for at, to in args.also)]
    for (_, end), (start, _) in pairwise(holes):
        if start < end:
            raise HoleError("The holes are out of order or overlap: give them from the top of the file down.")
    start, end = holes[0]
    fill = Fill(
        before=file.text[:start],
        selected=file.text[start:end],
        further=tuple(
            Hole(file.text[before:start], file.text[start:end]) for (_, before), (start, end) in pairwise(holes)
        ),
        after=file.text[holes[-1][1] :],
        instruction=args.instruction,
        pictures=tuple(one for path in args.picture for one in pictures_of(path)),
        options=Options(
            seed=args.seed,
            length=args.length,
            strength=args.strength,
            alternatives=args.alternatives,
            think=args.think,
            detail=args.detail,
            max_steps=args.steps,
            **{name: getattr(args, name) for name in SETTINGS},
        ),
    )
    done = None
    with closing(backend_of(args)) as backend:
        backend.load()
        for event in backend.fill(fill):
            if args.drafts:
                print(to_json(event), flush=True)
            if isinstance(event, Done):
                done = event
    assert done
    if args.write:
        save(args.file, file.holds(fill.filled(done.holes)))
    elif not args.drafts:
        answers = ("\n".join(written.text for written in answer.holes) for answer in done.alternatives)
        print("\n---\n".join(answers))
    return 0


def hole(text: str, at: tuple[int, int | None], to: tuple[int, int | None] | None) -> tuple[int, int]:
    """Start and end of the hole in ``text``. Lines and columns count from 1. Raises HoleError when it is not there."""
    lines = text.split("\n")
    start = _offset(lines, at, end_of_line=False)
    if to is None:
        to = at
    end = _offset(lines, to, end_of_line=True)
    if end < start:
        raise HoleError(f"The hole ends ({_show(to)}) before it begins ({_show(at)}): swap --at and --to.")
    return start, end


def _offset(lines: list[str], place: tuple[int, int | None], end_of_line: bool) -> int:
    line, column = place
    if not 1 <= line <= len(lines):
        raise HoleError(f"There is no line {line}: the file has {len(lines)} lines.")
    length = len(lines[line - 1])
    if column is None:
        column = length + 1 if end_of_line else 1
    if not 1 <= column <= length + 1:
        raise HoleError(f"There is no column {column} in line {line}: give one from 1 to {length + 1}.")
    return sum(len(before) + 1 for before in lines[: line - 1]) + column - 1


def _place(text: str) -> tuple[int, int | None]:
    line, colon, column = text.partition(":")
    try:
        return int(line), int(column) if colon else None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not LINE or LINE:COL") from error


def _show(place: tuple[int, int | None]) -> str:
    return ":".join(str(number) for number in place if number is not None)
