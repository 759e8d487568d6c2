"""Tell where the model computes; make an environment in which it runs on a GPU, and remove it."""

import argparse

from palimpsest.app import offline
from palimpsest.app.command import carried_out
from palimpsest.app.models import size_of
from palimpsest.engine import environment
from palimpsest.engine.language import tr

KIND = "what it computes on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    does = parser.add_subparsers(dest="does", metavar="list|make|remove")
    does.add_parser("list", help="tell what is here and what can be made; also without any word")
    make = does.add_parser("make", help="make an environment, or what is missing of it")
    make.add_argument("kind", choices=[*environment.kinds()], help=KIND)
    make.add_argument("--yes", action="store_true", help="do not ask")
    does.add_parser("remove", help="give its space back")


def run(args: argparse.Namespace) -> int:
    """Do as asked; errors become one sentence on standard error."""
    do = {"make": _make, "remove": _remove}.get(args.does, _list)
    return carried_out(lambda: do(args), "what was fetched is kept, and the next time fetches the rest.")


def state() -> str:
    """What is here, in a sentence."""
    if kind := environment.made():
        return tr("The model runs in an environment made for {kind}: {place}", kind=kind, place=environment.place())
    if environment.begun():
        return tr(
            "An environment was begun, or made for another version: make it, and only what is missing is fetched."
        )
    return tr("The model runs by what Palimpsest itself brings.")


def told(kind: str, size: int) -> str:
    """What making an environment means."""
    return tr(
        "{kind}: {size} are fetched from PyPI, and about four times that is taken on the disk",
        kind=kind,
        size=size_of(size),
    )


def _list(_args: argparse.Namespace) -> int:
    print(state())
    for kind, size in environment.kinds().items():
        print(told(kind, size))
    return 0


def _make(args: argparse.Namespace) -> int:
    offline.check()
    print(told(args.kind, environment.kinds()[args.kind]))
    if not args.yes and input("Make it? [y/N] ").strip().lower() not in ("y", "yes"):
        return 1
    print(environment.make(args.kind, lambda line: print(line, flush=True)))
    return 0


def _remove(_args: argparse.Namespace) -> int:
    print(tr("{size} are free again.", size=size_of(environment.remove())))
    return 0
