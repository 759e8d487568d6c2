"""Text files -> documents -> one file of token ids.

    python -m palimpsest.engine.training.corpus TOKENIZER_DIR OUT.npy TEXT_FILE... [--megabytes N]

A text file holds documents, each after a line ``<|file|>NAME``. The token file is a flat uint16 array in which every
document is ``<bos> text <eos>``.
"""

import argparse
import itertools
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

SEPARATOR = "<|file|>"
PART = 20_000  # characters: a longer document is cut at a line, so a book weighs no more than many files


def documents(file: Path, size: int) -> Iterator[str]:
    """Yield the documents of ``file`` in parts of at most about 20,000 characters, spread over the whole file.

    About ``size`` bytes are yielded: stretches of 1 MiB are taken at equal distances.
    """
    stretch = 1 << 20
    total = file.stat().st_size
    count = max(1, min(size, total) // stretch)
    with file.open("rb") as handle:
        for index in range(count):
            handle.seek(index * total // count)
            text = handle.read(min(stretch, total // count)).decode("utf-8", "ignore")
            yield from _parts(text)


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--megabytes", type=int, default=60, help="how much of each file is taken")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # "<del>" in a web page is text
    texts = [text for file in args.files for text in documents(file, args.megabytes << 20)]
    random.Random(0).shuffle(texts)
    tokens = encode(tokenizer, texts)
    np.save(args.out, tokens)
    print(f"{len(texts)} documents, {len(tokens)} tokens, {sum(map(len, texts)) / len(tokens):.2f} characters a token")


if __name__ == "__main__":
    main()
