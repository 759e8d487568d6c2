"""``palimpsest ocr``: the text of pictures, without a window.

Exit codes: 0 read, 1 a picture could not be read, 2 wrong arguments, 130 interrupted.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from palimpsest.engine import FORMS, Transcriber, Transcript, sentence

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the text of pictures and PDFs, laid out. Nothing leaves this machine."
    parser.epilog = "Exit codes: 0 read, 1 a picture could not be read, 2 wrong arguments, 130 interrupted."
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="PNG, JPEG, WebP, TIFF, GIF, BMP or PDF")
    parser.add_argument(
        "--as",
        dest="form",
        choices=FORMS,
        default="auto",
        help="what is on them: by default told part by part; markdown is the same with code in fences",
    )
    parser.add_argument(
        "--language",
        metavar="NAME",
        default="",
        help="the network that reads the writing, of those that you have put beside the one that comes with Palimpsest",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each page, with what is doubtful")


def run(args: argparse.Namespace) -> int:
    """Read all pictures; those that cannot be read become one sentence each on standard error."""
    code, transcriber = 0, Transcriber()
    for number, path in enumerate(args.images):
        try:
            if number and not args.json:
                print()
            _print(transcriber, path, args)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:  # whoever read the output has gone; Python would complain once more at its exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:  # here the command stands where the session stands in the editor
            log.debug("reading %s failed", path, exc_info=error)
            print(f"palimpsest: {sentence(error)}", file=sys.stderr)
            code = 1
    return code


def _print(transcriber: Transcriber, path: Path, args: argparse.Namespace) -> None:
    for told in transcriber.read(path, args.form, args.language):
        if isinstance(told, Transcript):
            text = told.text + "\n" * (told.page < told.pages)
            print(_json(path, told) if args.json else text, flush=True)


def _json(path: Path, page: Transcript) -> str:
    parts = [
        {
            "kind": part.kind,
            "language": part.language,
            "text": part.marked.text,
            "doubtful": [{"at": at, "word": word, "certainty": round(sure, 3)} for at, word, sure in part.doubtful],
        }
        for part in page.parts
    ]
    about = {"file": str(path), "page": page.page, "pages": page.pages, "text": page.text, "parts": parts}
    return json.dumps(about, ensure_ascii=False)
