"""Before, after and instruction -> what the encoder reads and what is pinned around the hole."""

from dataclasses import dataclass

from tokenizers import Tokenizer

from palimpsest.engine.errors import RequestError
from palimpsest.engine.request import Fill

# Generous: no tokenizer here averages more characters a token, and encoding a whole book for a word would take seconds.
CHARACTERS_PER_TOKEN = 16


@dataclass(frozen=True)
class Prompt:
    """Token ids: ``prefix`` is encoded, ``left`` and ``right`` are pinned on the canvas, ``selected`` is replaced."""

    prefix: list[int]
    left: list[int]
    right: list[int]
    selected: list[int]


def build(fill: Fill, tokenizer: Tokenizer, prefix_limit: int, canvas_limit: int) -> Prompt:
    """Encode the text around the hole. Raises RequestError when instruction and selection alone exceed the prefix."""
    before = _encode(tokenizer, fill.before[-prefix_limit * CHARACTERS_PER_TOKEN :])
    right = _encode(tokenizer, fill.after[: canvas_limit * CHARACTERS_PER_TOKEN])[:canvas_limit]
    selected = _encode(tokenizer, fill.selected)
    asked = _asked(fill, tokenizer, selected)
    room = prefix_limit - 1 - len(asked)
    if asked and room < 0:
        raise RequestError(
            f"Instruction and selection are {len(asked)} tokens together and this model reads {prefix_limit}: "
            "select less or say it shorter."
        )
    # Words begin with their blank, so a lone blank before the hole belongs beside what comes: pin it on the canvas.
    left: list[int] = []
    if before and before[-1:] == _encode(tokenizer, " "):
        left = [before.pop()]
    tail = before[max(0, len(before) - room) :]
    return Prompt([_id(tokenizer, "<bos>"), *asked, *tail], left, right, selected)


def _asked(fill: Fill, tokenizer: Tokenizer, selected: list[int]) -> list[int]:
    """The user's turn and the opening of the model's: the answer is the document with the hole filled."""
    if not fill.instruction:
        return []
    newline = _encode(tokenizer, "\n")
    begin, end = _id(tokenizer, "<|turn>"), _id(tokenizer, "<turn|>")
    user = [begin, *_encode(tokenizer, f"user\n{fill.instruction}\n"), *selected, end, *newline]
    return [*user, begin, *_encode(tokenizer, "model\n")]


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def _id(tokenizer: Tokenizer, token: str) -> int:
    index = tokenizer.token_to_id(token)
    if index is None:
        raise RequestError(f"The model's vocabulary has no {token}, so it cannot follow instructions.")
    return index
