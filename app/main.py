"""Puts the pieces together: the command line, and the window with its engine."""

import argparse
import asyncio
import gc
import logging
import os
import re
import sys
import threading
from pathlib import Path

from palimpsest.app import engines, fill, models, ocr, resume, settings
from palimpsest.app.resume import Place
from palimpsest.app.screen import missing
from palimpsest.engine import Backend, EngineError, Ready, apart, examine, serve
from palimpsest.engine.language import code, tr

log = logging.getLogger(__name__)

STDIN = Place("-")


def main(arguments: list[str] | None = None) -> int:
    """Run ``palimpsest``; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    if arguments[:1] == ["fill"]:
        parser = argparse.ArgumentParser(prog="palimpsest fill")
        fill.add_arguments(parser)
        return fill.run(parser.parse_args(arguments[1:]))
    if arguments[:1] == ["ocr"]:
        parser = argparse.ArgumentParser(prog="palimpsest ocr")
        ocr.add_arguments(parser)
        return ocr.run(parser.parse_args(arguments[1:]))
    if arguments[:1] == ["doctor"]:
        parser = argparse.ArgumentParser(
            prog="palimpsest doctor", description="Tell what this machine offers and what will be used of it."
        )
        parser.add_argument("--model", metavar="CHECKPOINT", help=fill.MODEL)
        return doctor(parser.parse_args(arguments[1:]))
    if arguments[:1] == ["models"]:
        parser = argparse.ArgumentParser(prog="palimpsest models", description=models.__doc__)
        models.add_arguments(parser)
        return models.run(parser.parse_args(arguments[1:]))
    if arguments[:1] == ["engine"]:
        parser = argparse.ArgumentParser(prog="palimpsest engine", description=engines.__doc__)
        engines.add_arguments(parser)
        return engines.run(parser.parse_args(arguments[1:]))
    if arguments[:1] == ["serve"]:
        parser = argparse.ArgumentParser(
            prog="palimpsest serve",
            description="Fill for other machines, or for what speaks as OpenAI's clients do. The environment's "
            "PALIMPSEST_API_KEY is the key they need; from other machines one is a must.",
        )
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen at; 0.0.0.0 is all of them")
        parser.add_argument("--port", type=int, default=8765, metavar="N", help="0 takes a free one; by default 8765")
        fill.add_model_arguments(parser)
        return share(parser.parse_args(arguments[1:]))
    parser = argparse.ArgumentParser(
        prog="palimpsest",
        description="An editor in which a diffusion language model on your own machine rewrites text where it stands.",
        epilog="Without a window: palimpsest fill, ocr, models, engine, serve and doctor, each with --help",
    )
    files = "or a folder to work on; - is the standard input"
    parser.add_argument("files", type=_place, nargs="*", metavar="FILE[:LINE[:COL]]", help=files)
    parser.add_argument("--wait", action="store_true", help="return when the files are closed, as for $EDITOR")
    fill.add_model_arguments(parser)
    parser.add_argument("--version", action="store_true", help="tell the version and end")
    args = parser.parse_args(arguments)
    return tell_version() if args.version else edit(args)


def tell_version() -> int:
    """Print which Palimpsest this is."""
    from importlib.metadata import version  # importing it takes a tenth of the window's start

    print(f"Palimpsest {version('palimpsest')}")
    return 0


def doctor(args: argparse.Namespace) -> int:
    """Print what there is and what will be used."""
    try:
        told = examine(args.model)
    except EngineError as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 1
    for name, value in told.items():
        print(f"{name:10} {value}")
    return 0


def share(args: argparse.Namespace) -> int:
    """Fill for others until interrupted."""

    def tell(ready: Ready, address: str) -> None:
        print(f"{ready.model} on {ready.device} fills for whoever asks at {address}", flush=True)

    try:
        serve(args.model, args.precision, args.host, args.port, os.environ.get("PALIMPSEST_API_KEY"), tell)
    except EngineError as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # how a server is ended
    return 0


def edit(args: argparse.Namespace) -> int:
    """Show the window until it is closed."""
    if reason := missing():
        print(f"palimpsest: {reason}", file=sys.stderr)
        return 1

    gc.disable()  # importing leaves no garbage behind, and later it has its own collector

    from PySide6.QtCore import QLibraryInfo, QTranslator

    from palimpsest.app import servers
    from palimpsest.app.bridge import EngineBridge
    from palimpsest.app.garbage import Collector
    from palimpsest.app.icons import application_icon
    from palimpsest.app.instance import Application, Instance, hand_over
    from palimpsest.app.style import Style
    from palimpsest.app.tasks import EventLoop
    from palimpsest.app.theme import load_fonts
    from palimpsest.app.window import Window

    app = Application([])
    app.setApplicationName("palimpsest")
    app.setApplicationDisplayName("Palimpsest")
    app.setDesktopFileName("palimpsest")
    app.setWindowIcon(application_icon())
    app.setStyle(Style())
    said_by_qt = QTranslator(app)
    if said_by_qt.load(f"qtbase_{code()}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        app.installTranslator(said_by_qt)
    typed = sys.stdin.read() if STDIN in args.files else ""
    places = [place for place in args.files if place != STDIN]
    if not typed and hand_over(places, args.wait):
        return 0
    Collector(app)
    with EventLoop(app) as loop:
        painted = threading.Event()  # the model waits for it: loading would take a core from the window

        def opened() -> Backend:
            painted.wait()
            return servers.opened(lambda name: apart(args.model or name, args.precision))

        bridge = EngineBridge(opened)
        load_fonts()
        chosen, wrong = settings.load()
        servers.list_requests()
        window = Window(bridge, chosen=chosen)
        window.statusBar().showMessage(wrong)
        sys.excepthook = lambda kind, error, trace: _report(window, kind, error, trace)
        desk = resume.load()
        window.arrange(desk)
        instance = Instance(window.pages)

        def begin() -> None:
            begun = window.pages.begin(desk, places, typed)
            begun.add_done_callback(lambda _begun: app.opens(lambda name: window.pages.open_for([Place(name)])))

        loop.call_soon(begin)
        window.painting.connect(lambda: loop.call_soon(painted.set))
        window.show()
        loop.run_forever()
        painted.set()
        instance.close()  # files handed over from now on would be lost
        loop.run_until_complete(_let_end())
        ended = bridge.close()
    if not ended:
        os._exit(0)  # a model that is still loading would crash in an interpreter that winds down around it
    return 0


def _place(text: str) -> Place:
    """What the command line names: a file, at a line and column or not."""
    if text == STDIN.path:
        return STDIN
    found = None if Path(text).exists() else re.fullmatch(r"(.+?):(\d+)(?::(\d+))?:?", text)
    name, line, column = found.groups() if found else (text, None, None)
    return Place(str(Path(name).absolute()), int(line or 1), int(column or 1))


async def _let_end() -> None:
    """Give fills that closing the window cancelled their turn to end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def _report(window, kind, error, trace) -> None:
    """The last of the three places that catch: tell, and go on with the text as it is."""
    log.error("unexpected", exc_info=(kind, error, trace))
    told = tr(
        "Something went wrong ({kind}: {error}); your text is untouched. Save it.", kind=kind.__name__, error=error
    )
    window.statusBar().showMessage(told)


if __name__ == "__main__":
    sys.exit(main())
