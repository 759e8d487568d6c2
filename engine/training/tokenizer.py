"""Trains the byte-level BPE of the mini checkpoint and writes its tokenizer files.

python -m palimpsest.engine.training.tokenizer OUT_DIR TEXT_FILE... [--size 8192] [--megabytes N...]
"""

import argparse
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from palimpsest.engine.training.corpus import documents

# The first ids are those of the released model's tokenizer where they are small; the rest follow in its order.
SPECIAL_TOKENS = [
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<mask>",
    "<|turn>",
    "<turn|>",
    "<|channel>",
    "<channel|>",
    "<|think|>",
    "<|image>",
    "<|image|>",
    "<image|>",
    "<del>",
]

# A line end is a token of its own and a run of blanks is one token, so a hole may begin at a line or after its
# indentation without cutting a token; single digits; otherwise one optional blank, and a name's underscores, belong to
# the word that follows.
PIECES = r"\n|\r|[ \t]{2,}|\t| ?_*\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}_]+| ?_+|\s"


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Train a byte-level BPE of ``size`` tokens that gives every text back exactly."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and the ``tokenizer_config.json`` that ``AutoTokenizer`` wants beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--megabytes", type=int, nargs="+", required=True, help="how much of each file is read")
    args = parser.parse_args()
    pairs = zip(args.files, args.megabytes, strict=True)
    texts = itertools.chain.from_iterable(documents(file, size << 20) for file, size in pairs)
    save(train_tokenizer(texts, args.size), args.out)


if __name__ == "__main__":
    main()
