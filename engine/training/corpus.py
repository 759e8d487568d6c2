"""Text files -> documents -> one file of token ids.

    python -m palimpsest.engine.training.corpus TOKENIZER_DIR OUT.npy TEXT_FILE... [--megabytes N...] [--heldout FILE]

A text file, plain or ``.xz``, holds documents, each after a line ``<|file|>NAME``. The token file is a flat uint16
array in which every document is ``<bos> text <eos>``. Documents that share much with one of ``--heldout`` are left out.
"""

import argparse
import itertools
import lzma
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

SEPARATOR = "<|file|>"
PART = 20_000  # characters: a longer document is cut at a line, so a book weighs no more than many files
STRETCH = 1 << 20  # characters
SHARED = 0.5  # of its longer lines: a document that has more of them from what is held out is left out
LEAST_LINE = 25  # characters of a line that says something


class Unseen:
    """The lines of what is held out."""

    def __init__(self, texts: Iterable[str] = ()):
        self._lines: set[str] = set()
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Hold out ``text`` too."""
        self._lines |= self._of(text)

    def shares_much(self, text: str) -> bool:
        """Is ``text`` a near-duplicate of something held out?"""
        lines = self._of(text)
        return len(lines & self._lines) > SHARED * len(lines)

    @staticmethod
    def _of(text: str) -> set[str]:
        return {"".join(line.split()) for line in text.split("\n") if len(line.strip()) >= LEAST_LINE}


def read(file: Path) -> str:
    """The text of ``file``, unpacked if need be."""
    return (lzma.open(file).read() if file.suffix == ".xz" else file.read_bytes()).decode("utf-8", "ignore")


def whole_documents(file: Path) -> Iterator[str]:
    """Yield every document of ``file``, however long."""
    for document in read(file).split(SEPARATOR)[1:]:
        yield document.partition("\n")[2]


def documents(file: Path, size: int | None = None) -> Iterator[str]:
    """Yield the documents of ``file`` in parts of at most about 20,000 characters.

    Given a ``size``, about so many characters, in stretches of 1 MiB at equal distances.
    """
    text = read(file)
    count = max(1, min(size or len(text), len(text)) // STRETCH)
    for index in range(count):
        start = index * len(text) // count
        yield from _parts(text[start : start + (STRETCH if size else len(text) // count + 1)])


def _parts(text: str) -> Iterator[str]:
    for document in text.split(SEPARATOR):
        _, _, body = document.partition("\n")
        lines, length = [], 0
        for line in body.splitlines(keepends=True):
            lines.append(line)
            length += len(line)
            if length >= PART:
                yield "".join(lines)
                lines, length = [], 0
        if length > 200:
            yield "".join(lines)


def encode(tokenizer: Tokenizer, texts: Iterable[str]) -> np.ndarray:
    """Encode documents into one flat uint16 array, each between ``<bos>`` and ``<eos>``."""
    bos, eos = tokenizer.token_to_id("<bos>"), tokenizer.token_to_id("<eos>")
    texts = iter(texts)
    arrays = []
    while batch := list(itertools.islice(texts, 512)):
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            arrays.append(np.array([bos, *encoding.ids, eos], dtype=np.uint16))
    return np.concatenate(arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument(
        "--megabytes", type=int, nargs="*", default=(), help="how much of each file is taken, if not all"
    )
    parser.add_argument("--heldout", type=Path, nargs="*", default=(), metavar="FILE")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # "<del>" in a web page is text
    unseen = Unseen(text for file in args.heldout for text in whole_documents(file))
    sizes = [size << 20 for size in args.megabytes] or [None] * len(args.files)
    pairs = zip(args.files, sizes, strict=True)
    texts = [text for file, size in pairs for text in documents(file, size) if not unseen.shares_much(text)]
    random.Random(0).shuffle(texts)
    tokens = encode(tokenizer, texts)
    np.save(args.out, tokens)
    print(f"{len(texts)} documents, {len(tokens)} tokens, {sum(map(len, texts)) / len(tokens):.2f} characters a token")


if __name__ == "__main__":
    main()
