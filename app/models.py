"""Tell which checkpoints are here; fetch them from Hugging Face's hub, see whether they are intact, and remove them."""

import argparse

from palimpsest.app import offline
from palimpsest.app.command import carried_out
from palimpsest.engine import Kept, Offer, damaged, fetch, forget, kept, needs, offer
from palimpsest.engine.language import tr

NAME = "a checkpoint's name on the hub, such as google/diffusiongemma-26B-A4B-it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    does = parser.add_subparsers(dest="does", metavar="list|pull|verify|remove")
    does.add_parser("list", help="tell what is here; also without any word")
    pull = does.add_parser("pull", help="fetch a checkpoint, or what is missing of it")
    pull.add_argument("name", metavar="NAME", help=NAME)
    pull.add_argument("--yes", action="store_true", help="do not ask")
    for does_so, told in (("verify", "compare its files with what was published"), ("remove", "give its space back")):
        does.add_parser(does_so, help=told).add_argument("name", metavar="NAME", help=NAME)


def run(args: argparse.Namespace) -> int:
    """Do as asked; errors become one sentence on standard error."""
    do = {"pull": _pull, "verify": _verify, "remove": _remove}.get(args.does, _list)
    return carried_out(lambda: do(args), "files that came are kept, and the next pull fetches the rest.")


def _list(_args: argparse.Namespace) -> int:
    print("mini: shipped with Palimpsest")
    for one in kept():
        print(line(one))
    return 0


def _pull(args: argparse.Namespace) -> int:
    offline.check()
    offered = offer(args.name)
    print(told(offered))
    if offered.missing and not args.yes and input("Fetch it? [y/N] ").strip().lower() not in ("y", "yes"):
        return 1
    fetch(offered)
    print(f"It is here: palimpsest --model {args.name}")
    return 0


def line(one: Kept) -> str:
    """A checkpoint in a few words."""
    if one.whole:
        return f"{one.name}: {size_of(one.bytes)}"
    return tr("{name}: {size}, not whole: fetch the rest", name=one.name, size=size_of(one.bytes))


def told(offered: Offer) -> str:
    """What fetching it means. Loads torch: meant for a thread."""
    memory = ", ".join(
        tr("{size} as {precision}", size=size_of(size), precision=precision)
        for precision, size in needs(offered.folder).items()
    )
    return tr(
        "{name}: {size}, of which {missing} are missing here; licence {licence}.\nIt takes that much memory: {memory}.",
        name=offered.name,
        size=size_of(offered.bytes),
        missing=size_of(offered.missing),
        licence=offered.licence,
        memory=memory,
    )


def _verify(args: argparse.Namespace) -> int:
    broken = damaged(args.name)
    for file in broken:
        print(f"{file} is damaged: palimpsest models remove {args.name}, and pull it again")
    if not broken:
        print(tr("{name} is as it was published.", name=args.name))
    return 1 if broken else 0


def _remove(args: argparse.Namespace) -> int:
    print(tr("{size} are free again.", size=size_of(forget(args.name))))
    return 0


def size_of(count: int) -> str:
    """Bytes as people count them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
